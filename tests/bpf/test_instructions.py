"""Bounds for the BPF instructions of a frame, by interpreting the verified program: they hold on every machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from scapy.layers.inet import ICMP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest
from scapy.layers.l2 import ARP, Dot1Q

from bpftop.collect.bpf.packet_counter import PacketCounter
from bpftop.hooks.steps import ProgramName
from bpftop.kernel._libbpf import ffi, lib
from bpftop.kernel.bpf.percpu_array import CounterMap, possible_cpus
from bpftop.model.sample import Direction
from tests.bpf.frame import BROADCAST, ether, ip4, ip6, pad, tcp4, tcp6, udp4
from tests.bpf.interpreter import Interpreter, skb_context, xdp_context

pytestmark = pytest.mark.bpf

PLAIN_LIMIT, OTHER_LIMIT = 110, 200
PLAIN = {
    "UDP over IPv4": bytes(ether() / udp4(5000, 5001, 100)),
    "DNS over IPv4": bytes(ether() / udp4(53, 53, 100)),
    "TCP over IPv4": bytes(ether() / tcp4("A", 1000)),
    "SYN over IPv4": pad(ether() / tcp4("S"), 60),
    "UDP over IPv6": bytes(ether() / ip6(nh=17) / UDP(sport=5000, dport=5001) / bytes(100)),
    "TCP over IPv6": bytes(ether() / tcp6("A", 1000)),
}
OTHER = {
    "VLAN, UDP": bytes(ether() / Dot1Q(vlan=7) / udp4(5000, 5001, 100)),
    "VLAN, TCP": bytes(ether() / Dot1Q(vlan=7) / tcp4("A", 1000)),
    "ICMP": bytes(ether() / ip4(proto=1) / ICMP() / bytes(56)),
    "ICMPv6": bytes(ether() / ip6(nh=58) / ICMPv6EchoRequest() / bytes(56)),
    "ARP": pad(ether(BROADCAST) / ARP(), 60),
}
PROGRAMS: list[tuple[ProgramName, Direction]] = [
    ("count_xdp", "rx"), ("count_xdp_frags", "rx"), ("count_tc", "rx"), ("count_tc", "tx"),
]  # fmt: skip


@pytest.fixture(params=PROGRAMS, ids=["xdp", "frags", "tc rx", "tc tx"])
def counter(request: pytest.FixtureRequest) -> Iterator[PacketCounter]:
    with closing(PacketCounter(*request.param)) as counter:
        yield counter


def test_instructions_per_frame(counter: PacketCounter) -> None:
    """The interpreter is right where it returns what the kernel returns, and counts what the kernel counts."""
    interpreter = Interpreter(counter.program.prog_id)
    context = skb_context if counter.program.name == "count_tc" else xdp_context
    executed: dict[str, int] = {}
    for name, frame in {**PLAIN, **OTHER}.items():
        retval, executed[name] = interpreter.run(context(frame))
        assert retval == counter.program.test_run(frame).retval, name
    assert interpreter.map_of(counter.map_fd) == counted(counter)
    limits = {**dict.fromkeys(PLAIN, PLAIN_LIMIT), **dict.fromkeys(OTHER, OTHER_LIMIT)}
    assert {name: count for name, count in executed.items() if count > limits[name]} == {}


def counted(counter: PacketCounter) -> bytes:
    """Return the rows of the counter's map as the kernel holds them, all CPUs added up."""
    cpus = possible_cpus()
    rows = CounterMap(counter.map_fd, cpus)._read_rows()
    words = ffi.sizeof("struct counter_row") // 8
    source = ffi.cast("uint64_t *", rows)
    total = ffi.new("uint64_t[]", lib.COUNTER_ROWS * words)
    for row in range(lib.COUNTER_ROWS):
        for cpu in range(cpus):
            for word in range(words):
                total[row * words + word] += source[(row * cpus + cpu) * words + word]
    return bytes(ffi.buffer(total))
