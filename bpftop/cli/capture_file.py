"""The file of a capture: its limits, and the sentences about it at its end."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING

from bpftop.cli.output import Output, complain
from bpftop.errors import BpftopError
from bpftop.export.pcapng.blocks import PcapngBlocks, cost_sentence, left_out_sentence
from bpftop.history.finding_packets import interfaces_of, packets_of
from bpftop.model.captured_packet import SNAPLEN_BYTES, CaptureCounts, CapturedPacket
from bpftop.render.packet_words import HIDDEN_FUNCTIONS, packet_words

if TYPE_CHECKING:
    from bpftop.collect.capture.packet_capture import PacketCapture
    from bpftop.model.findings import Finding
    from bpftop.model.snapshot import Snapshot

FINDING_PACKETS = 100


class CaptureFile:
    """A pcapng file of at most so many packets and bytes. A full disk ends it with a whole block, and is no exception.

    ``snaplen_bytes`` of a packet are kept, and zeros in place of its payload unless ``payload``. ``trouble`` is the
    sentence about a write that failed.
    """

    def __init__(
        self,
        output: Output,
        most_packets: int | None,
        most_bytes: int,
        snaplen_bytes: int = SNAPLEN_BYTES,
        *,
        payload: bool = False,
    ) -> None:
        self.packets = 0
        self.trouble: str | None = None
        self._output = output
        self._blocks = PcapngBlocks(snaplen_bytes, payload=payload, kernel=os.uname().release)
        self._most_packets, self._left_bytes = most_packets, most_bytes
        self._counts, self._hides_functions = CaptureCounts(), False

    @property
    def is_full(self) -> bool:
        return self.trouble is not None or self.packets == self._most_packets or self._left_bytes <= 0

    def begin(self, comment: str) -> None:
        """Write the beginning; ``comment`` says what the capture takes."""
        self._write(self._blocks.begin(comment))

    def add(self, packets: Iterable[CapturedPacket]) -> None:
        """Write packets up to the limits."""
        for packet in packets:
            if self.is_full:
                return
            block = self._blocks.packet(packet)
            if len(block) > self._left_bytes:
                self._left_bytes = 0
                return
            self._left_bytes -= len(block)
            self.packets += self._write(block)

    def end(self, capture: PacketCapture) -> None:
        """End the capture, write the packets that it still has, and its statistics. Raises KernelError."""
        capture.detach()
        while packets := capture.read():
            self.add(packets)
        self._counts, self._hides_functions = capture.counts(), capture.hides_functions
        self._write(self._blocks.end(time.time_ns(), self._counts))

    def sentences(self, name: str) -> Iterator[str]:
        """Yield the sentences at the end about the file ``name``."""
        after = self._counts.matched - self._counts.left_out - self.packets
        why = "came after its limit" if self.trouble is None else "were not written"
        rest = f"; {after} {why}" if after else ""
        yield f"{self.packets} packets in {name}; {left_out_sentence(self._counts)}{rest}"
        yield cost_sentence(self._counts)
        if self._hides_functions:
            yield HIDDEN_FUNCTIONS
        if self.trouble is not None:
            yield f"{self.trouble}; the file has the packets before that"

    def _write(self, block: bytes) -> bool:
        if self.trouble is None:
            try:
                self._output.write_block(block)
            except BpftopError as error:
                self.trouble = str(error)
        return self.trouble is None


class FindingCapture:
    """The first packets that a finding is about, from the first finding on that is a warning or worse."""

    def __init__(self, output: Output, name: str, netns: str | None) -> None:
        self._name, self._netns = name, netns
        self._file = CaptureFile(output, FINDING_PACKETS, 1 << 20)
        self._capture: PacketCapture | None = None
        self._refusal: str | None = None

    def take(self, snapshot: Snapshot) -> None:
        """Begin to capture at the first finding, and write the packets that have come since the last snapshot."""
        if self._capture is not None:
            self._file.add(self._capture.read())
        elif self._refusal is None:
            findings = (each for each in snapshot.diagnosis.findings if each.severity != "info")
            found = next((each for each in findings if packets_of(snapshot, each) is not None), None)
            if found is not None:
                self._begin(snapshot, found)

    def _begin(self, snapshot: Snapshot, finding: Finding) -> None:
        from bpftop.collect.capture.packet_capture import PacketCapture
        from bpftop.collect.capture.request import CaptureRequest
        from bpftop.kernel.netns import inside

        wanted, names = packets_of(snapshot, finding), interfaces_of(snapshot, finding)
        assert wanted is not None, "take() chose a finding with packets"
        try:
            with inside(self._netns):
                self._capture = PacketCapture(names, CaptureRequest(wanted))
        except BpftopError as error:
            self._refusal = str(error)
            return
        self._file.begin(f"{packet_words(wanted)} on {' '.join(names)}, payload is zeros: {finding.title}")

    def close(self) -> None:
        """End the capture, and write the sentences about the file."""
        if self._capture is None:
            complain(self._refusal or f"nothing was found, so {self._name} has no packets")
            self._file.begin("nothing was captured")
            return
        with closing(self._capture):
            self._file.end(self._capture)
        for sentence in self._file.sentences(self._name):
            complain(sentence)
