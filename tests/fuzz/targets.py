"""The parsers, their seeds, and the errors with which each may refuse an input. Any other error is a finding."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from bpftop.collect.collector import Unavailable
from bpftop.collect.devices.device_irqs import irq_names
from bpftop.collect.procfs.counter_files import parse_line_pairs
from bpftop.collect.procfs.cpu_times import CpuTimes
from bpftop.collect.procfs.proc_file import ProcFileCollector
from bpftop.collect.procfs.softirqs import Softirqs
from bpftop.collect.procfs.softnet import Softnet
from bpftop.collect.procfs.stat_table import parse_stat_table
from bpftop.collect.procfs.tree import Tree
from bpftop.config.settings_file import load
from bpftop.config.untrusted_file import parse_json
from bpftop.errors import BpftopError
from bpftop.export.diff.diff_document import DiffSide
from bpftop.export.snapshot.document import json_line
from bpftop.export.snapshot.snapshot_types import SnapshotDocument
from bpftop.kernel.net.netdev import RTM_GETLINK, parse_device
from bpftop.kernel.net.qdiscs import RTM_GETQDISC, parse_qdisc
from bpftop.measure import run_store
from bpftop.store.encoding.sample_frames import Decoder, Encoder, Stamp
from bpftop.store.encoding.sample_lines import LineReader, sample_line
from bpftop.store.recording import Recording
from bpftop.store.recording_writer import RecordingLimits, Writer
from bpftop.tui.themes import read_theme
from tests.export.moments import moment
from tests.fuzz.kernel_answers import (
    DIAGNOSES,
    ask_driver,
    diagnosis_from,
    dump_from,
    recorded_diagnosis,
    recorded_dump,
)
from tests.store.made_up_machine import Machine

CORPUS = Path(__file__).parent / "corpus"
TREES = Path(__file__).parents[1] / "collect/trees"
THEMES = Path(__file__).parents[2] / "themes"
MALFORMED = (ValueError, IndexError, OverflowError, Unavailable)
"""The errors of a parser that ProcFile.read turns into a sentence."""

_TEXTS: tuple[tuple[str, Sequence[str], Callable[[str], object]], ...] = (
    ("counters", ("net/snmp", "net/netstat"), parse_line_pairs),
    ("tables", ("net/stat/arp_cache", "net/stat/ndisc_cache", "net/stat/nf_conntrack"), parse_stat_table),
    ("interrupts", ("interrupts",), irq_names),
)
"""Name, files of the recorded trees, and the function that parses each of them."""


@dataclass(frozen=True)
class Target:
    """A parser. ``parse`` gets an input and an empty folder; ``refusals`` are the errors that refuse an input."""

    name: str
    seeds: Callable[[], Sequence[bytes]]
    parse: Callable[[bytes, Path], object]
    refusals: tuple[type[Exception], ...] = (BpftopError,)

    def corpus(self) -> list[bytes]:
        """Return the seeds and the inputs that once were findings."""
        return [*self.seeds(), *(path.read_bytes() for path in sorted(CORPUS.glob(f"{self.name}.*")))]


def _file(folder: Path, content: bytes, name: str = "input") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def _snapshot(content: bytes, _: Path) -> None:
    document = parse_json(content)
    if isinstance(document, dict):
        side = DiffSide("input", cast(SnapshotDocument, document))
        for member in ("rates", "settings", "heading"):
            getattr(side, member)


def _figures(content: bytes, folder: Path) -> None:
    _file(folder, content, "maps-1.json")
    environment = {"XDG_STATE_HOME": str(folder.parent)}
    assert run_store.path(environment) == str(folder)
    run_store.load("maps", "m", environment)


def _frame(content: bytes, _: Path) -> None:
    """Decode a key frame and a frame after it, of which one part is mutated."""
    first, second = Machine(cpus=2).samples(2)
    encoder, decoder = Encoder(), Decoder()
    decoder.decode(Stamp(0, 1, first.mono_ns), encoder.encode(first))
    which, rest = content[:1], content[1:]
    frame = encoder.encode(second)
    if which == b"s":
        frame = frame._replace(structure=rest)
    else:
        frame = frame._replace(cells=rest) if which == b"c" else frame._replace(body=rest)
    decoder.decode(Stamp(1, 2, second.mono_ns), frame)


def _frame_seeds() -> list[bytes]:
    frame = Encoder().encode(Machine(cpus=2).sample(0))
    parts = ((b"s", frame.structure), (b"b", frame.body), (b"c", frame.cells))
    return [which + part for which, part in parts if part is not None]


def _recording(content: bytes, folder: Path) -> None:
    recording = Recording(str(_file(folder, content)))
    try:
        extent = recording.extent()
        if extent is not None:
            list(recording.ticks(extent.first, extent.first + 20))
            recording.finding(extent.first, later=True)
            recording.interval_s()
    finally:
        recording.close()


def _recording_seeds() -> list[bytes]:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a")
        writer = Writer(str(path), RecordingLimits())
        writer.write([(sample, 0) for sample in Machine(cpus=1, protocols=3).samples(5)])
        writer.close()
        return [path.read_bytes()]


def _proc(collector: type[ProcFileCollector]) -> Target:
    def seeds() -> list[bytes]:
        trees = [tree / "proc" / collector.path.replace("net/", "self/net/") for tree in TREES.iterdir()]
        trees += [tree / "proc" / collector.path for tree in TREES.iterdir()]
        found = [path.read_bytes() for path in trees if path.is_file()]
        return found or [Path("/proc", collector.path).read_bytes()]

    def parse(content: bytes, _: Path) -> None:
        collector(Tree()).parse(content.decode("utf-8", "replace"))

    return Target(f"proc-{collector.__name__.lower()}", seeds, parse, MALFORMED)


def _text(name: str, paths: Sequence[str], parse: Callable[[str], object]) -> Target:
    files = [path for tree in TREES.iterdir() for path in (tree / "proc" / each for each in paths) if path.is_file()]
    seeds = [path.read_bytes() for path in files]

    def parse_bytes(content: bytes, _: Path) -> None:
        parse(content.decode("utf-8", "replace"))

    return Target(f"proc-{name}", lambda: seeds, parse_bytes, MALFORMED)


def _rtnetlink(name: str, kind: int, body: bytes, parse: Callable[[bytes], object]) -> Target:
    """Return the target that parses each answer of a dump."""

    def parse_all(content: bytes, _: Path) -> None:
        for answer in dump_from(content, kind):
            parse(answer)

    return Target(name, lambda: [recorded_dump(kind, body)], parse_all, (OSError,))


def _sock_diag(name: str) -> Target:
    return Target(f"sock-diag-{name}", lambda: [recorded_diagnosis(name)], lambda c, _: diagnosis_from(c, name))


_CONFIG = b"""interval: 2
attach: tcx
theme: dark
thresholds:
  link-saturated: {warning: 0.5, warning_clear: 0.4}
silence: [packet-storm]
keys: {pause: space}
"""
_FIGURES = b"""{"schema": "bpftop.kept/1", "kind": "maps", "machine_id": "m", "taken_at": "2026", "kernel": "6",
"partial": false, "figures": {"lookup": {"ns": 1.5}}}"""


def targets() -> Iterator[Target]:
    """Yield every target."""
    line = [sample_line(Machine(cpus=2, flows=True).sample(0)).encode()]
    yield Target("sample-line", lambda: line, lambda content, _: LineReader().read(content))
    yield Target("snapshot", lambda: [json_line(moment()).encode()], _snapshot, (ValueError, BpftopError))
    yield Target("config", lambda: [_CONFIG], lambda content, folder: load(_file(folder, content)))
    themes = [path.read_bytes() for path in THEMES.glob("*.yaml")]
    yield Target("theme", lambda: themes, lambda content, folder: read_theme(_file(folder, content)))
    yield Target("figures", lambda: [_FIGURES], _figures)
    yield Target("frame", _frame_seeds, _frame)
    yield Target("recording", _recording_seeds, _recording)
    yield _rtnetlink("netlink-devices", RTM_GETLINK, struct.pack("=BxHiII", 0, 0, 0, 0, 0), parse_device)
    yield _rtnetlink("netlink-qdiscs", RTM_GETQDISC, struct.pack("=BxxxiIII", 0, 0, 0, 0, 0), parse_qdisc)
    for name in DIAGNOSES:
        yield _sock_diag(name)
    yield Target("ethtool", list, lambda content, _: ask_driver(content))
    for collector in (Softnet, CpuTimes, Softirqs):
        yield _proc(collector)
    for name, paths, parse_text in _TEXTS:
        yield _text(name, paths, parse_text)


TARGETS = {target.name: target for target in targets()}
