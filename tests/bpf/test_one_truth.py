"""A real burst into a socket that nobody reads: RX, finding and losses show one rate in every interval."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import closing

import pytest

from bpftop.collect.live import LiveSource
from bpftop.collect.live_options import LiveOptions
from bpftop.history.history import History
from bpftop.model.protocols import UDP
from bpftop.render.path_rows import losses
from bpftop.render.selection import Selection
from bpftop.rules.packet_rates import protocol_rate
from bpftop.rules.table import chosen
from tests.bpf.devices import Lab

pytestmark = pytest.mark.bpf

BURST_S, BURST_AT, TICKS = 0.7, 5, 9


def burst(port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.connect(("127.0.0.1", port))
        end = time.monotonic() + BURST_S
        while time.monotonic() < end:
            sender.send(b"x")


def test_burst_has_one_rate_on_the_whole_screen(lab: Lab) -> None:
    history, peaks = History(chosen()), []
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stuck,
        closing(LiveSource(["lo"], LiveOptions())) as source,
    ):
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        stuck.bind(("127.0.0.1", 0))
        with closing(source.samples()) as samples:
            for tick, sample in zip(range(TICKS), samples, strict=False):
                snapshot = history.push(sample)
                if tick == BURST_AT:
                    sender = threading.Thread(target=burst, args=(stuck.getsockname()[1],))
                    sender.start()
                finding = next((f for f in snapshot.diagnosis.findings if f.id == "udp-socket-overflow"), None)
                if finding is None:
                    continue
                assert finding.value is not None
                received = protocol_rate(snapshot.total, UDP)
                lost = losses(Selection(snapshot, snapshot.total, history))["lost"].per_sec
                about = 0.05 * received + 50  # the counters are read some ms apart, and a few datagrams found room
                assert finding.value.now == pytest.approx(received, abs=about)
                assert lost == pytest.approx(finding.value.now, abs=about)
                peaks.append(finding.value.peak)
        sender.join()
    assert peaks
    assert peaks == sorted(peaks)  # a peak is never forgotten while the finding stands
