"""The snapshot document: its schema, its numbers, and that unknown is null."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.resources import files
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from bpftop.export.snapshot.document import json_line, json_text
from bpftop.history.analyzer import Analyzer
from bpftop.history.history import History
from bpftop.model.derive import derive_snapshot
from bpftop.model.device import Bond, BondLeg, DeviceFacts, Irq, Queue
from bpftop.model.sample import Hook
from bpftop.model.snapshot import Snapshot
from bpftop.model.timestamps import rfc3339
from tests.export.moments import ETH0, OBSERVED, busy, moment, pair, parsed
from tests.rules.world import World
from tests.tui.fake_source import FakeSource

SCHEMA: dict[str, Any] = json.loads(files("bpftop.export.snapshot").joinpath("snapshot.schema.json").read_text())

BOND = DeviceFacts(
    firmware="8.30 0x8000a49d",
    ring={"rx": 512, "rx_max": 4096},
    rss={0: 64, 1: 64},
    numa_cpus=(0, 1),
    queues=(Queue("rx", 0, (0, 1)), Queue("tx", 0)),
    irqs=(Irq(24, "eth0-rx-0", (0, 1), (1,)),),
    bond=Bond("active-backup", "leg0", (BondLeg("leg0", True), BondLeg("leg1", False))),
    unreadable={"coalesce": "the driver has no such thing"},
)
MOMENTS = {
    "one interface": moment(),
    "no program": moment(OBSERVED),
    "several": moment(ETH0, OBSERVED, replace(ETH0, label="eth1", name="eth1", ifindex=3)),
    "first sample": derive_snapshot(None, pair()[1]),
    "only one direction counted": moment(replace(ETH0, hooks={"rx": ETH0.hooks["rx"], "tx": Hook()})),
    "renamed and gone": moment(replace(ETH0, name="wan0", state="gone")),
    "bond with its leg": moment(
        replace(ETH0, label="bond0", ifindex=9, kind="bond"), replace(ETH0, label="leg0", ifindex=4, master=9)
    ),
    "parts unavailable": moment(unavailable={"softnet": "/proc/net/softnet_stat: EACCES"}),
    "losses, devices and findings": busy(),
    "bond with its device": moment(replace(ETH0, facts=BOND)),
}


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("what", MOMENTS.values(), ids=MOMENTS)
def test_documents_fit_the_schema(what: Snapshot) -> None:
    Draft202012Validator(SCHEMA).validate(parsed(what))


@pytest.mark.parametrize("what", MOMENTS.values(), ids=MOMENTS)
def test_the_schema_describes_every_member(what: Snapshot) -> None:
    schema = json.loads(json.dumps(SCHEMA), object_hook=closed)
    Draft202012Validator(schema).validate(parsed(what))


def closed(node: dict[str, Any]) -> dict[str, Any]:
    return {**node, "additionalProperties": False} if "properties" in node and "required" in node else node


def test_top_level_and_order_are_the_contract() -> None:
    assert list(parsed(moment())) == [
        "schema", "tool", "taken_at", "interval_s", "counting_since", "host", "interfaces", "total", "losses",
        "loss_sums", "loss_peaks", "findings", "own", "unavailable",
    ]  # fmt: skip


def test_numbers_are_those_of_the_snapshot() -> None:
    whole = parsed(moment())
    eth0 = whole["interfaces"][0]
    assert (whole["taken_at"], whole["interval_s"]) == ("2025-11-26T03:12:44.123Z", 1.0)
    assert whole["counting_since"] == eth0["counting_since"] == "2025-11-26T03:12:43.123Z"
    assert eth0["hooks"]["rx"] == {
        "hook": "xdp", "mode": "native", "prog_id": 41, "ns_per_packet": 9.25, "batch": True
    }  # fmt: skip
    totals = {"packets": 1361, "bytes": 92098, "packets_per_sec": 1251.0, "bits_per_sec": 680784.0}
    assert eth0["totals"] == {"rx": totals, "tx": totals}
    tcp = {"packets": 1100, "bytes": 66000, "packets_per_sec": 1000.0, "bits_per_sec": 480000.0}
    assert eth0["protocols"][1] == {"direction": "rx", "name": "TCP", "number": 6, **tcp}
    cpu = eth0["cpus"][1]
    assert (cpu["direction"], cpu["cpu"], cpu["packets"], cpu["packets_per_sec"]) == ("rx", 1, 260, 250.0)
    assert [row["name"] for row in cpu["protocols"]] == ["UDP"]
    assert eth0["icmp_types"][0]["protocol"] == "icmp"
    assert eth0["icmp_types"][0]["type"] == 8


@pytest.mark.parametrize("direction", ["rx", "tx"])
def test_the_sums_agree(direction: str) -> None:
    eth0 = parsed(moment())["interfaces"][0]
    for measure, whole in eth0["totals"][direction].items():
        for rows in ("protocols", "cpus", "sizes"):
            assert sum(row[measure] for row in eth0[rows] if row["direction"] == direction) == whole, rows
        for cells in ("l3", "casts"):
            assert sum(cell[measure] for cell in eth0[cells][direction].values()) == whole, cells


def test_what_was_not_seen_is_zero_where_it_is_counted() -> None:
    eth0 = parsed(moment())["interfaces"][0]
    nothing = {"packets": 0, "bytes": 0, "packets_per_sec": 0.0, "bits_per_sec": 0.0}
    assert eth0["tcp_flags"]["rx"]["rst"] == eth0["l3"]["rx"]["ipv6"] == eth0["fragments"]["tx"]["later"] == nothing
    assert len(eth0["sizes"]) == 14


def test_unknown_is_null() -> None:
    first = parsed(derive_snapshot(None, pair()[1]))
    assert first["interval_s"] is None
    rates = first["interfaces"][0]["totals"]["rx"]
    assert (rates["packets"], rates["packets_per_sec"], rates["bits_per_sec"]) == (1361, None, None)
    assert first["interfaces"][0]["tcp_flags"]["rx"]["rst"]["packets_per_sec"] is None
    assert first["own"]["cpu_pct"] is None
    observed = parsed(moment(OBSERVED))["interfaces"][0]
    assert observed["hooks"]["rx"]["hook"] == "none"
    assert observed["tcp_flags"] == {"rx": None, "tx": None}
    assert observed["totals"]["rx"]["packets_per_sec"] == 10.0
    assert observed["counting_since"] is None


def test_an_interface_that_would_count_twice_is_named() -> None:
    total = parsed(MOMENTS["bond with its leg"])["total"]
    assert total["left_out"] == [{"interface": "leg0", "reason": "part of bond0"}]
    assert total["totals"]["rx"]["packets"] == 1361


def test_json_is_ascii_and_whole_lines() -> None:
    odd = moment(replace(ETH0, label="\x1b[31m\u202e\udcff", name="\x1b[31m"), host="h\nost")
    for text in (json_text(odd), json_line(odd)):
        assert text.isascii()
        assert text.endswith("\n")
        assert not any(ord(c) < 32 and c != "\n" for c in text)
        assert json.loads(text) == parsed(odd)
        assert json.loads(text)["interfaces"][0]["label"] == "\x1b[31m\u202e\\udcff"
    assert json_line(odd).count("\n") == 1


def test_timestamps_cut_and_never_round_up() -> None:
    assert rfc3339(999_999_999) == "1970-01-01T00:00:00.999Z"


def test_the_host_says_what_it_runs_and_which_limits_hold() -> None:
    host = parsed(busy())["host"]
    assert host["sysctls"] == {"net.core.netdev_max_backlog": 1000}
    assert host["kernel"] is None
    assert parsed(replace(busy(), kernel="6.18.0"))["host"]["kernel"] == "6.18.0"
    assert parsed(moment())["host"]["sysctls"] is None


def test_the_device_is_what_was_seen_of_it() -> None:
    assert parsed(moment())["interfaces"][0]["device"] is None
    device = parsed(MOMENTS["bond with its device"])["interfaces"][0]["device"]
    assert device["ring"] == {"rx": 512, "rx_max": 4096}
    assert device["rss"] == {"0": 64, "1": 64}
    assert device["queues"][1] == {"direction": "tx", "index": 0, "cpus": None}
    assert device["bond"]["legs"][1] == {"name": "leg1", "up": False}
    assert (device["channels"], device["coalesce"]) == (None, None)
    assert device["unreadable"] == [{"part": "coalesce", "reason": "the driver has no such thing"}]


def test_losses_are_the_stages_with_their_counters() -> None:
    rows = {(row["id"], row["interface"]): row for row in parsed(busy())["losses"]}
    backlog = rows["backlog", None]
    assert (backlog["kind"], backlog["scope"], backlog["title"]) == ("loss", "host", "backlog")
    assert (backlog["group"], rows["backlog_here", "eth0"]["group"]) == ("elsewhere", "lost")
    assert rows["udp_ports", None]["group"] == "refused"
    sums = parsed(busy())["loss_sums"]
    assert sums["elsewhere"] == 1200.0 - rows["backlog_here", "eth0"]["per_sec"]
    assert sums["refused"] == sum(row["per_sec"] or 0 for row in rows.values() if row["group"] == "refused")
    assert backlog["per_sec"] == 1200.0
    assert backlog["since_start"] == backlog["counters"][0]["value"] > 1200
    assert backlog["counters"][0]["name"] == "softnet_stat dropped"
    assert rows["wire", "eth0"]["scope"] == "interface"
    conntrack = rows["conntrack", None]
    assert (conntrack["per_sec"], conntrack["since_start"], conntrack["counters"][0]["value"]) == (None, None, None)
    assert "nf_conntrack_max" in conntrack["reason"]
    assert backlog["reason"] is None


def test_peaks_of_the_losses_outlast_the_losses() -> None:
    world, analyzer = World(), Analyzer()
    analyzer.push(world.sample())
    world.rate("softnet", (0,), "dropped", 900).stack(UdpNoPorts=50)
    analyzer.push(world.advance())
    world.quiet().rate("softnet", (0,), "dropped", 300)
    analyzer.push(world.advance())
    page = parsed(analyzer.push(world.quiet().advance()))
    assert set(page["loss_sums"].values()) <= {0.0, None}
    assert page["loss_peaks"]["elsewhere"] == {"per_sec": 900.0, "s_ago": 2.0}
    assert page["loss_peaks"]["refused"] == {"per_sec": 50.0, "s_ago": 2.0}
    assert page["loss_peaks"]["lost"] is None


def test_peak_of_the_host_is_without_the_part_of_the_interface() -> None:
    world, analyzer = World(), Analyzer()
    analyzer.push(world.sample())
    world.rate("softnet", (0,), "dropped", 900).rate("links/eth0", ("eth0",), "rx_dropped", 600)
    page = parsed(analyzer.push(world.advance()))
    for group in ("lost", "elsewhere"):
        assert page["loss_peaks"][group] == {"per_sec": page["loss_sums"][group], "s_ago": 0.0}
    assert (page["loss_sums"]["lost"], page["loss_sums"]["elsewhere"]) == (600.0, 300.0)


def test_a_stage_of_several_interfaces_has_a_row_for_each() -> None:
    rows = parsed(MOMENTS["several"])["losses"]
    assert [row["interface"] for row in rows if row["id"] == "wire"] == ["eth0", "lo", "eth1"]
    assert [row["interface"] for row in rows if row["id"] == "backlog"] == [None]


def test_without_a_second_reading_no_loss_is_called_zero() -> None:
    rows = {row["id"]: row for row in parsed(derive_snapshot(None, pair()[1]))["losses"]}
    assert rows["wire"]["per_sec"] is None
    assert rows["wire"]["reason"] == "no rate yet: the counter was read once, or began again at zero"


def test_losses_since_the_start_add_up_over_a_long_time() -> None:
    samples = list(FakeSource(cpus=2, count=200).samples())
    analyzer, history = Analyzer(()), History()
    for sample in samples:
        shown = analyzer.push(sample)
        on_screen = history.push(sample)
    first, last = (sum(row[1] or 0 for row in s.readings["softnet"].totals.values()) for s in (samples[0], samples[-1]))
    (backlog,) = (row for row in parsed(shown)["losses"] if row["id"] == "backlog")
    assert backlog["since_start"] == last - first > 0
    assert parsed(on_screen)["losses"] == parsed(shown)["losses"]
    past = parsed(history.at(100))["losses"]
    assert next(row["since_start"] for row in past if row["id"] == "backlog") < last - first
