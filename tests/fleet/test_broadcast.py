"""One sampler, several readers at once: two scrapers, the live screen's feed and a recording see the same counters."""

from __future__ import annotations

import threading
import time
import urllib.error
import urllib.request
from contextlib import closing
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bpftop.collect.broadcast import Broadcast, Reader
from bpftop.collect.live import LiveSource
from bpftop.collect.live_options import LiveOptions
from bpftop.export.prometheus.endpoint import Endpoint, Newest
from bpftop.history.analyzer import Analyzer
from bpftop.model.snapshot import Snapshot
from bpftop.model.source import TakenSamples
from bpftop.store.recorder import Recorder
from bpftop.store.recording import Recording
from bpftop.tui.sampling_thread import SamplingThread
from tests.bpf.devices import Lab
from tests.waiting import LIMIT_S, until

pytestmark = pytest.mark.bpf

SENT = 700
OTHER_ETHERTYPE = 260


@pytest.fixture
def lab(lab: Lab) -> Lab:
    lab.veth()
    return lab


def received(snapshot: Snapshot) -> int:
    """Frames of ``Lab.send`` until then."""
    rows = [row for row in snapshot.interfaces[0].rx.protocols if row.number == OTHER_ETHERTYPE]
    return sum(row.counts.packets or 0 for row in rows)


def scraped(endpoint: Endpoint) -> tuple[int, int] | None:
    """Return the number of the sample and its content; None before the first sample."""
    host, port = endpoint.address
    try:
        with urllib.request.urlopen(f"http://{host}:{port}/metrics", timeout=LIMIT_S) as answer:
            text = answer.read().decode()
    except urllib.error.HTTPError:
        return None
    seq, packets = -1, 0
    for family in text_string_to_metric_families(text):
        for one in family.samples:
            if one.name == "bpftop_samples_total":
                seq = int(one.value) - 1
            elif one.name == "bpftop_protocol_packets_total" and one.labels["direction"] == "rx":
                packets += int(one.value) if one.labels["protocol"] == "other ethertype" else 0
    return seq, packets


class Feed(TakenSamples):
    """A reader as the source of a screen."""

    def __init__(self, reader: Reader) -> None:
        self.samples, self.close = reader.samples, reader.close


def follow(reader: Reader, newest: Newest) -> None:
    """Publish each sample, as `bpftop export` does."""
    analyzer = Analyzer(())
    for sample in reader.samples():
        newest.put(analyzer.push(sample))


def test_scrapers_screen_and_recording_have_equal_counters(lab: Lab, tmp_path: Path) -> None:
    fan = Broadcast(LiveSource(["v0"], LiveOptions(interval_s=0.2, drops=False)))
    recorder = Recorder(str(tmp_path / "a"))
    fan.tap(recorder.offer)
    feed, newest = SamplingThread(Feed(fan.reader())), Newest()
    on_screen: dict[int, int] = {}
    feed.listen(lambda snapshot: None if snapshot is None else on_screen.update({snapshot.seq: received(snapshot)}))
    exporting = threading.Thread(target=follow, args=(fan.reader(), newest))
    told: list[list[tuple[int, int]]] = [[], []]
    ended = threading.Event()

    def scrape(number: int) -> None:
        while not ended.is_set():
            if (found := scraped(endpoint)) is not None:
                told[number].append(found)
            time.sleep(0.02)

    with closing(Endpoint("127.0.0.1", 0, newest)) as endpoint:
        scrapers = [threading.Thread(target=scrape, args=(number,)) for number in range(2)]
        try:
            with fan:
                feed.start()
                for thread in (exporting, *scrapers):
                    thread.start()
                until(lambda: len(on_screen) > 2, "there are rates")
                for _ in range(7):
                    lab.send_far("v1", SENT // 7)
                until(lambda: max(on_screen.values()) == SENT, "all of it is on the screen")
                until(lambda: all(one and one[-1][1] == SENT for one in told), "all of it was scraped")
        finally:  # before the endpoint closes: else its refusals would stand in front of what failed
            ended.set()
            for thread in (exporting, *scrapers):
                thread.join()
        feed.stop()
    progress = recorder.close()
    with closing(Recording(str(tmp_path / "a"))) as recording:
        ticks = [tick.sample for tick in recording.ticks(1, progress.ticks)]
    recorded: dict[int, int] = {}
    snapshot = Analyzer(())
    for sample in ticks:
        recorded[sample.seq] = received(snapshot.push(sample))
    assert progress.lost == 0
    assert on_screen == recorded
    assert max(recorded.values()) == SENT
    for one in told:
        assert all(recorded[seq] == packets for seq, packets in one)
        assert len({seq for seq, _ in one}) > 2
