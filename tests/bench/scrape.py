"""One scrape of the Prometheus endpoint on a large machine: 128 CPUs, 20 protocols, a queue for each CPU.

Over lo, from the request to the last byte, of a moment that nobody has asked for yet: it is rendered for this scrape.
"""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import pairwise

from bpftop.export.prometheus.endpoint import Endpoint, Newest
from bpftop.model.derive import derive_snapshot
from tests.bench.figures import Figure
from tests.bench.priority import undisturbed
from tests.store.made_up_machine import Machine

CPUS = 128
ROUNDS = 15
LIMIT_TO_FORMATTING = 20.0
LIMIT_SERIES = 700
KINDS = {"text": "", "OpenMetrics": "application/openmetrics-text; version=1.0.0"}
"""Format -> Accept header; a scraper without this header gets the classic text."""


def measure(say: Callable[[str], None]) -> Iterator[Figure]:
    say(f"scrapes at {CPUS} CPUs")
    newest = Newest()
    with undisturbed(), closing(Endpoint("127.0.0.1", 0, newest)) as endpoint:
        for name, accept in KINDS.items():
            took_ms, reference_ms, text = [], [], ""
            for turn, (before, after) in enumerate(pairwise(Machine(cpus=CPUS).samples(ROUNDS + 2))):
                newest.put(derive_snapshot(before, after))
                begin = time.perf_counter()
                text = _get(endpoint, accept)
                middle = time.perf_counter()
                _write_again(text)
                if turn:  # the first turn imports and warms up
                    took_ms.append(1000 * (middle - begin))
                    reference_ms.append(1000 * (time.perf_counter() - middle))
            ratio = min(took_ms) / min(reference_ms)
            words = (
                f"least of {ROUNDS}: {min(took_ms):.1f} against {min(reference_ms):.1f} ms; {len(text) / 1024:.0f} KiB"
            )
            title = f"one scrape as {name} / formatting its lines"
            yield Figure("scrape", title, ratio, "", LIMIT_TO_FORMATTING, words)
    series = sum(not line.startswith("#") for line in text.splitlines())
    yield Figure("scrape", "series of one interface", series, "", LIMIT_SERIES, f"{CPUS} CPUs, 20 protocols")


def _write_again(text: str) -> str:
    """Do the least for a page of these lines: format each from a name, labels and a number."""
    lines = []
    for line in text.splitlines():
        name, _, value = line.rpartition(" ")
        metric, _, labels = name.partition("{")
        pairs = (label.partition("=") for label in labels.rstrip("}").split(","))
        words = ",".join(f"{key}={word}" for key, _, word in pairs)
        lines.append(f"{metric}{{{words}}} {value}\n")
    return "".join(lines)


def _get(endpoint: Endpoint, accept: str) -> str:
    host, port = endpoint.address
    request = urllib.request.Request(f"http://{host}:{port}/metrics", headers={"Accept": accept})
    with urllib.request.urlopen(request, timeout=10) as answer:
        text: str = answer.read().decode()
    return text
