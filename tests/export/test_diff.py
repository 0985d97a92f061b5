"""Two moments side by side: order, factors, the schema, settings that changed, and files that are no snapshots."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from bpftop.errors import BpftopError
from bpftop.export.diff.diff_document import ROWS, DiffRow, DiffSide, change_of, diff_json, diff_text
from bpftop.export.diff.snapshot_file import read_snapshot
from bpftop.export.snapshot.document import json_line, json_text
from bpftop.model.derive import derive_snapshot
from bpftop.model.device import DeviceFacts
from bpftop.render.cell_words import cell_words
from bpftop.render.comparison import RowDifference, compare
from tests.export.moments import ETH0, OBSERVED, moment, pair, parsed

SCHEMA: dict[str, Any] = json.loads(files("bpftop.export.diff").joinpath("diff.schema.json").read_text())


def named(name: str, document_: dict[str, Any]) -> DiffSide:
    return DiffSide(name, json.loads(json.dumps(document_)))


def busier() -> dict[str, Any]:
    """Return the usual moment with ten times the TCP, no ICMP, and a new protocol."""
    whole = deepcopy(parsed(moment()))
    eth0 = whole["interfaces"][0]
    udp, tcp, icmp = (
        next(row for row in eth0["protocols"] if (row["direction"], row["name"]) == ("rx", name))
        for name in ("UDP", "TCP", "ICMP")
    )
    tcp["packets_per_sec"], icmp["packets_per_sec"] = 10_000.0, 0.0
    eth0["protocols"].append({**udp, "name": "GRE", "number": 47})
    return whole


def rows(text: str) -> dict[tuple[str, ...], dict[str, Any]]:
    whole = json.loads(text)
    Draft202012Validator(SCHEMA).validate(whole)
    names = ("interface", "direction", "family", "label", "cpu", "measure")
    found = {tuple(row[name] for name in names): row for row in whole["rows"]}
    assert len(found) == len(whole["rows"])
    return found


def test_the_schema_is_a_schema_and_names_every_member() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    closed = json.loads(json.dumps(SCHEMA), object_hook=lambda node: (
        {**node, "additionalProperties": False} if "properties" in node and "required" in node else node
    ))  # fmt: skip
    Draft202012Validator(closed).validate(
        json.loads(diff_json(named("a", parsed(moment())), named("b", parsed(moment(ETH0, OBSERVED)))))
    )


def test_factor_and_difference_of_every_row() -> None:
    found = rows(diff_json(named("a.json", parsed(moment())), named("b.json", busier())))
    tcp = found["eth0", "rx", "protocols", "TCP", "", "packets_per_sec"]
    assert (tcp["before"], tcp["after"], tcp["factor"], tcp["difference"]) == (1000.0, 10_000.0, 10.0, 9000.0)
    gre = found["eth0", "rx", "protocols", "GRE", "", "packets_per_sec"]
    assert (gre["before"], gre["after"], gre["factor"], gre["difference"]) == (None, 250.0, None, None)
    icmp = found["eth0", "rx", "protocols", "ICMP", "", "packets_per_sec"]
    assert (icmp["factor"], icmp["difference"]) == (0.0, -1.0)
    same = found["eth0", "tx", "total", "", "", "bits_per_sec"]
    assert (same["factor"], same["difference"]) == (1.0, 0.0)


def test_what_changed_most_comes_first() -> None:
    whole = json.loads(diff_json(named("a", parsed(moment())), named("b", busier())))
    packets = [abs(row["difference"] or 0) for row in whole["rows"] if row["measure"] == "packets_per_sec"]
    assert packets == sorted(packets, reverse=True)
    assert whole["rows"][0]["label"] == "TCP"
    order = compare({"a": 1.0, "b": 1e6, "c": 0.0}, {"a": 10.0, "b": 1.0, "d": 5.0})
    assert [change.row for change in order][:2] == ["b", "a"]


def test_the_text_says_the_same() -> None:
    text = diff_text(named("a", parsed(moment())), named("b", busier()))
    lines = text.splitlines()
    assert lines[0] == "web-17 2025-11-26T03:12:44.123Z  ->  web-17 2025-11-26T03:12:44.123Z"
    assert lines[1] == "New: eth0 RX GRE (0 pps -> 250 pps); in all 1 new, 1 gone, 1 grown."
    assert [line.split()[:4] for line in lines[4:7]] == [
        ["new", "eth0", "RX", "GRE"], ["gone", "eth0", "RX", "ICMP"], ["grown", "eth0", "RX", "TCP"]
    ]  # fmt: skip
    assert lines[6].split("TCP")[1].split() == [
        "1.00", "kpps", "10.0", "kpps", "10", "480", "kb/s", "480", "kb/s"
    ]  # fmt: skip
    same = diff_text(named("a", parsed(moment())), named("b", parsed(moment())))
    assert same.splitlines()[1] == "Nothing changed by more than 10 %."


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        (None, 5.0, "new"), (0.0, 5.0, "new"), (5.0, 0.0, "gone"), (5.0, None, "gone"), (100.0, 111.0, "unchanged"),
        (100.0, 112.0, "grown"), (112.0, 100.0, "shrunk"), (1.0, 2.0, "unchanged"), (0.0, 0.0, "unchanged"),
        (None, 0.0, "unchanged"), (None, None, "unknown"),
    ],
)  # fmt: skip
def test_changes_in_words(before: float | None, after: float | None, change: str) -> None:
    row = DiffRow("eth0", "rx", "protocols", "TCP", "", "packets_per_sec")
    assert change_of(RowDifference(row, before, after)) == change


def test_rows_have_words_for_people() -> None:
    text = diff_text(named("a", parsed(moment())), named("b", parsed(moment())), every_row=True)
    for words in (
        "eth0 RX all packets ", "eth0 RX packets of <=64 bytes ", "eth0 RX broadcast packets ", "eth0 RX IPv4 packets ",
        "eth0 RX TCP SYN ", "eth0 TX ICMP echo request ",
        "eth0 RX UDP port 53 ", "eth0 TX frames with 1 VLAN tag ", "eth0 RX all packets on CPU 1 ", "lost: backlog ",
    ):  # fmt: skip
        assert words in text
    assert cell_words("icmp_types", "icmpv6 135") == "ICMPv6 neighbour solicitation"
    assert cell_words("icmp_types", "icmp 42") == "ICMP type 42"


def test_the_text_is_bounded_and_says_what_it_leaves_out() -> None:
    twice = parsed(moment(*(replace(ETH0, label=f"e{i}", name=f"e{i}", ifindex=9 + i) for i in range(4))))
    nothing = parsed(moment(OBSERVED))
    lines = diff_text(named("a", nothing), named("b", twice)).split("\n\n")[-1].splitlines()
    assert len(lines) == 1 + ROWS + 1
    assert lines[-1].endswith(" more rows changed less, or not by more than 10 % (--all)")
    assert {line.split()[0] for line in lines[1:-1]} <= {"new", "gone"}


def test_settings_that_changed_are_named() -> None:
    was = moment(replace(ETH0, facts=DeviceFacts(ring={"rx": 256, "rx_max": 4096}, features=("rx-gro",))))
    now = moment(replace(ETH0, mtu=9000, facts=DeviceFacts(ring={"rx": 4096, "rx_max": 4096}, features=("rx-gro",))))
    before, after = parsed(was), parsed(now)
    before["host"]["kernel"], after["host"]["kernel"] = "6.1.0", "6.18.0"
    before["host"]["sysctls"], after["host"]["sysctls"] = {"net.core.somaxconn": 128}, {"net.core.somaxconn": 4096}
    whole = json.loads(diff_json(named("a", before), named("b", after)))
    found = {(one["interface"], one["name"]): (one["before"], one["after"]) for one in whole["settings"]}
    assert found == {
        ("", "kernel"): ("6.1.0", "6.18.0"),
        ("", "net.core.somaxconn"): ("128", "4096"),
        ("eth0", "mtu"): ("1500", "9000"),
        ("eth0", "ring rx"): ("256", "4096"),
    }
    text = diff_text(named("a", before), named("b", after))
    assert "eth0 ring rx: 256 -> 4096\n" in text
    assert "\nkernel: 6.1.0 -> 6.18.0\n" in text


def test_of_features_those_that_were_switched_are_named() -> None:
    was, now = (
        parsed(moment(replace(ETH0, facts=DeviceFacts(features=names))))
        for names in (("rx-gro", "rx-lro", "tx-nocache-copy"), ("rx-gro", "rx-hashing"))
    )
    assert "eth0 features: -rx-lro -tx-nocache-copy +rx-hashing\n" in diff_text(named("a", was), named("b", now))


def test_an_old_snapshot_without_host_context_compares() -> None:
    """Members of ``/1`` that came later."""
    old = parsed(moment())
    del old["losses"], old["host"]["sysctls"], old["interfaces"][0]["device"]
    found = rows(diff_json(named("a", old), named("b", parsed(moment()))))
    total = found["eth0", "rx", "total", "", "", "packets_per_sec"]
    assert (total["before"], total["after"]) == (1251.0, 1251.0)
    lost = {row[3]: (change["before"], change["after"]) for row, change in found.items() if row[2] == "losses"}
    assert lost
    assert all(before is None for before, _ in lost.values())


def test_a_first_sample_has_no_rates_and_still_compares() -> None:
    first = parsed(derive_snapshot(None, pair()[1]))
    found = rows(diff_json(named("a", first), named("b", parsed(moment()))))
    total = found["eth0", "rx", "total", "", "", "packets_per_sec"]
    assert (total["before"], total["after"], total["factor"], total["difference"]) == (None, 1251.0, None, None)


def write(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def test_a_snapshot_comes_back_from_its_file(tmp_path: Path) -> None:
    assert read_snapshot(write(tmp_path / "a", json_text(moment()))) == json.loads(json_text(moment()))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is no whole snapshot: it ends or is garbled at line 1"),
        (json_text(moment())[:2000], "is no whole snapshot: it ends or is garbled at line "),
        (json_line(moment()) * 2, "is no whole snapshot: something follows the document"),
        ("root:x:0:0:root:/root:/bin/bash\n", "is no whole snapshot: it ends or is garbled at line 1"),
        ("[" * 100_000, "is no whole snapshot: it is no JSON"),
        ('{"schema": "bpftop.snapshot/1", "x": NaN}', "is no whole snapshot: it is no JSON"),
        ("[1]", "is no snapshot of bpftop: it names no schema"),
        ('{"schema": "bpftop.bench/1"}', "is no snapshot of bpftop: its schema is 'bpftop.bench/1'"),
        ('{"schema": "bpftop.snapshot/2"}', "was written by another bpftop (version 2 of the document"),
        ("\udc80", "is no whole snapshot: it is no JSON"),
    ],
)  # fmt: skip
def test_what_is_no_snapshot_is_said_in_one_line(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(BpftopError) as caught:
        read_snapshot(str(path))
    assert str(caught.value).startswith(f"{path} {says}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "broken",
    [
        lambda whole: whole.pop("interfaces"),
        lambda whole: whole.pop("host"),
        lambda whole: whole.update(host=[]),
        lambda whole: whole.update(taken_at=7),
        lambda whole: whole.update(interfaces=3),
        lambda whole: whole["interfaces"][0].pop("protocols"),
        lambda whole: whole["interfaces"][0]["protocols"][0].update(packets_per_sec="many"),
        lambda whole: whole["interfaces"][0].update(hooks=None),
        lambda whole: whole.update(losses=[7]),
    ],
)
def test_a_document_that_lacks_something_is_one_line(broken: Any) -> None:
    whole = parsed(moment())
    broken(whole)
    with pytest.raises(BpftopError, match=r"^a\.json is no whole snapshot: [^\n]*$"):
        diff_json(named("a.json", whole), named("b.json", parsed(moment())))
