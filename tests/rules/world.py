"""A made-up machine whose counters grow at rates that a test sets, as samples for the rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from bpftop.model.derive import derive_snapshot
from bpftop.model.families import FAMILIES, TRAFFIC_FAMILIES
from bpftop.model.findings import Diagnosis, Finding
from bpftop.model.sample import Interface, Key, Sample
from bpftop.model.stack_counters import STACK, family_of
from bpftop.rules.engine import RuleEngine
from bpftop.rules.rule import Rule
from bpftop.rules.table import chosen
from tests import samples

START_NS = 1_000 * 10**9
CPUS = 2
ETH0 = samples.interface(driver="veth", hooks=samples.HOOKS)
_TRAFFIC = {family.name for family in TRAFFIC_FAMILIES}


class World:
    """Samples that are made from rates. All stack counters exist and are zero; gauges are set and not added up.

    ``rates``: (reading name, row key, column) -> per second; for traffic the row key leaves out interface and
    direction, and a CPU may be given.
    """

    def __init__(self, *interfaces: Interface) -> None:
        self.interfaces = interfaces or (ETH0,)
        self.mono_ns, self.seq = START_NS, 0
        self.unavailable: dict[str, str] = {}
        self._cells: dict[str, dict[Key, list[float]]] = {}
        self._rates: dict[tuple[str, Key, int], float] = {}
        for family, counters in STACK.items():
            for counter in counters:
                self._row(family, (counter,))
        for cpu in range(CPUS):
            for family in ("softnet", "softirqs", "cpu_times"):
                self._row(family, (cpu,))
        for table in ("arp_cache", "ndisc_cache"):
            self._row("neighbours", (table,))
        self._row("conntrack_events", ())
        for interface in self.interfaces:
            self._row(f"links/{interface.label}", (interface.label,))
            for family in ("xdp_exceptions", "xdp_redirect_errors", "qdiscs"):
                self._cells.setdefault(f"{family}/{interface.label}", {})
            for family in _TRAFFIC:
                for direction in ("rx", "tx"):
                    self._cells.setdefault(f"{family}/{interface.label}/{direction}", {})
        self._cells.setdefault("drops", {})

    def _row(self, name: str, key: Key) -> list[float]:
        family = FAMILIES[name.partition("/")[0]]
        cells = len(family.columns) * (CPUS if family.per_cpu else 1)
        return self._cells.setdefault(name, {}).setdefault(key, [0.0] * cells)

    def stack(self, **per_sec: float) -> World:
        """Set rates of stack counters, by their nstat names."""
        for counter, rate in per_sec.items():
            self.rate(family_of(counter), (counter,), "count", rate)
        return self

    def rate(self, name: str, key: Key, column: str, per_sec: float, cpu: int = 0) -> World:
        family = FAMILIES[name.partition("/")[0]]
        self._row(name, key)
        index = family.columns.index(column) * (CPUS if family.per_cpu else 1) + cpu
        self._rates[(name, key, index)] = per_sec
        return self

    def level(self, name: str, key: Key, **columns: int) -> World:
        family = FAMILIES[name.partition("/")[0]]
        row = self._row(name, key)
        for column, value in columns.items():
            row[family.columns.index(column)] = value
        return self

    def frames(
        self, family: str, *key: int | str, pps: float, size: int = 100, direction: str = "rx", cpu: int = 0,
        label: str = "eth0",
    ) -> World:  # fmt: skip
        """Set the rate of a cell of the traffic."""
        name, row = f"{family}/{label}/{direction}", (label, direction, *key)
        self.rate(name, row, "packets", pps, cpu)
        return self.rate(name, row, "bytes", pps * size, cpu)

    def quiet(self) -> World:
        self._rates.clear()
        return self

    def absent(self, name: str, why: str = "not here") -> World:
        """Remove the readings of a name."""
        self._cells.pop(name, None)
        self._rates = {key: rate for key, rate in self._rates.items() if key[0] != name}
        self.unavailable[name.partition("/")[0]] = why
        return self

    def facts(self, **changes: Any) -> World:
        self.interfaces = tuple(replace(interface, **changes) for interface in self.interfaces)
        return self

    def sample(self) -> Sample:
        readings = {}
        for name, rows in self._cells.items():
            counts = {key: [int(cell) for cell in row] for key, row in rows.items()}
            readings[name] = samples.reading(name.partition("/")[0], counts, read_ns=self.mono_ns)
        return samples.sample(
            self.mono_ns / 1e9, seq=self.seq, mono_ns=self.mono_ns, wall_ns=self.mono_ns, host="web-17", cpus=CPUS,
            interfaces=self.interfaces, readings=readings, unavailable=dict(self.unavailable),
        )  # fmt: skip

    def advance(self, seconds: float = 1.0) -> Sample:
        self.mono_ns += int(seconds * 1e9)
        self.seq += 1
        for (name, key, index), per_sec in self._rates.items():
            self._cells[name][key][index] += per_sec * seconds
        return self.sample()


class Watch:
    """A rule engine that checks the samples of a world."""

    def __init__(
        self, world: World, thresholds: Mapping[str, Mapping[str, float]] | None = None,
        rules: Sequence[Rule] | None = None,
    ) -> None:  # fmt: skip
        self.world, self.engine = world, RuleEngine(chosen(thresholds) if rules is None else rules)
        self.before: Sample | None = None
        self.now = Diagnosis()
        self._push(world.sample())

    def run(self, seconds: float, interval_s: float = 1.0) -> Diagnosis:
        for _ in range(round(seconds / interval_s)):
            self._push(self.world.advance(interval_s))
        return self.now

    def finding(self, rule: str) -> Finding | None:
        return next((f for f in self.now.findings if f.id == rule), None)

    @property
    def ids(self) -> list[str]:
        return [f.id for f in self.now.findings]

    def until(self, rule: str, seconds: float) -> float | None:
        """Return after how many seconds the finding is raised; None if it is not within ``seconds``."""
        for second in range(1, round(seconds) + 1):
            self.run(1)
            if self.finding(rule):
                return second
        return None

    def _push(self, sample: Sample) -> None:
        self.now = self.engine.push(sample, derive_snapshot(self.before, sample))
        self.before = sample
