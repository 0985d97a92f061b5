"""Ports that are asked though nobody listens there: sampled while many requests are refused."""

from __future__ import annotations

import socket
import time
from contextlib import closing

import pytest

from bpftop.collect.bpf.refused_ports import RefusedPorts
from bpftop.collect.collector import Unavailable
from bpftop.collect.procfs.counter_files import Snmp, Snmp6
from bpftop.collect.procfs.tree import Tree
from tests.bpf.devices import Lab
from tests.waiting import until

pytestmark = pytest.mark.bpf


def ask(address: str, port: int) -> None:
    """Send 20 datagrams and ask for a connection, in vain."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as asker:
        for _ in range(20):
            asker.sendto(bytes(20), (address, port))
    with socket.socket(family, socket.SOCK_STREAM) as client:
        assert client.connect_ex((address, port + 1))


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
            return set(read()) == {("UDP", 9990), ("TCP", 9991), ("UDP", 9992), ("TCP", 9993)}

        until(all_are_counted, "all four ports are counted")


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
