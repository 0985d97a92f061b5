"""Captures from the live screen: the dropped packets that it shows, and files of them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from threading import Event
from typing import TYPE_CHECKING

from bpftop.cli.saved_files import current_directory_errors
from bpftop.errors import BpftopError
from bpftop.model.timestamps import file_stamp

if TYPE_CHECKING:
    from bpftop.cli.capture_file import CaptureFile
    from bpftop.collect.capture.drop_watch import DropWatch
    from bpftop.collect.capture.packet_capture import PacketCapture
    from bpftop.model.captured_packet import DroppedPackets
    from bpftop.model.packet_filter import PacketFilter

FILE_PACKETS, FILE_S, FILE_BYTES = 10_000, 60.0, 16 << 20
"""Limits of a file: what comes first ends it."""
_READ_EVERY_S = 0.1


class ScreenCaptures:
    """Implements bpftop.tui.actions.Captures in the network namespace ``netns``; None: the process's."""

    def __init__(self, netns: str | None) -> None:
        self._netns = netns
        self._watch: DropWatch | None = None
        self._stop = Event()
        self._file: CaptureFile | None = None
        self._is_closed = False
        self.unsaid = ""
        """The sentence about a file that quitting the screen ended."""

    def watch(self, wanted: PacketFilter | None, names: Sequence[str]) -> None:
        if self._watch is not None:
            self._watch.close()
            self._watch = None
        if wanted is not None:
            from bpftop.collect.capture.drop_watch import DropWatch

            self._watch = DropWatch(names, wanted, self._netns)

    def latest(self) -> DroppedPackets | None:
        return None if self._watch is None else self._watch.latest

    def progress(self) -> str:
        return "" if self._file is None else f"{self._file.packets} packets"

    def to_file(self, wanted: PacketFilter, names: Sequence[str], title: str, begun: Callable[[str], object]) -> str:
        from bpftop.cli.capture_file import CaptureFile
        from bpftop.cli.output import opened
        from bpftop.collect.capture.packet_capture import PacketCapture
        from bpftop.collect.capture.request import CaptureRequest
        from bpftop.kernel.netns import inside

        self._stop.clear()
        path = os.path.abspath(f"bpftop-{file_stamp(time.time_ns())}.pcapng")
        request = CaptureRequest(wanted)
        with (
            inside(self._netns),
            closing(PacketCapture(names, request)) as capture,
            current_directory_errors(),
            opened(path) as output,
        ):
            self._file = file = CaptureFile(output, FILE_PACKETS, FILE_BYTES)
            try:
                file.begin(f"packets dropped at {title} on {' '.join(names)}, payload is zeros")
                begun(f"{path}; headers only, at most {FILE_PACKETS} packets or {FILE_S:.0f} s; the same key ends it")
                self._fill(capture, file)
            finally:
                self._file = None
        said = "; ".join(file.sentences(path))
        if self._is_closed:
            self.unsaid = said
        if file.trouble is not None:
            raise BpftopError(said)
        return said

    def _fill(self, capture: PacketCapture, file: CaptureFile) -> None:
        end_s = time.monotonic() + FILE_S
        while not (file.is_full or self._stop.wait(_READ_EVERY_S) or time.monotonic() > end_s):
            file.add(capture.read())
        file.end(capture)

    def end_file(self) -> bool:
        is_running = self._file is not None
        self._stop.set()
        return is_running

    def close(self) -> None:
        self._is_closed = True
        self.end_file()
        self.watch(None, ())
