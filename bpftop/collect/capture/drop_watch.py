"""The latest dropped packets, kept by a thread while somebody looks at them."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import closing

from bpftop.collect.capture.packet_capture import PacketCapture
from bpftop.collect.capture.request import CaptureRequest
from bpftop.config.resources import start_thread, why_failed
from bpftop.errors import BpftopError
from bpftop.kernel.netns import inside
from bpftop.model.captured_packet import CapturedPacket, DroppedPackets
from bpftop.model.packet_filter import PacketFilter

KEPT, MOST_PER_SEC = 20, 100
_READ_EVERY_S = 0.25


class DropWatch:
    """Captures the headers of dropped packets from now on until ``close``, which does not wait for the thread.

    The interfaces are in the network namespace at the path ``netns``; None: the namespace of the process.
    """

    def __init__(self, names: Sequence[str], wanted: PacketFilter, netns: str | None) -> None:
        self._names, self._netns = names, netns
        self._request = CaptureRequest(wanted, packets_per_sec=MOST_PER_SEC)
        self._kept: deque[CapturedPacket] = deque(maxlen=KEPT)
        self._closed = threading.Event()
        self._begun_ns = time.monotonic_ns()
        self.latest = DroppedPackets(most_per_sec=MOST_PER_SEC)
        """The state at the last reading; replaced as a whole by the thread, so no lock."""
        self._thread = threading.Thread(target=self._run, name="dropped-packets", daemon=True)
        start_thread(self._thread)

    def close(self, wait_s: float = 0.0) -> None:
        """Detach and unload, within a quarter of a second; wait for it at most ``wait_s``."""
        self._closed.set()
        self._thread.join(wait_s)

    def _run(self) -> None:
        try:
            with (
                inside(self._netns),
                closing(PacketCapture(self._names, self._request)) as capture,
            ):
                while not self._closed.wait(_READ_EVERY_S):
                    self._kept.extend(capture.read())
                    self.latest = DroppedPackets(
                        tuple(self._kept),
                        capture.counts(),
                        MOST_PER_SEC,
                        time.monotonic_ns() - self._begun_ns,
                        capture.hides_functions,
                    )
        except BpftopError as error:
            self.latest = DroppedPackets(tuple(self._kept), trouble=str(error))
        except Exception as error:  # noqa: BLE001 - otherwise the person would wait for packets for ever
            self.latest = DroppedPackets(tuple(self._kept), trouble=why_failed(error, "reading dropped packets"))
