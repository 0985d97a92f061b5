"""Metrics and the endpoint: names, values, both parsers, and scrapers that misbehave."""

from __future__ import annotations

import socket
import subprocess
import threading
import urllib.error
import urllib.request
from contextlib import closing

import pytest
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from bpftop.errors import BpftopError
from bpftop.export.prometheus import endpoint as endpoint_module
from bpftop.export.prometheus.endpoint import Endpoint, Newest
from bpftop.export.prometheus.metrics import SERIES_MAX, bpf_metrics, metrics, openmetrics, registry_of
from bpftop.history.analyzer import Analyzer
from bpftop.model.derive import derive_snapshot
from bpftop.model.snapshot import Snapshot
from bpftop.rules.table import chosen
from tests import samples
from tests.export.moments import busy, moment
from tests.rules.world import World
from tests.store.made_up_machine import Machine
from tests.waiting import LIMIT_S


def flooded() -> Snapshot:
    """20 000 SYNs a second, which fill the queue of those who wait."""
    world = World().frames("protocols", 6, pps=20_000, size=60).frames("tcp_flags", "syn", pps=20_000, size=60)
    world.stack(TcpExtTCPReqQFullDrop=19_000, TcpPassiveOpens=10)
    analyzer = Analyzer(chosen())
    for _ in range(6):
        analyzer.push(world.advance())
    assert analyzer.snapshot is not None
    return analyzer.snapshot


def values(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(text)
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}


def test_counters_are_what_the_snapshot_says_and_end_in_total() -> None:
    shown = moment()
    found = values(openmetrics(shown))
    where = (("direction", "rx"), ("interface", "eth0"))
    assert found["bpftop_protocol_packets_total", (*where, ("protocol", "TCP"))] == 1_100
    assert found["bpftop_protocol_bytes_total", (*where, ("protocol", "UDP"))] == 26_000
    assert found["bpftop_cpu_packets_total", (("cpu", "1"), *where)] == 260
    assert found["bpftop_frame_size_packets_total", (*where, ("size", "<=64"))] == 1_100
    assert found["bpftop_tcp_flag_packets_total", (where[0], ("flag", "syn"), where[1])] == 100
    assert found["bpftop_link_rx_packets_total", (("interface", "eth0"),)] == 60
    assert found["bpftop_self_cpu_seconds_total", ()] == 0.012


@pytest.mark.parametrize("shown", [moment(), busy(), flooded()], ids=["round", "busy", "flooded"])
def test_the_strict_parser_takes_it(shown: Snapshot) -> None:
    assert values(openmetrics(shown))


@pytest.mark.needs("promtool")
@pytest.mark.parametrize("shown", [busy(), flooded()], ids=["busy", "flooded"])
def test_promtool_finds_nothing_to_complain_of(shown: Snapshot) -> None:
    document = generate_latest(registry_of(shown))
    checked = subprocess.run(["promtool", "check", "metrics"], input=document, capture_output=True, timeout=LIMIT_S)
    assert (checked.returncode, checked.stderr, checked.stdout) == (0, b"", b"")


def test_protocol_and_cpu_are_never_multiplied() -> None:
    found = values(openmetrics(busy(cpus=128)))
    assert len(found) < 700
    assert not [labels for _, labels in found if {"cpu", "protocol"} <= {name for name, _ in labels}]


def test_many_queues_stay_below_the_limit_of_series() -> None:
    machine = Machine(cpus=128)
    found = values(openmetrics(derive_snapshot(*machine.samples(2))))
    assert len(found) < 700
    drops = found["bpftop_qdisc_drops_total", (("interface", "eth0"), ("kind", "fq_codel"))]
    read = Machine(cpus=128).sample(0).readings["qdiscs/eth0"]
    assert len([key for key in read.keys if key[1] == "fq_codel"]) == 128
    assert drops >= sum(row[2] or 0 for key, row in read.totals.items() if key[1] == "fq_codel")


def test_what_is_served_is_described() -> None:
    described = {metric.name: set(metric.labels) for metric in metrics(None)}
    for shown in (moment(), busy(), flooded()):
        assert all(described[metric.name] == set(metric.labels) for metric in metrics(shown))
        for family in registry_of(shown).collect():
            assert all(set(sample.labels) == described[family.name] for sample in family.samples)


def test_findings_are_gauges_and_blind_rules_have_none() -> None:
    shown = flooded()
    found = values(openmetrics(shown))
    severity = {
        dict(labels)["id"]: value for (name, labels), value in found.items() if name == "bpftop_finding_severity"
    }
    assert severity["syn-flood"] == 3
    assert severity["tcp-retransmits"] == 0
    diagnosis = shown.diagnosis
    assert set(severity) == set(diagnosis.rule_ids) - set(diagnosis.without_input)
    assert found["bpftop_rules_blind", ()] == len(shown.diagnosis.blind) > 0


def get(endpoint: Endpoint, path: str = "/metrics", accept: str = "") -> tuple[int, str, str]:
    host, port = endpoint.address
    request = urllib.request.Request(f"http://{host}:{port}{path}", headers={"Accept": accept})
    try:
        with urllib.request.urlopen(request, timeout=LIMIT_S) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["Content-Type"], error.read().decode()


def test_the_endpoint_serves_what_the_scraper_accepts() -> None:
    newest = Newest()
    with closing(Endpoint("127.0.0.1", 0, newest)) as endpoint:
        assert get(endpoint)[0] == 503
        newest.put(moment())
        status, kind, text = get(endpoint)
        assert (status, kind.partition(";")[0]) == (200, "text/plain")
        assert 'bpftop_protocol_packets_total{direction="rx",interface="eth0",protocol="TCP"} 1100.0' in text
        status, kind, text = get(endpoint, accept="application/openmetrics-text; version=1.0.0")
        assert kind.startswith("application/openmetrics-text")
        assert text == openmetrics(moment())
        assert get(endpoint, "/")[0] == 200
        assert get(endpoint, "/else")[0] == 404


def test_a_moment_is_rendered_once_for_all_who_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    rendered = []

    def counting(shown: Snapshot) -> object:
        rendered.append(shown.seq)
        return registry_of(shown)

    monkeypatch.setattr(endpoint_module, "registry_of", counting)
    newest = Newest()
    newest.put(moment())
    with closing(Endpoint("127.0.0.1", 0, newest)) as endpoint:
        askers = [threading.Thread(target=get, args=(endpoint,)) for _ in range(10)]
        for asker in askers:
            asker.start()
        for asker in askers:
            asker.join()
    assert len(rendered) == 1


def test_a_request_in_progress_keeps_its_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint_module, "CONNECTIONS", 3)
    go_on, asked = threading.Event(), threading.Semaphore(0)

    class Slow(Newest):
        def text(self, accept: str) -> tuple[bytes, str] | None:
            asked.release()
            go_on.wait()
            return super().text(accept)

    newest = Slow()
    with closing(Endpoint("127.0.0.1", 0, newest)) as endpoint:
        askers = [threading.Thread(target=get, args=(endpoint,)) for _ in range(3)]
        for asker in askers:
            asker.start()
            asked.acquire()
        with socket.create_connection(endpoint.address, timeout=LIMIT_S) as late:
            assert late.recv(1) == b""  # turned away, not kept waiting
        newest.put(moment())  # the sampler has not noticed
        go_on.set()
        for asker in askers:
            asker.join()
        assert get(endpoint)[0] == 200


def test_an_address_in_use_is_one_sentence() -> None:
    with closing(Endpoint("127.0.0.1", 0, Newest())) as endpoint:
        host, port = endpoint.address
        with pytest.raises(BpftopError, match=rf"cannot listen on {host}:{port}: Address already in use; give another"):
            Endpoint(host, port, Newest())


def test_hostile_names_are_escaped() -> None:
    from dataclasses import replace

    from tests.export.moments import ETH0

    text = openmetrics(moment(replace(ETH0, label='e"\x1b\n\\', name="x")))
    assert "\x1b" not in text
    assert values(text)


def test_bpf_objects_have_bounded_series_by_name() -> None:
    rows = {(str(n), "xdp", f"p{n % 120}", "eth0", "x[1]"): (n, n * 10**9, 0) for n in range(240)}
    reading = samples.reading("bpf_programs", rows)
    found = {metric.name: metric.rows for metric in bpf_metrics({"bpf_programs": [reading.totals], "bpf_maps": []})}
    runs = found["bpftop_bpf_program_runs"]
    assert len(runs) == SERIES_MAX + 1
    assert sum(value or 0 for value in runs.values()) == sum(range(240))
    assert runs["xdp", "p119"] == 119 + 239
    assert found["bpftop_bpf_program_run_seconds"]["xdp", "p119"] == pytest.approx(119 + 239)
    assert found["bpftop_bpf_map_entries"] == {}
