"""`bpftop flows` against the real kernel: documents with the process of a known connection."""

from __future__ import annotations

import csv
import io
import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from scapy.contrib.geneve import GENEVE
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import GRE, Ether
from scapy.layers.vxlan import VXLAN

from bpftop.collect.bpf.flow_counter import FlowRequest, thinner_request
from bpftop.model.sample import Reading, reading_key
from tests.bpf.devices import Lab
from tests.bpf.frame import Layers
from tests.cli.running import bpftop, side_by_side
from tests.samples import packed

pytestmark = pytest.mark.bpf

FAR, PORT = "198.18.5.2", 7007
SCHEMA = json.loads(files("bpftop.export.flows").joinpath("flows.schema.json").read_text())
QUICK = ("-i", "0.5", "--duration", "3")


@pytest.fixture
def lab(lab: Lab) -> Lab:
    lab.ipv4_veth(FAR)
    return lab


@contextmanager
def sending(lab: Lab) -> Iterator[int]:
    """Send over a connection to the far namespace, and yield its port on this side."""
    with lab.inside(lab.far):
        server = socket.create_server((FAR, PORT))
    ended = threading.Event()
    with server, socket.create_connection((FAR, PORT)) as client, server.accept()[0] as far:

        def send() -> None:
            while not ended.wait(0.05):
                client.sendall(bytes(10_000))
                far.recv(10_000, socket.MSG_WAITALL)

        sender = threading.Thread(target=send)
        sender.start()
        try:
            yield client.getsockname()[1]
        finally:
            ended.set()
            sender.join()


def test_the_document_names_the_process_of_a_connection(lab: Lab) -> None:
    with sending(lab) as port:
        done = bpftop("flows", "v0", *QUICK, "--format", "json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    Draft202012Validator(SCHEMA).validate(document)
    (one,) = document["interfaces"]
    row = one["rows"][0]
    assert row["local"]["port"] == port
    assert row["remote"] == {"address": FAR, "port": PORT}
    assert row["owner"]["pid"] == os.getpid()
    assert row["owner"]["process"] == Path("/proc/self/comm").read_text().strip()
    assert row["owner"]["tcp"]["rtt_us"] > 0
    assert row["tx"]["bits_per_sec"] > row["rx"]["bits_per_sec"] > 0
    shares = [each["share"] for each in (*one["rows"], one["rest"])]
    assert sum(shares) == pytest.approx(1, abs=1e-4)
    assert document["unavailable"] == {}


@pytest.mark.parametrize("by", ["address", "port", "process", "container"])
def test_groups_in_every_format(lab: Lab, by: str) -> None:
    name = {"address": FAR, "port": f"TCP {PORT}", "process": f"[{os.getpid()}]", "container": ""}[by]
    with sending(lab):
        words = ("flows", "v0", *QUICK, "--by", by, "--format")
        table, written, markdown = side_by_side(*((*words, name) for name in ("table", "csv", "markdown")))
    assert name in table.stdout.splitlines()[2]
    assert max(map(len, table.stdout.splitlines())) <= 120
    rows = list(csv.DictReader(io.StringIO(written.stdout)))
    assert name in rows[0]["name"]
    assert [row["row"] for row in rows[-2:]] == ["rest", "total"]
    assert name.strip("[]") in markdown.stdout


def test_one_row_and_the_rest(lab: Lab) -> None:
    with sending(lab):
        done = bpftop("flows", "v0", *QUICK, "--top", "1", "--format", "csv")
    assert [row["row"] for row in csv.DictReader(io.StringIO(done.stdout))] == ["flow", "rest", "total"]


def test_where_nothing_counts_it_is_one_sentence(lab: Lab) -> None:
    done = bpftop("flows", "v0", *QUICK, "--attach", "none")
    assert done.returncode == 1
    assert "bpftop: flows cannot be counted on v0: " in done.stderr
    assert done.stdout == ""


def _table(entries: int, read_ns: int, sampled: int = 1) -> dict[str, Reading]:
    where = ("v0", "rx")
    reading = packed("flow_table", (where,), [entries, 1000, 0, sampled, read_ns, 9], read_ns=1)
    return {reading_key("flow_table", *where): reading}


def test_a_full_or_slow_table_is_thinned() -> None:
    request = FlowRequest()
    assert thinner_request(request, _table(500, 10**6)) is None
    for readings in (_table(950, 10**6), _table(5, 200 * 10**6)):
        thinner = thinner_request(request, readings)
        assert thinner is not None
        assert thinner.sample_1_in == 4
        assert thinner_request(thinner, readings) is None  # a reading of the request before
    assert thinner_request(FlowRequest(1024), _table(999, 0, 1024)) is None


TUNNELS = ("VXLAN", "Geneve", "GRE", "GRE with Ethernet", "IP in IP")


@pytest.mark.parametrize("name", TUNNELS)
def test_the_flow_inside_a_tunnel(lab: Lab, name: str) -> None:
    """Packets with the headers of a tunnel, because not every kernel has a device for each of them."""
    inside: Layers = IP(src="10.9.0.1", dst="10.9.0.2")
    inside = inside / UDP(sport=4000, dport=5000)
    vxlan: Layers = UDP(sport=9, dport=4789)
    geneve: Layers = UDP(sport=9, dport=6081)
    gre: Layers = GRE(proto=0x0800, key_present=1, key=5)
    gretap: Layers = GRE(proto=0x6558)
    outer = {
        "VXLAN": vxlan / VXLAN(vni=7) / Ether() / inside,
        "Geneve": geneve / GENEVE(vni=7, proto=0x6558) / Ether() / inside,
        "GRE": gre / inside,
        "GRE with Ethernet": gretap / Ether() / inside,
        "IP in IP": inside,
    }[name]
    ether: Layers = Ether(src="02:00:00:00:00:01", dst="ff:ff:ff:ff:ff:ff")
    frame = bytes(ether / IP(src=FAR, dst="198.18.5.1") / outer)
    ended = threading.Event()

    def send() -> None:
        with lab.inside(lab.far), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
            sender.bind(("v1", 0))
            while not ended.wait(0.02):
                sender.send(frame)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        words = ("flows", "v0", *QUICK, "--format", "json")
        documents = [json.loads(done.stdout) for done in side_by_side(words, (*words, "--inner"))]
    finally:
        ended.set()
        sender.join()
    plain, inner = ({row["name"]: row for row in document["interfaces"][0]["rows"]} for document in documents)
    wanted = "UDP 10.9.0.2:5000 10.9.0.1:4000"
    assert wanted not in plain
    assert inner[wanted]["rx"]["bytes"] % len(frame) == 0  # bytes are those on the wire
