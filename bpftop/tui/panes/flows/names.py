"""Names of addresses, looked up only when somebody asks for them, and never waited for."""

from __future__ import annotations

import queue
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from bpftop.tui.measurement import Measurement
from bpftop.tui.view import PaneInput, View
from bpftop.tui.widgets.line import clean

Resolve = Callable[[str], str | None]
"""The name of an address, None where it has none. It may block."""

THREADS = 4
WAITS_S = 5.0
"""A question that waited for longer behind slow ones is dropped; it may be asked again."""


def system_name(address: str) -> str | None:
    """What the resolver of the system says."""
    try:
        return socket.gethostbyaddr(address)[0]
    except OSError:
        return None


@dataclass(frozen=True)
class Names:
    """What the pane draws: the names, and how many questions are open."""

    shown: bool = False
    known: Mapping[str, str] | None = None
    pending: int = 0

    @property
    def to_show(self) -> Mapping[str, str]:
        return self.known or {} if self.shown else {}


class NamesDesk(Measurement):
    """Asks in threads of its own, which end with the process: a resolver may take half a minute to give up."""

    def __init__(
        self, tell: Callable[[], None], resolve: Resolve, visible: Callable[[PaneInput], Iterable[str]]
    ) -> None:
        super().__init__("Flows", tell)
        self._resolve, self._visible = resolve, visible
        self._shown = False
        self._lock = threading.Lock()
        self._answers: dict[str, str | None] = {}
        self._open: set[str] = set()
        self._questions: queue.SimpleQueue[tuple[str, float] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []

    @property
    def state(self) -> Names:
        with self._lock:
            known = {address: name for address, name in self._answers.items() if name}
            return Names(self._shown, known, len(self._open))

    def press(self, name: str, frame: PaneInput, busy: str) -> View | None:
        """`names` asks for what is on the screen; with nothing left to ask it switches names off and on."""
        if name != "names":
            return None
        with self._lock:
            new = [one for one in self._visible(frame) if one not in self._answers and one not in self._open]
            self._open.update(new)
        self._shown = bool(new) or not self._shown
        for address in new:
            self._questions.put((address, time.monotonic()))
        while new and len(self._threads) < THREADS:
            thread = threading.Thread(target=self._ask, name="names", daemon=True)
            self._threads.append(thread)
            thread.start()
        return frame.view

    def cancel(self) -> None:
        super().cancel()
        for _ in self._threads:
            self._questions.put(None)

    def _ask(self) -> None:
        while (question := self._questions.get()) is not None:
            address, since_s = question
            late = time.monotonic() - since_s > WAITS_S
            answer = None if late else self._resolve(address)
            with self._lock:
                self._open.discard(address)
                if not late:
                    self._answers[address] = clean(answer) if answer else None
            self._tell()
