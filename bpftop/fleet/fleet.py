"""The thread that samples many hosts: one thread, because samples are analyzed one after the other anyway."""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from bpftop.config.resources import start_thread
from bpftop.errors import BpftopError
from bpftop.fleet.host_link import HostLink
from bpftop.fleet.host_state import HostState
from bpftop.fleet.host_stream import HostStream
from bpftop.rules.rule import Rule

STAGGER_S = 0.05
"""Time between the starts of two commands: a host in between (ProxyJump) refuses too many at once (MaxStartups)."""


class Fleet:
    """Watches hosts from ``start`` to ``stop``. Nothing listens: each host is reached by a command of its own.

    ``commands``: name of a host -> the words of the command that writes its samples, one each ``interval_s``.
    """

    def __init__(self, commands: Mapping[str, Sequence[str]], rules: Iterable[Rule], interval_s: float) -> None:
        now_s, rules = time.monotonic(), tuple(rules)
        self._links = {
            host: HostLink(host, command, rules, interval_s, now_s + STAGGER_S * position)
            for position, (host, command) in enumerate(commands.items())
        }
        self._lock = threading.Lock()
        self._closing, self._close = os.pipe()
        self._thread = threading.Thread(target=self._run, name="fleet", daemon=True)
        self._ended = threading.Event()
        self.error: BpftopError | None = None
        """The error that ended the thread, if any."""

    def start(self) -> None:
        start_thread(self._thread)

    def close(self) -> None:
        """End all commands, without waiting; any thread may call it."""
        os.write(self._close, b"x")

    def stop(self) -> None:
        """End all commands and wait for their ends. To be called once, at last."""
        self.close()
        if self._thread.is_alive():
            self._thread.join()
        os.close(self._close)
        os.close(self._closing)

    def wait(self, timeout_s: float) -> bool:
        """Wait that long. Return False as soon as the fleet is closed. Raises the error that ended the thread."""
        ended = self._ended.wait(timeout_s)
        if self.error is not None:
            raise self.error
        return not ended

    def states(self) -> tuple[HostState, ...]:
        """Return the state of every host, in the order of the command line."""
        with self._lock:
            return tuple(link.state for link in self._links.values())

    def stream(self, host: str) -> HostStream:
        """Return the samples of a host as a source: the samples of the last minute, then each new sample."""
        link = self._links[host]
        with self._lock:
            stream = HostStream(link.kept.lines(), self._leave)
            link.streams.append(stream)
        return stream

    def _leave(self, stream: HostStream) -> None:
        with self._lock:
            for link in self._links.values():
                if stream in link.streams:
                    link.streams.remove(stream)

    def _run(self) -> None:
        try:
            while self._turn():
                pass
        except Exception as error:  # noqa: BLE001 - a traceback would be printed into the screen
            fault = f"{type(error).__name__}: {error}"
            self.error = BpftopError(f"watching the hosts failed through a fault in bpftop ({fault}); please report it")
            self.error.__cause__ = error
        finally:
            for link in self._links.values():
                link.terminate()
            for link in self._links.values():
                link.stop()
            self._ended.set()

    def _turn(self) -> bool:
        """Wait for output or for the next thing to do, and do it. Return False at the end."""
        links = self._links.values()
        readers: dict[int, Callable[[float], None]] = {}
        for link in links:
            readers.update(link.readers())
        poller = select.poll()
        for descriptor in (self._closing, *readers):
            poller.register(descriptor, select.POLLIN)
        wait_s = max(0.0, min(link.due_s() for link in links) - time.monotonic())
        ready = [descriptor for descriptor, _ in poller.poll(1e3 * wait_s + 1)]
        if self._closing in ready:
            return False
        for descriptor in ready:
            with self._lock:  # for one host at a time, so that ``states`` waits some milliseconds at most
                readers[descriptor](time.monotonic())
        for link in links:
            with self._lock:
                link.advance(time.monotonic())
        return True
