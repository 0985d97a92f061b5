"""Sample lines from a file descriptor as a source, such as ``watch --format samples`` of another host over ssh."""

from __future__ import annotations

import os
import select
from collections.abc import Generator, Iterator

from bpftop.errors import BpftopError
from bpftop.model.sample import Sample
from bpftop.model.source import TakenSamples
from bpftop.store.encoding.sample_lines import BadLine, LineReader
from bpftop.store.line_splitter import LineSplitter

LINE_MAX_BYTES = 64 << 20
GIVE_UP_LINES = 1000
"""Lines without any sample after which reading ends. A login shell prints fewer lines."""
_READ_BYTES = 1 << 20


class LineSource(TakenSamples):
    """A SampleSource that reads lines. A line that is no sample is skipped and counted."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._closing, self._close = os.pipe()
        self.skipped = 0
        self.why = ""
        """Reason why the last skipped line is no sample."""

    def samples(self) -> Generator[Sample, None, None]:
        """Yield samples until the input ends. Raises BpftopError if it cannot be read, or no line was a sample."""
        reader, count = LineReader(), 0
        for line in self._lines():
            try:
                if line is None:
                    raise BadLine(f"it is longer than {LINE_MAX_BYTES >> 20} MiB")
                sample = reader.read(line)
            except BadLine as error:
                self.skipped += 1
                self.why = str(error)
                if not count and (line is None or self.skipped >= GIVE_UP_LINES):
                    break
            else:
                count += 1
                yield sample
        if not count and self.skipped:
            raise BpftopError(
                f"standard input held no sample: of its {self.skipped} lines the last was none because {self.why}; "
                "pipe `bpftop watch IFACE --format samples` into it"
            )

    def close(self) -> None:
        """End ``samples``; any thread may call it, any number of times."""
        os.write(self._close, b"x")

    def _lines(self) -> Iterator[bytes | None]:
        """Yield lines, the last one even if it has no newline; None for a line as soon as it is too long."""
        splitter = LineSplitter(LINE_MAX_BYTES)
        for chunk in self._chunks():
            yield from splitter.feed(chunk)
        yield from splitter.rest()

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
