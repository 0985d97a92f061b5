"""Two exporters in two namespaces and the Prometheus that people already run: their sum equals the sent packets."""

from __future__ import annotations

import json
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from contrib.monitoring import ALERTS, HERE
from tests.bpf.devices import Lab
from tests.cli.running import COMMAND, environment
from tests.waiting import LIMIT_S, until

pytestmark = [pytest.mark.bpf, pytest.mark.needs("prometheus")]

NEAR, FAR = "198.18.5.1:9435", "198.18.5.2:9435"
API = "http://127.0.0.1:9090/api/v1"
SENT, SENT_FAR = 1_000, 234
PROTOCOL = "other ethertype"
"""The protocol number that frames of ``Lab.send`` are counted as; the scrapes themselves are TCP."""


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Lab]:
    """Yield a pair of exporters, one at each end of a cable, and a Prometheus beside the first that asks both."""
    settings = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(HERE / ALERTS)],
        "scrape_configs": [{"job_name": "bpftop", "static_configs": [{"targets": [NEAR, FAR]}]}],
    }
    config = tmp_path / "prometheus.yml"
    config.write_text(yaml.safe_dump(settings))
    prometheus = [
        "prometheus", f"--config.file={config}", f"--storage.tsdb.path={tmp_path / 'metrics'}",
        "--web.listen-address=127.0.0.1:9090", "--log.level=error",
    ]  # fmt: skip
    with Lab() as lab, ExitStack() as stack:
        lab.veth()
        with lab.inside(lab.far):
            stack.enter_context(running([*COMMAND, "export", "v1", "--listen", FAR, "-i", "0.5"]))
        stack.enter_context(running([*COMMAND, "export", "v0", "--listen", NEAR, "-i", "0.5"]))
        stack.enter_context(running(prometheus))
        yield lab


@contextmanager
def running(command: list[str]) -> Iterator[None]:
    """Yield a process of the current namespace, ended with the block."""
    nothing = subprocess.DEVNULL
    process = subprocess.Popen(command, stdin=nothing, stdout=nothing, stderr=nothing, env=environment())
    try:
        yield
        process.terminate()
        process.wait(LIMIT_S)
    finally:
        process.kill()
        process.wait()


def asked(path: str, **query: str) -> Any:
    """Return the answer of Prometheus's API; None while it does not answer."""
    try:
        with urllib.request.urlopen(f"{API}/{path}?{urllib.parse.urlencode(query)}", timeout=LIMIT_S) as answer:
            return json.loads(answer.read())["data"]
    except (urllib.error.URLError, ConnectionError):
        return None


def numbers(expression: str) -> dict[str, float]:
    """Instance (empty for a sum over all) -> value."""
    found = asked("query", query=expression)
    return (
        {} if found is None else {row["metric"].get("instance", ""): float(row["value"][1]) for row in found["result"]}
    )


def test_the_sum_over_the_fleet_is_what_was_sent(fleet: Lab) -> None:
    up = 'up{job="bpftop"}'
    until(lambda: numbers(up) == {NEAR: 1.0, FAR: 1.0}, lambda: asked("targets"))
    fleet.send("v0", SENT)
    fleet.send_far("v1", SENT_FAR)
    selected = f'bpftop_protocol_packets_total{{protocol="{PROTOCOL}", direction="%s"}}'
    received, sent = (f"sum({selected % direction})" for direction in ("rx", "tx"))
    whole = {"": float(SENT + SENT_FAR)}
    until(lambda: numbers(received) == numbers(sent) == whole, lambda: (numbers(received), numbers(sent), whole))
    assert numbers(selected % "rx") == {NEAR: SENT_FAR, FAR: SENT}
    assert numbers(selected % "tx") == {NEAR: SENT, FAR: SENT_FAR}
    octets = f'sum(bpftop_protocol_bytes_total{{protocol="{PROTOCOL}", direction="rx"}})'
    assert numbers(octets) == {"": 100.0 * (SENT + SENT_FAR)}
    assert len(numbers("bpftop_build_info")) == 2

    rules = asked("rules")["groups"][0]["rules"]
    until(
        lambda: all(rule["health"] == "ok" for rule in asked("rules")["groups"][0]["rules"]),
        lambda: [rule for rule in asked("rules")["groups"][0]["rules"] if rule["health"] != "ok"],
    )
    assert len(rules) == len(yaml.safe_load((HERE / ALERTS).read_text())["groups"][0]["rules"])
