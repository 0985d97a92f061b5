"""A made-up source: deterministic samples of a server under mixed traffic, with any number of CPUs and interfaces.

``python -m tests.tui.fake_source --cpus 16 --interfaces 1`` runs the live screen on it, to measure its cost.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import threading
import time
from array import array
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import add
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpftop
from bpftop.model.sample import DIRECTIONS, Direction, Hook, Interface, Key, Reading, Sample, reading_key
from tests import samples
from tests.samples import packed, sample
from tests.tui.fake_bpf import bpf_readings
from tests.tui.fake_flows import flow_readings, top_flow_readings
from tests.tui.fake_signals import UNAVAILABLE, FakeSignals, facts

if TYPE_CHECKING:
    from bpftop.cli.screen_setup import ScreenSetup

START_WALL_NS = 1_764_126_764 * 10**9  # 2025-11-26T03:12:44Z
START_MONO_NS = 5_000 * 10**9

# protocol number -> (packets per second, mean bytes) on RX; TX is a quarter of it
PROTOCOLS: Mapping[int, tuple[float, int]] = {
    6: (1_130_000, 71), 17: (104_000, 192), 1: (812, 82), 58: (120, 94), 256: (2, 60), 2: (4, 60), 47: (2_400, 420),
    50: (9_100, 812), 89: (1, 90), 103: (1, 80), 112: (3, 60), 132: (640, 310), 257: (1, 120), 260: (2, 64),
    263: (5, 60),
}  # fmt: skip
FLAGS = {"syn": 0.74, "syn_ack": 0.01, "fin": 0.01, "rst": 0.02, "other": 0.22}
SIZES = {"<=64": 0.62, "65-127": 0.2, "128-255": 0.06, "256-511": 0.03, "512-1023": 0.02, "1024-1518": 0.07}
JOINT = {
    (l3, cast, size): a * b * c
    for l3, a in (("ipv4", 0.92), ("ipv6", 0.07), ("arp", 0.01))
    for cast, b in (("unicast", 0.97), ("multicast", 0.02), ("broadcast", 0.01))
    for size, c in SIZES.items()
}
PORTS = {53: 0.4, 123: 0.02, 1900: 0.001}
ICMP = {("icmp", 8): 0.6, ("icmp", 0): 0.2, ("icmp", 3): 0.1, ("icmpv6", 135): 0.05, ("icmpv6", 136): 0.05}
FRAGMENTS = {"first": 0.001, "later": 0.002}
VLANS = {1: 0.05}


@dataclass
class FakeSource:
    """Samples at 0 s, at 100 ms, and then every ``interval_s``.

    ``paced`` waits for the clock as a real source does, ``gate`` for each sample to be released; without them samples
    come as fast as they are taken.
    """

    cpus: int = 16
    interfaces: Sequence[Interface] = ()
    interval_s: float = 1.0
    paced: bool = False
    count: int | None = None
    gate: threading.Semaphore | None = None
    epochs: Mapping[int, int] = field(default_factory=dict)  # tick -> epoch that begins there
    accepted: list[str] = field(default_factory=list)
    bpf_watched: bool = False
    flows_asked: list[tuple[bool, int]] = field(default_factory=list)
    top_flows_asked: list[int] = field(default_factory=list)
    closed: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        if not self.interfaces:
            self.interfaces = (interface("eth0", 2),)
        self.interfaces = tuple(replace(one, facts=one.facts or facts(self.cpus)) for one in self.interfaces)
        self._signals = FakeSignals(self.cpus)
        self._counts: dict[str, array[int]] = {}
        self._keys: dict[str, tuple[Key, ...]] = {}
        busy = min(3, self.cpus - 1)  # one CPU carries nearly everything, as with one flow
        self._shares = [0.9 if cpu == busy else 0.1 / max(1, self.cpus - 1) for cpu in range(self.cpus)]

    def samples(self) -> Generator[Sample, None, None]:
        begin, tick, offset_s = time.monotonic(), 0, 0.0
        while not self.closed.is_set() and (self.count is None or tick < self.count):
            if self.paced and self.closed.wait(max(0.0, begin + offset_s - time.monotonic())):
                return
            if self.gate is not None:
                self.gate.acquire()
                if self.closed.is_set():
                    return
            yield self.sample(tick, offset_s)
            offset_s = 0.1 if tick == 0 else 0.1 + tick * self.interval_s
            tick += 1

    def close(self) -> None:
        self.closed.set()
        if self.gate is not None:
            self.gate.release()

    def accept_offer(self, label: str) -> None:
        self.accepted.append(label)
        hooks: dict[Direction, Hook] = {
            "rx": Hook("xdp", "native", 77, 9.0, True),
            "tx": Hook("tcx", None, 78, 14.0, True),
        }
        self.interfaces = tuple(replace(i, offer=None, hooks=hooks) if i.label == label else i for i in self.interfaces)

    def change_interval(self, interval_s: float) -> None:
        self.interval_s = interval_s

    def watch_bpf(self, on: bool) -> None:
        self.bpf_watched = on

    def watch_flows(self, on: bool, sample_1_in: int = 1) -> None:
        self.flows_asked.append((on, sample_1_in))

    def watch_top_flows(self, sample_1_in: int) -> None:
        self.top_flows_asked.append(sample_1_in)

    def sample_flows(self, sample_1_in: int, seconds: float) -> None:
        """The fake has flows whenever they are watched."""

    def sample(self, tick: int, offset_s: float) -> Sample:
        mono_ns = START_MONO_NS + round(offset_s * 1e9)
        readings: dict[str, Reading] = {}
        for one in self.interfaces:
            for direction in DIRECTIONS:
                readings |= self._traffic(one, direction, tick, mono_ns)
                if self.flows_asked and self.flows_asked[-1][0]:
                    readings |= flow_readings(one, direction, tick, mono_ns, self.flows_asked[-1][1])
                elif self.top_flows_asked and self.top_flows_asked[-1]:
                    readings |= top_flow_readings(one, direction, tick, mono_ns, self.top_flows_asked[-1])
        readings |= self._signals.readings([one.label for one in self.interfaces], offset_s, mono_ns)
        if self.bpf_watched:
            readings |= bpf_readings(offset_s, mono_ns)
        if self.paced:
            readings["self"] = self._own(time.process_time_ns(), 84_000 * (tick + 1), mono_ns)
        else:
            readings["self"] = self._own(round(offset_s * 12e6), 84_000 * (tick + 1), mono_ns)
        readings["self_memory"] = packed("self_memory", ((),), [38 << 20], read_ns=mono_ns)
        return sample(
            mono_ns / 1e9, seq=tick, host="web-17", wall_ns=START_WALL_NS + round(offset_s * 1e9), mono_ns=mono_ns,
            cpus=self.cpus, interfaces=self.interfaces, readings=readings, unavailable=UNAVAILABLE,
        )  # fmt: skip

    def _own(self, cpu_ns: int, poll_ns: int, mono_ns: int) -> Reading:
        return packed("self", ((),), [cpu_ns, poll_ns], read_ns=mono_ns)

    def _traffic(self, one: Interface, direction: Direction, tick: int, mono_ns: int) -> dict[str, Reading]:
        """Return the counts of one direction of an interface until now."""
        if one.hooks.get(direction, Hook()).hook == "none":
            return {}
        epoch = max((e for t, e in self.epochs.items() if t <= tick), default=0)
        elapsed_s = 0.1 if tick == 1 else self.interval_s if tick else 0.0
        scale = elapsed_s * (1.0 if direction == "rx" else 0.25) / (self.interfaces.index(one) + 1)
        readings = {}
        for family, cells in _cells(scale, tick).items():
            name = reading_key(family, one.label, direction)
            keys = self._keys.setdefault(name, tuple((one.label, direction, *key) for key, _, _ in cells))
            shares = self._shares if family == "protocols" else (1.0,)
            gained = (
                int(value * share + (tick ^ cpu) % 3 * 0.3 * (len(shares) > 1))
                for _, packets, size in cells
                for value in (packets, size)
                for cpu, share in enumerate(shares)
            )
            old = self._counts.get(name)
            self._counts[name] = values = array("Q", gained if old is None else map(add, old, gained))
            readings[name] = packed(family, keys, values, read_ns=mono_ns, cost_ns=42_000, epoch=epoch)
        return readings


def interface(label: str, ifindex: int, **more: Any) -> Interface:
    """Return an interface that is counted by native XDP and TCX; ``more`` replaces fields."""
    hooks: dict[Direction, Hook] = {"rx": Hook("xdp", "native", 77, 9.0, True), "tx": Hook("tcx", None, 78, 14.0, True)}
    defaults = {"driver": "ixgbe", "mtu": 1500, "speed_bits_per_sec": 10**10, "hooks": hooks}
    return samples.interface(label, ifindex, **{**defaults, **more})


def _cells(scale: float, tick: int) -> dict[str, list[tuple[Key, float, float]]]:
    """Family -> key, packets and bytes of every row, for one interval."""
    packets = {n: pps * scale * _swell(tick, n) for n, (pps, _) in PROTOCOLS.items()}
    sizes = {n: packets[n] * PROTOCOLS[n][1] for n in PROTOCOLS}
    total, size = sum(packets.values()), sum(sizes.values())
    mean = size / max(1.0, total)
    joint = {key: total * part * _swell(tick, i) for i, (key, part) in enumerate(JOINT.items())}
    flags = {f: packets[6] * part * _swell(tick, len(f)) for f, part in FLAGS.items()}
    return {
        "protocols": [((n,), packets[n], sizes[n]) for n in sorted(PROTOCOLS)],
        "joint": [(key, count, count * mean) for key, count in joint.items()],
        "tcp_flags": [((f,), count, count * 66) for f, count in flags.items()],
        "udp_ports": [((p,), packets[17] * part, packets[17] * part * 200) for p, part in PORTS.items()],
        "icmp_types": [(key, packets[1] * part, packets[1] * part * 80) for key, part in ICMP.items()],
        "fragments": [((f,), total * part, size * part) for f, part in FRAGMENTS.items()],
        "vlans": [((t,), total * part, size * part) for t, part in VLANS.items()],
    }


def _swell(tick: int, phase: int) -> float:
    """Return a slow wave with a little noise on it, so that every number changes with every tick."""
    return 1 + 0.3 * math.sin(tick / 7 + phase) + 0.02 * ((tick * 7919 + phase * 31) % 13 - 6)


def setup_without_file(interval_s: float = 1.0, theme: str = "dark") -> ScreenSetup:
    """Return the setup of a screen that has no configuration file."""
    from bpftop.cli.screen_setup import ScreenSetup
    from bpftop.config.settings import Settings
    from bpftop.tui.terminal.traits import terminal_traits
    from bpftop.tui.themes import find_theme

    chosen = find_theme(theme, [Path(bpftop.__file__).parent / "themes"])
    traits = terminal_traits(os.environ)
    return ScreenSetup(Settings(interval_s=interval_s), traits, chosen, Path("/nonexistent/config.yaml"), False, ())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cpus", type=int, default=16)
    parser.add_argument("--interfaces", type=int, default=1)
    parser.add_argument("--interval", type=float, default=1.0)
    parser.add_argument("--theme", default="dark")
    parser.add_argument("--offer", action="store_true")
    arguments = parser.parse_args()
    offer = "native XDP, exact (this driver resets its rings)" if arguments.offer else None
    names = [interface(f"eth{i}", i + 2, offer=offer) for i in range(arguments.interfaces)]

    from bpftop.cli.screen import show

    source = FakeSource(arguments.cpus, names, arguments.interval, paced=True)
    sys.exit(show(source, setup_without_file(arguments.interval, arguments.theme)))


if __name__ == "__main__":
    main()
