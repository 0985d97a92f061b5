"""Addresses that two hosts have: IP addresses, and MAC addresses at two ports of a bridge."""

from __future__ import annotations

from functools import partial
from socket import inet_aton

from bpftop.demo import frames
from bpftop.demo.faults.namespace_changes import FurtherNamespace, inside, ip
from bpftop.demo.faults.steady_sender import blast
from bpftop.demo.faults.worker import Worker
from bpftop.demo.lab import Lab
from bpftop.demo.sides import GENERATOR, WATCHED
from tests.faults.jobs import send_anyway
from tests.faults.scenario import Cell, Scenario, drop

PORT = 9900
CLONED = "198.18.0.50"
MACS = ("02:62:70:66:00:31", "02:62:70:66:00:32")


class AnotherHost(FurtherNamespace):
    """Another host on the lab's cable: a macvlan device ``host0`` beside the generator, in a namespace of its own."""

    interface = "host0"

    def __init__(self, lab: Lab, address: str, mac: str) -> None:
        generator = inside(lab, GENERATOR)
        super().__init__(generator)
        try:
            ip(
                generator,
                f"link add link {GENERATOR.interface} name {self.interface} address {mac} netns {self.path}"
                " type macvlan mode bridge",
            )
            ip(
                self.call,
                f"address add {address}/24 dev {self.interface}",
                f"link set {self.interface} up",
            )
        except BaseException:
            self.close()
            raise


class DuplicateAddress(Scenario):
    """A virtual machine and its copy with the same address, both of which talk to the watched host."""

    id = "duplicate-address"
    moves = (Cell("address_moves", ("neighbour", None, CLONED, None, None), "moves", 0.2),)

    def prepare(self) -> None:
        self.serve_udp(PORT)
        for mac in MACS:
            host = AnotherHost(self.lab, CLONED, mac)
            self.keep(host.close)
            self.add(Worker(host.call, send_anyway, address=WATCHED.ipv4[0], port=PORT, per_sec=5))
            # Hosts ask for an address again at random times, twice a minute or so; these ask once a second.
            source = bytes.fromhex(mac.replace(":", ""))
            request = frames.arp_request(source, inet_aton(CLONED), inet_aton(WATCHED.ipv4[0]))
            frame = frames.ethernet(frames.BROADCAST, source, frames.ETH_ARP, request)
            self.add(blast(host.call, host.interface, [frame], 1))


class OwnAddressElsewhere(Scenario):
    """A host that was given the watched host's address by mistake, and looks for its neighbours."""

    id = "own-address-elsewhere"
    finding = "duplicate-address"
    moves = (Cell("address_claims", ("own", WATCHED.interface, WATCHED.ipv4[0], None, None), "moves", 0.5),)
    may_move = (drop("NEIGH_FAILED"), drop("NEIGH_QUEUEFULL"), drop("ARP_PVLAN_DISABLE"))

    def prepare(self) -> None:
        host = AnotherHost(self.lab, WATCHED.ipv4[0], MACS[0])
        self.keep(host.close)
        self.add(Worker(host.call, send_anyway, address="198.18.0.88", port=PORT, per_sec=5))


class MacFlapping(Scenario):
    """Two devices with the same MAC address behind two ports of a bridge of the watched host."""

    id = "mac-flapping"
    moves = (Cell("address_moves", ("bridge", "br0", MACS[0], None, None), "moves", 1),)

    def prepare(self) -> None:
        ip(self.watched, "link add br0 type bridge", "link set br0 up")
        self.keep(lambda: ip(self.watched, "link delete br0"))
        source = bytes.fromhex(MACS[0].replace(":", ""))
        frame = frames.ethernet(frames.BROADCAST, source, 0x88B5, bytes(46))  # an ethertype for experiments
        for port in ("port1", "port2"):
            ip(
                self.watched,
                f"link add {port} type veth peer name {port}far",
                f"link set {port} master br0",
                f"link set {port} up",
                f"link set {port}far up",
            )
            self.keep(partial(ip, self.watched, f"link delete {port}"))
            self.add(blast(self.watched, f"{port}far", [frame], 5))
