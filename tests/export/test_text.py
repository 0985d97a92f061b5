"""The formats for people and spreadsheets, samples as lines, and that no name can drive a terminal."""

from __future__ import annotations

import csv
import io
import json
from array import array
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpftop.export.snapshot.document import document
from bpftop.export.snapshot.snapshot_csv import COLUMNS, csv_rows
from bpftop.export.snapshot.text import table, tick_lines
from bpftop.model.derive import derive_snapshot
from bpftop.model.escaping import escaped_text
from bpftop.model.sample import Hook, Interface, Reading, Sample
from bpftop.store.encoding.sample_lines import sample_line
from tests.export.moments import ETH0, OBSERVED, moment, pair

PAGE = """\
web-17  2025-11-26T03:12:44.123Z  rates over 1.00 s

eth0  rx xdp native, tx tcx  9/14 ns/pkt  since 2025-11-26T03:12:43Z
Protocol           RX pps   RX bit/s  share           TX pps   TX bit/s    mean
all packets        1.25 k   681 kb/s  ███████ 100 %   1.25 k   681 kb/s    68 B
TCP                1.00 k   480 kb/s  █████▋   80 %   1.00 k   480 kb/s    60 B
  SYN                 100  48.0 kb/s  ▌         8 %      100  48.0 kb/s    60 B
  other TCP           900   432 kb/s  █████    72 %      900   432 kb/s    60 B
UDP                   250   200 kb/s  █▍       20 %      250   200 kb/s   100 B
ICMP                    1    784 b/s           <1 %        1    784 b/s    98 B

Packets of         RX pps   RX bit/s  share           TX pps   TX bit/s    mean
<=64 bytes         1.00 k   480 kb/s  █████▋   80 %   1.00 k   480 kb/s    60 B
65-127 bytes          251   201 kb/s  █▍       20 %      251   201 kb/s   100 B

Network layer      RX pps   RX bit/s  share           TX pps   TX bit/s    mean
IPv4 packets       1.25 k   681 kb/s  ███████ 100 %   1.25 k   681 kb/s    68 B

Cast               RX pps   RX bit/s  share           TX pps   TX bit/s    mean
unicast packets    1.00 k   480 kb/s  █████▋   80 %   1.00 k   480 kb/s    60 B
broadcast packets     251   201 kb/s  █▍       20 %      251   201 kb/s   100 B

  CPU      pps      bit/s  share         softirq  top protocols
    0   1.00 k   481 kb/s  █████▋   80 %       -  TCP 100 %  ICMP <1 %
    1      250   200 kb/s  █▍       20 %       -  UDP 100 %

own cost: 1.2 % of a CPU, 38.0 MiB, 0.08 ms in map reads
"""

LINES = """\
time (UTC)  interface  RX pps    RX bit/s    TX pps    TX bit/s  LOST pps  finding, or protocols of RX
03:12:44.1  eth0       1.25 k    681 kb/s  1.25 k    681 kb/s         0  TCP 80 %
03:12:44.1  lo             10   8.00 kb/s       5   4.00 kb/s         0
"""


def test_a_page() -> None:
    assert table(moment()) == PAGE


def test_a_page_fits_80_columns() -> None:
    page = table(moment(ETH0, OBSERVED, replace(ETH0, label="fifteen-chars-x", name="fifteen-chars-x", ifindex=7)))
    assert max(map(len, page.splitlines())) <= 80
    assert "total of the interfaces" in page


def test_a_page_says_what_is_unknown_or_missing() -> None:
    page = table(derive_snapshot(None, pair()[1]))
    assert "rates over -" in page
    assert page.splitlines()[4].split() == ["all", "packets", "-", "-", "-", "-", "-", "-"]
    bond, leg = replace(ETH0, label="bond0", ifindex=9, kind="bond"), replace(ETH0, label="leg0", ifindex=4, master=9)
    assert "without leg0: part of bond0" in table(moment(bond, leg))
    assert "unavailable: softnet: EACCES" in table(moment(unavailable={"softnet": "EACCES"}))
    assert "eth0 (wan0)  gone  rx xdp" in table(moment(replace(ETH0, name="wan0", state="gone")))


def test_a_line_per_interface_and_tick() -> None:
    assert tick_lines(moment(ETH0, OBSERVED), first=True) == LINES
    assert tick_lines(moment(ETH0, OBSERVED), first=False) == LINES.split("\n", 1)[1]


def test_the_line_of_an_interface_that_is_away_says_so() -> None:
    assert tick_lines(moment(replace(ETH0, state="gone")), first=False).endswith("  gone\n")


def test_csv_is_the_long_form_of_the_document() -> None:
    whole = moment(ETH0, OBSERVED)
    text = csv_rows(whole, first=True)
    rows = list(csv.DictReader(io.StringIO(text)))
    assert text.splitlines()[0] == ",".join(COLUMNS)
    assert csv_rows(whole, first=False) == text.split("\n", 1)[1]
    assert rows == [{**row, "taken_at": "2025-11-26T03:12:44.123Z", "host": "web-17"} for row in rows]
    eth0 = document(whole)["interfaces"][0]
    cells = {(r["interface"], r["direction"], r["family"], r["label"], r["cpu"]): r for r in rows}
    assert len(cells) == len(rows)
    assert cells["eth0", "rx", "protocols", "TCP", ""]["bits_per_sec"] == "480000.0"
    assert cells["eth0", "rx", "cpus", "UDP", "1"]["packets"] == "260"
    assert cells["eth0", "tx", "sizes", "<=64", ""]["packets"] == str(eth0["sizes"][7]["packets"])
    assert cells["eth0", "rx", "icmp_types", "icmp 8", ""]["packets"] == "1"
    assert cells["", "rx", "total", "", ""]["packets"] == str(document(whole)["total"]["totals"]["rx"]["packets"])


def test_csv_leaves_the_unknown_empty() -> None:
    rows = list(csv.DictReader(io.StringIO(csv_rows(derive_snapshot(None, pair()[1])))))
    assert {row["packets_per_sec"] for row in rows} == {""}
    assert rows[0]["packets"] == "1361"


@pytest.mark.parametrize("interface", [ETH0, OBSERVED, replace(ETH0, label="\x1b]0;x\x07", notices=("a\nb",))])
def test_samples_come_back_from_their_lines(interface: Interface) -> None:
    sample = pair(interface, unavailable={"softnet": "EACCES"})[1]
    text = sample_line(sample)
    assert text.isascii()
    assert text.count("\n") == 1
    assert _read_back(json.loads(text)) == sample


def test_a_byte_that_is_not_utf_8_comes_back_as_text() -> None:
    line = sample_line(pair(replace(ETH0, label="v\udc9b"))[1])
    assert _read_back(json.loads(line)) == pair(replace(ETH0, label="v\\udc9b"))[1]


def _read_back(whole: dict[str, Any]) -> Sample:
    assert (whole.pop("schema"), whole.pop("tool")["name"]) == ("bpftop.sample/1", "bpftop")
    readings = {
        name: Reading(
            **{
                **reading,
                "keys": tuple(map(tuple, reading["keys"])),
                "values": array("Q", reading["values"]),
                "missing": frozenset(reading["missing"]),
            }
        )
        for name, reading in whole.pop("readings").items()
    }
    interfaces = tuple(
        Interface(
            **{
                **one,
                "hooks": {d: Hook(**hook) for d, hook in one["hooks"].items()},
                "notices": tuple(one["notices"]),
                "below": tuple(one["below"]),
            }
        )
        for one in whole.pop("interfaces")
    )
    return Sample(**{**whole, "online_cpus": tuple(whole["online_cpus"])}, readings=readings, interfaces=interfaces)


@given(st.text())
def test_printable_text_is_all_that_is_left(text: str) -> None:
    snapshot = escaped_text(text)
    assert snapshot.isprintable()
    assert snapshot.isascii() or any(not c.isascii() and c.isprintable() for c in text)


@pytest.mark.parametrize(
    ("text", "snapshot"),
    [
        ("eth0", "eth0"),
        ("größe 1", "größe 1"),
        ("\x1b[2J", r"\x1b[2J"),
        ("a\nb\x9b", r"a\nb\x9b"),
        ("\u202egpj", r"\u202egpj"),
        ("\udcff", r"\udcff"),
    ],
)
def test_what_a_terminal_would_obey_is_written_out(text: str, snapshot: str) -> None:
    assert escaped_text(text) == snapshot


def test_no_format_lets_a_name_drive_the_terminal() -> None:
    evil = "\x1b[31mred\x07\u202e"
    whole = moment(replace(ETH0, label=evil, name=evil), OBSERVED, host=evil, unavailable={evil: evil})
    for text in (table(whole), tick_lines(whole, first=True), csv_rows(whole)):
        assert all(line.isprintable() for line in text.split("\n"))
