"""Flows with both directions in a row: groups, shares that add up, and the sentence about what they have in common."""

from __future__ import annotations

import csv
import io

import pytest

from bpftop.export.flows.flows_document import flows_csv, flows_markdown, flows_table
from bpftop.fields import replace
from bpftop.model.derive import derive_snapshot
from bpftop.model.sample import DIRECTIONS, Interface, Key, Reading, reading_key
from bpftop.model.snapshot import Snapshot
from bpftop.render.flows.flow_pairs import NO_CONTAINER, PAIR_GROUPS, FlowPair, PairBy
from bpftop.render.flows.flow_readings import UNKNOWN_PROCESS, FlowOwner
from bpftop.render.flows.flow_top import REST, flow_top
from tests.samples import SECOND_NS, interface, packed, sample

HOST = "198.18.0.1"
# remote address and port, local port, protocol, bytes per second received and sent
FLOWS = (
    ("203.0.113.1", 50001, 443, 6, 1000, 9000),
    ("203.0.113.2", 50002, 443, 6, 2000, 100),
    ("203.0.113.3", 53, 40000, 17, 500, 50),
    ("203.0.113.4", 0, 0, 47, 300, 0),
)
OWNERS = {443: ("nginx", 812, "www-data", "docker 0123456789ab", ""), 40000: ("resolve", 90, "root", "", "")}


def moment(*, counted: int = 10_000, sources: int | None = 61_000) -> Snapshot:
    """Return a snapshot in which the interface carried ``counted`` bytes a second in each direction.

    ``sources``: number of sources that send to TCP port 443; None: not counted, as in old recordings.
    """
    one = interface("eth0")
    before, after = (
        sample(tick + 1, interfaces=(one,), cpus=1, readings=_readings(one, tick, counted, sources)) for tick in (0, 1)
    )
    return derive_snapshot(before, after)


def _readings(one: Interface, tick: int, counted: int, sources: int | None) -> dict[str, Reading]:
    readings: dict[str, Reading] = {}
    at_ns = (tick + 1) * SECOND_NS
    for direction in DIRECTIONS:
        where = one.label, direction
        rows: dict[Key, int] = {}
        for remote, rport, lport, number, received, sent in FLOWS:
            ends = (remote, HOST, rport, lport) if direction == "rx" else (HOST, remote, lport, rport)
            if amount := received if direction == "rx" else sent:
                flow: Key = (*where, *ends, number)
                rows[flow] = amount
        cells = [cell for amount in rows.values() for cell in (tick * amount // 100, tick * amount)]
        readings[reading_key("flows", *where)] = packed("flows", tuple(rows), cells, read_ns=at_ns)
        named = {key: OWNERS[port] for key in rows if (port := int(key[5 if direction == "rx" else 4])) in OWNERS}
        cells = [1 if direction == "rx" else 0] + [0] * 6
        readings[reading_key("flow_sockets", *where)] = packed(
            "flow_sockets", tuple((*key, *owner) for key, owner in named.items()), cells * len(named), read_ns=at_ns
        )
        readings[reading_key("flow_table", *where)] = packed(
            "flow_table", (where,), [61_000, 65_536, 0, 1, 0, 0], read_ns=at_ns
        )
        ports = {"TCP 443": 3000, "UDP 40000": 500, "GRE": 300}
        readings[reading_key("flow_groups", *where)] = packed(
            "flow_groups",
            tuple((*where, "destination_port", port) for port in ports),
            [cell for amount in ports.values() for cell in (tick * amount // 100, tick * amount)],
            read_ns=at_ns,
        )
        if sources is not None:
            readings[reading_key("flow_sources", *where)] = packed(
                "flow_sources", tuple((*where, port) for port in ports), [sources, 1, 1], read_ns=at_ns
            )
        readings[reading_key("protocols", *where)] = packed(
            "protocols", ((*where, 6),), [tick * counted // 100, tick * counted], read_ns=at_ns
        )
    return readings


def test_a_row_has_both_directions() -> None:
    shot = moment()
    top = flow_top(shot, shot.interfaces[0], "flow", 10)
    first = top.rows[0]
    assert first.name == "TCP 198.18.0.1:443 203.0.113.1:50001"
    assert (first.rx.bits_per_sec, first.tx.bits_per_sec) == (8000, 72000)
    assert (first.rx.bytes, first.tx.bytes) == (1000, 9000)
    assert first.owner is not None
    assert first.owner.name == "nginx[812]"
    assert [row.bits_per_sec for row in top.rows] == sorted((row.bits_per_sec for row in top.rows), reverse=True)


@pytest.mark.parametrize("by", PAIR_GROUPS)
@pytest.mark.parametrize("most", [1, 2, 100])
@pytest.mark.parametrize("counted", [10_000, 20_000])
def test_shares_add_up(by: PairBy, most: int, counted: int) -> None:
    shot = moment(counted=counted)
    top = flow_top(shot, shot.interfaces[0], by, most)
    assert sum(row.share or 0 for row in (*top.rows, top.rest)) == pytest.approx(1)
    assert sum(row.rx.bytes for row in (*top.rows, top.rest)) == top.total.rx.bytes == counted
    assert top.rest.name == REST


@pytest.mark.parametrize(
    ("by", "names"),
    [
        ("address", ["203.0.113.1", "203.0.113.2", "203.0.113.3", "203.0.113.4"]),
        ("port", ["TCP 443", "GRE", "UDP 53"]),
        ("process", ["nginx[812]", "resolve[90]", UNKNOWN_PROCESS]),
        ("container", ["docker 0123456789ab", NO_CONTAINER]),
    ],
)
def test_groups(by: PairBy, names: list[str]) -> None:
    shot = moment()
    top = flow_top(shot, shot.interfaces[0], by, 10)
    assert [row.name for row in top.rows] == names
    assert sum(row.flows for row in top.rows) == len(FLOWS)
    assert "nginx[812]" in top.rows[0].owners


def test_the_port_is_that_of_the_service() -> None:
    """A client's own port is chosen at random; without a listening socket the lower port is the service's."""
    assert FlowPair("", local=("a", 40000), remote=("b", 53)).service_port == 53
    assert FlowPair("", local=("a", 443), remote=("b", 40000)).service_port == 443


def test_an_unconnected_client_offers_no_service() -> None:
    """A UDP socket that was never connected takes packets of anybody, a resolver's or QUIC client's too."""
    owner = FlowOwner("resolve", 90, "root", "", "", is_listening=True)

    def offers(protocol: str, local: int, remote: int) -> tuple[bool, int]:
        pair = FlowPair("", local=("a", local), remote=("b", remote), protocol=protocol, owner=owner)
        return pair.is_offered_here, pair.service_port

    assert offers("UDP", 40000, 53) == (False, 53)
    assert offers("UDP", 53, 40000) == (True, 53)
    assert offers("UDP", 51820, 51821) == (True, 51820)
    assert offers("UDP", 51820, 40000) == (True, 51820)
    assert offers("UDP", 5353, 53) == (True, 5353)
    assert offers("TCP", 40000, 53) == (True, 40000)


def test_a_group_by_process_is_that_process() -> None:
    shot = moment()
    (first, *_) = flow_top(shot, shot.interfaces[0], "process", 10).rows
    assert first.owner == FlowOwner("nginx", 812, "www-data", "docker 0123456789ab", "", is_listening=False)
    (row, *_) = csv.DictReader(io.StringIO(flows_csv(shot, "process", 10)))
    assert (row["process"], row["pid"], row["user"], row["service"]) == (
        "nginx", "812", "www-data", "docker 0123456789ab",
    )  # fmt: skip
    line = flows_table(shot, "process", 10).splitlines()[2]
    assert line.endswith("nginx[812]".ljust(47) + " www-data, docker…")


def test_a_missing_privilege_is_one_line() -> None:
    why = "some processes are not known: that takes CAP_SYS_PTRACE: run it with sudo"
    shot = replace(moment(), unavailable={f"flow_sockets/eth0/{direction}": why for direction in DIRECTIONS})
    assert flows_table(shot, "flow", 10).splitlines()[-1] == f"unavailable: flow_sockets/eth0/rx: {why}"
    for text in (flows_table(shot, "flow", 10), flows_markdown(shot, "flow", 10)):
        assert text.count("that takes CAP") == 1


def test_the_sentence_names_port_share_and_process() -> None:
    def sentence(shot: Snapshot) -> str:
        return flow_top(shot, shot.interfaces[0], "flow", 10).sentence

    said = "to TCP port 443, 77 % of RX, process nginx[812]"
    assert sentence(moment(counted=3900)) == f"61.0 k sources {said}"
    assert sentence(moment(counted=3900, sources=None)) == f"at least 2 sources {said}"
    assert sentence(moment(counted=100_000)) == ""


def test_packets_without_flows_have_no_sentence() -> None:
    """ARP alone: packets are counted, and the flow tables stay empty."""
    one = interface("eth0")
    samples = [
        sample(tick + 1, interfaces=(one,), cpus=1, readings={
            reading_key("protocols", "eth0", "rx"): packed(
                "protocols", (("eth0", "rx", 256),), [tick, 60 * tick], read_ns=(tick + 1) * SECOND_NS
            ),
            reading_key("flow_groups", "eth0", "rx"): packed("flow_groups", (), [], read_ns=(tick + 1) * SECOND_NS),
        })
        for tick in (0, 1)
    ]  # fmt: skip
    arp = derive_snapshot(*samples)
    assert arp.interfaces[0].rx.totals.packets_per_sec == 1
    assert flow_top(arp, arp.interfaces[0], "flow", 10).sentence == ""


def test_without_rates_nothing_is_shared() -> None:
    first = sample(0)
    shot = derive_snapshot(None, first)
    top = flow_top(shot, shot.interfaces[0], "flow", 10)
    assert (top.rows, top.rest.share, top.sentence) == ((), None, "")
