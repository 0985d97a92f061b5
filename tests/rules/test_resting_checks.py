"""Checks whose inputs rest are not asked again: with any world, the diagnosis is the same as if they were."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from random import Random
from typing import Any

import pytest

from bpftop.model.derive import derive_snapshot
from bpftop.model.device import Bond, BondLeg, DeviceFacts, Irq
from bpftop.model.families import FAMILIES
from bpftop.model.sample import Key, Sample
from bpftop.model.stack_counters import STACK
from bpftop.rules.engine import RuleEngine
from bpftop.rules.rule import Raised, Rule, RuleInput
from bpftop.rules.table import RULES
from tests import samples
from tests.rules.world import ETH0, Watch, World

TICKS = 300
LABELS = ("eth0", "eth1")

_ROWS: tuple[tuple[str, Key], ...] = (
    *((name, (counter,)) for name, counters in STACK.items() for counter in counters),
    *((f"links/{label}", (label,)) for label in LABELS),
    *(("softnet", (cpu,)) for cpu in (0, 1)),
    *(("neighbours", (table,)) for table in ("arp_cache", "ndisc_cache")),
    *(("drops", (label, reason)) for label in (*LABELS, "") for reason in
      ("NETFILTER_DROP", "TC_INGRESS", "TC_EGRESS", "VXLAN_VNI_NOT_FOUND", "NEIGH_FAILED", "IP_INHDR")),
    *((f"qdiscs/{label}", (label, "pfifo", "1:")) for label in LABELS),
    *((f"xdp_exceptions/{label}", (label, 7, "ABORTED")) for label in LABELS),
    *((f"xdp_redirect_errors/{label}", (label, 7, "EINVAL")) for label in LABELS),
    ("conntrack_events", ()),
    ("rejected_sends", ("4", "sent")),
    ("rejected_sends", ("4", "forwarded")),
)  # fmt: skip
_LEVELS: tuple[tuple[str, Key], ...] = (
    ("conntrack", ()),
    ("socket_memory", ()),
    ("sockstat", ()),
    *(("sysctls", (f"net.ipv4.tcp_{name}",)) for name in ("mem.pressure", "mem.max", "max_orphans")),
    ("stalled_sockets", ("4", "192.0.2.9", 80, 5, "client[7]")),
    ("timed_out_sockets", ("4", "192.0.2.9", 80, 5, "client[7]")),
    ("connecting_sockets", ("4", "192.0.2.9", 80, 5, "client[7]")),
    ("unresolved_neighbours", ("eth0", "192.0.2.1", "gateway")),
    ("address_moves", ("bridge", "br0", "02:00:00:00:00:01", "eth0", "eth1")),
    ("address_claims", ("own", "eth0", "192.0.2.1", "02:00:00:00:00:01", "this host")),
    ("port_use", ("4", "192.0.2.2", "192.0.2.9", 80)),
    ("refused_ports", ("TCP odd flags", 0)),
    ("closed_ports", ("UDP", 53)),
    ("bpf_maps", (4, "hash", "sessions", "agent[3]")),
    ("bpf_programs", (4, "xdp", "filter", "eth0", "agent[3]")),
)
_TRAFFIC: tuple[tuple[str, Key], ...] = (
    *(("protocols", (number,)) for number in (1, 2, 6, 17, 58, 256, 257, 258, 259)),
    *(("tcp_flags", (flag,)) for flag in ("syn", "syn_ack", "rst")),
    ("icmp_types", ("icmpv6", 135)),
    ("fragments", ("first",)),
    ("udp_ports", (53,)),
    ("joint", ("ipv4", "broadcast", "64")),
)
_DEVICES: tuple[Mapping[str, Any], ...] = (
    {"admin_up": True, "carrier": False},
    {"admin_up": True, "carrier": True},
    {"speed_bits_per_sec": 1_000_000},
    {"speed_bits_per_sec": None},
    {"facts": DeviceFacts(bond=Bond("802.3ad", None, (BondLeg("eth4", True), BondLeg("eth5", False))))},
    {"facts": DeviceFacts(bond=Bond("802.3ad", None, (BondLeg("eth4", True), BondLeg("eth5", True))))},
    {"facts": DeviceFacts(numa_node=0, numa_cpus=(0,), irqs=(Irq(9, "eth0", (1,), (1,)),))},
    {"facts": DeviceFacts(irqs=())},
)
RATES = (0, 0, 0, 0.4, 3, 40, 900, 20_000)


def _change(random: Random, world: World) -> None:
    """Let one to three inputs move at another rate, have another level, or rest."""
    for _ in range(random.randint(1, 3)):
        kind = random.random()
        if kind < 0.45:
            inputs = random.choice(RULES).woken_by
            rows = [row for row in _ROWS if random.random() < 0.02 or any(map(partial(_is_row_of, *row), inputs))]
            for name, key in rows:
                column = random.choice(FAMILIES[name.partition("/")[0]].columns)
                world.rate(name, key, column, random.choice(RATES))
        elif kind < 0.7:
            name, key = random.choice(_LEVELS)
            columns = FAMILIES[name].columns
            world.level(name, key, **{random.choice(columns): random.choice((0, 1, 3, 20, 900, 20_000))})
        elif kind < 0.72:
            world.facts(**random.choice(_DEVICES))
        elif kind < 0.95:
            family, traffic_key = random.choice(_TRAFFIC)
            label, direction = random.choice(LABELS), random.choice(("rx", "rx", "tx"))
            rate = random.choice(RATES)
            for part, row in ((family, traffic_key), ("protocols", traffic_key if family == "protocols" else (6,))):
                world.rate(f"{part}/{label}/{direction}", (label, direction, *row), "packets", rate)
        elif kind < 0.97:
            world.quiet()
        else:
            world.absent(random.choice(("conntrack_events", "drops", "nic")), "somebody took it away")


def _is_row_of(name: str, key: Key, rule_input: str) -> bool:
    return rule_input.partition(".")[0] in (name.partition("/")[0], *map(str, key[:1]))


@pytest.mark.parametrize("seed", range(12))
def test_diagnosis_is_the_same_as_if_all_were_asked(seed: int) -> None:
    random = Random(seed)
    world = World(ETH0, samples.interface("eth1", 3, driver="veth", hooks=samples.HOOKS))
    resting = RuleEngine(RULES)
    asking = RuleEngine(tuple(replace(rule, woken_by=()) for rule in RULES))
    before: Sample | None = None
    sample = world.stack(TcpExtTCPOrigDataSent=2_000, TcpInSegs=2_000).sample()
    for tick in range(TICKS):
        snapshot = derive_snapshot(before, sample)
        assert resting.push(sample, snapshot) == asking.push(sample, snapshot), f"tick {tick}"
        if random.random() < 0.2:
            _change(random, world)
        before, sample = sample, world.advance(random.choice((0.2, 1.0, 1.0, 1.0, 2.5)))


def test_check_rests_with_its_inputs() -> None:
    asked: list[str] = []
    rules = tuple(replace(rule, check=_noting(rule, asked)) for rule in RULES)
    watch = Watch(World(), rules=rules)
    watch.run(20)
    asked.clear()
    watch.run(10)
    assert set(asked) == {rule.id for rule in RULES if not rule.woken_by}
    watch.world.stack(TcpRetransSegs=1)
    watch.run(1)
    assert "tcp-retransmits" in asked


def _noting(rule: Rule, asked: list[str]) -> Callable[[RuleInput], Raised | None]:
    def check(rule_input: RuleInput) -> Raised | None:
        asked.append(rule.id)
        return rule.check(rule_input)

    return check
