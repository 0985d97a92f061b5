"""Ports that are asked though nobody listens there: sampled while many requests are refused."""

from __future__ import annotations

import socket
import time
from contextlib import closing

import pytest

from bpftop.collect.bpf.refused_ports import RefusedCounts, RefusedPorts
from bpftop.collect.collector import Unavailable
from bpftop.collect.procfs.counter_files import Snmp, Snmp6
from bpftop.collect.procfs.tree import Tree
from bpftop.demo.faults import packets
from bpftop.kernel.bpf.percpu_hash import ROWS_MAX
from tests.bpf.devices import Lab
from tests.waiting import until

pytestmark = pytest.mark.bpf

ETHERNET_BYTES, IP_BYTES = 14, 20


def ask(address: str, port: int) -> None:
    """Send 20 datagrams and ask for a connection, in vain."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as asker:
        for _ in range(20):
            asker.sendto(bytes(20), (address, port))
    with socket.socket(family, socket.SOCK_STREAM) as client:
        assert client.connect_ex((address, port + 1))


def send_segment(flags: int, port: int) -> None:
    """Send a TCP segment of no connection over loopback; the kernel fills in the IP header."""
    here = socket.inet_aton("127.0.0.1")
    segment = packets.tcp(40000, port, flags, src=here, dst=here)[ETHERNET_BYTES + IP_BYTES :]
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP) as raw:
        raw.sendto(segment, ("127.0.0.1", 0))


def test_ports_of_both_protocols_and_both_ip_versions(lab: Lab) -> None:
    lab.veth()
    snmp, snmp6 = Snmp(Tree()), Snmp6(Tree())
    with closing(snmp), closing(snmp6), closing(RefusedPorts(snmp, snmp6)) as collector:

        def read() -> dict[object, int]:
            snmp.read([])
            snmp6.read([])
            try:
                reading = collector.read([])["refused_ports"]
            except Unavailable as error:
                if "being loaded" not in str(error):
                    raise
                return {}
            return {key: row[0] or 0 for key, row in reading.totals.items()}

        assert read() == {}

        def all_are_counted() -> bool:
            ask("127.0.0.1", 9990)
            ask("::1", 9992)
            for n, flags in enumerate((0, packets.FIN, packets.FIN | packets.PSH | packets.URG)):
                send_segment(flags, 9994 + n)
            send_segment(packets.FIN | packets.ACK, 9997)
            return set(read()) == {
                *(("UDP", 9990), ("TCP", 9991), ("UDP", 9992), ("TCP", 9993)),
                *(("TCP odd flags", 0), ("TCP other", 0)),
            }

        until(all_are_counted, "all four ports and both other kinds are counted")
        before = read()
        send_segment(packets.RST, 9998)
        send_segment(0, 9998)
        assert read() == {**before, ("TCP odd flags", 0): before["TCP odd flags", 0] + 1}, "a reset is not refused"


def test_ports_of_a_scan_that_fills_the_table(lab: Lab) -> None:
    with closing(RefusedCounts([])) as counts, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as scanner:
        for port in range(20_000, 20_000 + ROWS_MAX + 100):
            scanner.sendto(b"", ("127.0.0.1", port))
        assert len(counts.rows()) == ROWS_MAX


def test_few_refused_requests_load_no_program(lab: Lab) -> None:
    lab.veth()
    snmp, snmp6 = Snmp(Tree()), Snmp6(Tree())
    with closing(snmp), closing(snmp6), closing(RefusedPorts(snmp, snmp6)) as collector:
        snmp.read([])
        for refused in (0, 3):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
                for _ in range(refused):
                    asker.sendto(bytes(20), ("127.0.0.1", 9990))
            time.sleep(0.5)
            before = int(snmp.words["UdpNoPorts"])
            snmp.read([])
            assert int(snmp.words["UdpNoPorts"]) - before == refused
            assert collector.read([])["refused_ports"].totals == {}, "being loaded would be a refusal"
