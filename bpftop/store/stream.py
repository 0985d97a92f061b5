"""Sample lines from a file descriptor as a source: another machine's ``watch --format samples`` behind ssh."""

from __future__ import annotations

import os
import select
from collections.abc import Generator, Iterator

from bpftop.errors import BpftopError
from bpftop.model.sample import Sample
from bpftop.store.codec.sample_json import BadLine, LineReader

LINE_MAX_BYTES = 64 << 20
GIVE_UP_LINES = 1000
"""After so many lines without any sample it is something else that comes. What a login shell prints is less."""
_READ_BYTES = 1 << 20


class LineSource:
    """See bpftop.model.source.SampleSource. Lines that are no samples are skipped and counted."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._closing, self._close = os.pipe()
        self.skipped = 0
        self.why = ""
        """What was wrong with the last line that was skipped."""

    def samples(self) -> Generator[Sample, None, None]:
        """Until the input ends. Raises BpftopError where it cannot be read, or nothing of it was a sample."""
        reader, taken = LineReader(), 0
        for line in self._lines():
            try:
                if line is None:
                    raise BadLine(f"it is longer than {LINE_MAX_BYTES >> 20} MiB")
                sample = reader.read(line.decode("utf-8", "replace"))
            except BadLine as error:
                self.skipped += 1
                self.why = str(error)
                if not taken and (line is None or self.skipped >= GIVE_UP_LINES):
                    break
            else:
                taken += 1
                yield sample
        if not taken and self.skipped:
            raise BpftopError(
                f"standard input held no sample: of its {self.skipped} lines the last was none because {self.why}; "
                "pipe `bpftop watch IFACE --format samples` into it"
            )

    def close(self) -> None:
        """End ``samples``; any thread may call it, any number of times."""
        os.write(self._close, b"x")

    def accept_offer(self, label: str) -> None:
        raise BpftopError("these samples come from elsewhere: what they offer can be done there alone")

    def watch_flows(self, on: bool, sample_1_in: int = 1) -> None:
        """Nobody counts them: the other side has no screen."""

    def _lines(self) -> Iterator[bytes | None]:
        """Whole lines, and what is left at the end; None for one that is too long, as soon as it is."""
        parts: list[bytes] = []
        size = 0
        for chunk in self._chunks():
            first, *others = chunk.split(b"\n")
            within = size <= LINE_MAX_BYTES
            size += len(first)
            if size <= LINE_MAX_BYTES:
                parts.append(first)
            elif within:
                parts = []
                yield None
            for other in others:
                if 0 < size <= LINE_MAX_BYTES:
                    yield b"".join(parts)
                parts, size = [other], len(other)
        if 0 < size <= LINE_MAX_BYTES:
            yield b"".join(parts)

    def _chunks(self) -> Iterator[bytes]:
        while True:
            ready, _, _ = select.select([self._descriptor, self._closing], [], [])
            if self._closing in ready:
                return
            try:
                chunk = os.read(self._descriptor, _READ_BYTES)
            except OSError as error:
                raise BpftopError(f"cannot read standard input: {error.strerror}; pipe samples into it") from error
            if not chunk:
                return
            yield chunk
