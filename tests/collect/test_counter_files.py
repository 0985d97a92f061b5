"""The counters of /proc/net/snmp, snmp6, netstat and xfrm_stat: old, new and unknown names, and damaged files."""

from __future__ import annotations

import pytest

from bpftop.collect.collector import Unavailable
from bpftop.collect.procfs.counter_files import CounterFile, Netstat, Snmp, Snmp6, Xfrm
from bpftop.model.stack_counters import STACK

from .recorded import copied, moment, read, rewrite, tree, unreadable

FILES: list[tuple[type[CounterFile], str]] = [
    (Snmp, "snmp"),
    (Snmp6, "snmp6"),
    (Netstat, "netstat"),
    (Xfrm, "xfrm_stat"),
]


def counts(kind: type[CounterFile], name: str) -> dict[str, int | None]:
    (reading,) = read(kind(tree(name))).values()
    return {str(key[0]): row[0] for key, row in reading.totals.items()}


@pytest.mark.parametrize("kind", [kind for kind, _ in FILES])
def test_a_new_kernel_has_every_counter_and_no_other_is_read(kind: type[CounterFile]) -> None:
    values = counts(kind, "new")
    assert list(values) == list(STACK[kind.name])
    assert None not in values.values()


def test_values_of_a_new_kernel() -> None:
    snmp = counts(Snmp, "new")
    assert (snmp["IpInReceives"], snmp["TcpOutRsts"], snmp["UdpRcvbufErrors"]) == (112593, 409, 12405)
    assert counts(Snmp6, "new")["Icmp6InErrors"] == 2
    assert counts(Xfrm, "new")["XfrmInNoStates"] == 31


def test_values_of_an_old_kernel_and_missing_counters() -> None:
    snmp, snmp6, netstat = counts(Snmp, "old"), counts(Snmp6, "old"), counts(Netstat, "old")
    assert [name for name, count in snmp.items() if count is None] == ["IpOutTransmits", "UdpMemErrors"]
    assert [name for name, count in snmp6.items() if count is None] == ["Ip6OutTransmits", "Udp6MemErrors"]
    assert None not in netstat.values()
    assert (snmp["IpInReceives"], snmp["IcmpInCsumErrors"], snmp["UdpRcvbufErrors"]) == (8123456789, 2, 4560)
    assert (snmp6["Udp6RcvbufErrors"], snmp6["Ip6InHdrErrors"]) == (9, 3)
    assert (netstat["TcpExtListenOverflows"], netstat["TcpExtTCPOrigDataSent"]) == (222, 4800000000)
    assert netstat["IpExtInCsumErrors"] == 12


def test_a_counter_that_the_kernel_lacks_is_missing() -> None:
    collector = Snmp(tree("old"))
    signal = moment(read(collector), read(collector)).reading("snmp")
    assert signal is not None
    assert signal.value(("UdpMemErrors",), "count") is None
    assert signal.gained(("UdpMemErrors",), "count") is None
    assert signal.gained(("UdpInErrors",), "count") == 0


def test_counters_beyond_63_bits() -> None:
    assert counts(Snmp, "wide")["IpInReceives"] == 2**63 + 5


def test_columns_in_any_order_and_unknown_groups() -> None:
    with copied("new", "net/snmp") as where:
        rewrite(
            where,
            "net/snmp",
            "New: A B\nNew: -1 x\nUdp: MemErrors Later InDatagrams\nUdp: 3 4 5\nTcp: MaxConn InSegs\nTcp: -1 6\n",
        )
        rows = read(Snmp(where))["snmp"].totals
    assert {key[0]: row[0] for key, row in rows.items() if row[0] is not None} == {
        "UdpMemErrors": 3,
        "UdpInDatagrams": 5,
        "TcpInSegs": 6,
    }


def test_gains_and_a_reset() -> None:
    with copied("old", "net/netstat") as where:
        collector = Netstat(where)
        text = (where.proc / "net/netstat").read_text()
        first = read(collector)
        rewrite(where, "net/netstat", text.replace(" 222 233 ", " 322 5 "))
        second = read(collector)
    assert first["netstat"].keys is second["netstat"].keys
    signal = moment(first, second).reading("netstat")
    assert signal is not None
    assert signal.gained(("TcpExtListenOverflows",), "count") == 100
    assert signal.gained(("TcpExtListenDrops",), "count") is None


@pytest.mark.parametrize(("kind", "name"), FILES)
def test_a_file_that_is_not_there_or_may_not_be_read(kind: type[CounterFile], name: str) -> None:
    with copied("new", f"net/{name}") as where:
        collector = kind(where)
        with unreadable(where.proc_net / name), pytest.raises(Unavailable, match=r"counters: cannot read .*Permission"):
            read(collector)
        (where.proc_net / name).unlink()
        with pytest.raises(
            Unavailable,
            match=r"counters(: cannot read .*No such file| does not apply here: there is no (IPv6|count of) )",
        ):
            read(collector)


@pytest.mark.parametrize(("kind", "name"), FILES)
@pytest.mark.parametrize("text", ["", "\n\n", "\x00\xff", "Tcp: InSegs\n", "a\nb\nc\n", "A: 1\nA: 1\n"])
def test_garbage_is_a_sentence(kind: type[CounterFile], name: str, text: str) -> None:
    with copied("new", f"net/{name}") as where:
        rewrite(where, f"net/{name}", text)
        with pytest.raises(Unavailable, match=f"counters: /proc/net/{name} (is not understood|has none)"):
            read(kind(where))


@pytest.mark.parametrize(
    ("kind", "name", "text"),
    [
        (Snmp, "snmp", "Udp: InDatagrams\nUdp: twelve\n"),
        (Snmp, "snmp", "Udp: InDatagrams\nUdp: -1\n"),
        (Snmp, "snmp", f"Udp: InDatagrams\nUdp: {2**64}\n"),
        (Snmp, "snmp", "Udp: InDatagrams NoPorts\nUdp: 1\n"),
        (Snmp, "snmp", "Udp: InDatagrams\nTcp: 1\n"),
        (Snmp6, "snmp6", "Ip6InReceives x\n"),
        (Netstat, "netstat", "TcpExt: TCPTimeouts\nTcpExt: 1.5\n"),
    ],
)
def test_a_word_that_is_no_number(kind: type[CounterFile], name: str, text: str) -> None:
    with copied("new", f"net/{name}") as where:
        rewrite(where, f"net/{name}", text)
        with pytest.raises(Unavailable, match="is not understood"):
            read(kind(where))
