"""The systemd unit's privileges are enough: as nobody, with its capabilities and none besides, the exporter counts."""

from __future__ import annotations

import json
import os
import re
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from contrib.monitoring import HERE
from tests.bpf.devices import Lab
from tests.cli.running import COMMAND, environment
from tests.waiting import LIMIT_S, until

pytestmark = pytest.mark.bpf

NOBODY = 65534
SENT = 500
LISTEN = "127.0.0.1:9435"
BITS = {"net_admin": 12, "perfmon": 38, "bpf": 39}
"""include/uapi/linux/capability.h."""


@pytest.fixture
def lab(lab: Lab) -> Lab:
    lab.veth()
    return lab


def as_the_unit(*words: str) -> list[str]:
    """Return a command line that has the unit's capabilities, and no way to more."""
    unit = (HERE / "systemd/bpftop-export@.service").read_text()
    (line,) = re.findall(r"^AmbientCapabilities=(.*)$", unit, re.MULTILINE)
    names = [name.removeprefix("CAP_").lower() for name in line.split()]
    assert set(names) == set(BITS)
    chosen = ",".join(["-all", *(f"+{name}" for name in names)])
    sets = [f"--{kind}-caps={chosen}" for kind in ("inh", "ambient")]
    identity = [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    return ["setpriv", *identity, *sets, f"--bounding-set={chosen}", "--no-new-privs", *COMMAND, *words]


def scraped() -> dict[tuple[str, ...], float] | None:
    """Name and label values -> value; None while there is no answer, or no sample yet."""
    try:
        with urllib.request.urlopen(f"http://{LISTEN}/metrics", timeout=LIMIT_S) as answer:
            text = answer.read().decode()
    except (urllib.error.URLError, ConnectionError):
        return None
    families = text_string_to_metric_families(text)
    return {(one.name, *one.labels.values()): one.value for family in families for one in family.samples}


def test_the_exporter_counts_with_the_capabilities_of_the_unit(lab: Lab) -> None:
    process = subprocess.Popen(
        as_the_unit("export", "v0", "--listen", LISTEN, "-i", "0.2"),
        env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:

        def answers() -> bool:
            assert process.poll() is None, process.stderr and process.stderr.read()
            return scraped() is not None

        until(answers, "the exporter has a sample")
        with open(f"/proc/{process.pid}/status") as file:
            status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
        assert status["Uid"].split() == [str(NOBODY)] * 4
        # The main thread has given up all of them by now; the sampler holds what the unit gives.
        threads = [path.read_text() for path in Path(f"/proc/{process.pid}/task").glob("*/status")]
        masks = {int(mask, 16) for text in threads for mask in re.findall(r"^CapEff:\t(\w+)$", text, re.MULTILINE)}
        assert masks == {0, sum(1 << bit for bit in BITS.values())}
        assert int(status["CapBnd"], 16) == sum(1 << bit for bit in BITS.values())
        lab.send_far("v1", SENT)
        key = ("bpftop_protocol_packets_total", "rx", "v0", "other ethertype")
        until(lambda: (scraped() or {}).get(key) == SENT, scraped)

        def unavailable() -> set[str]:
            metrics = until(scraped, "the exporter answers")
            return {values[0] for name, *values in metrics if name == "bpftop_unavailable"}

        # These privileges are enough for tracepoints too, which load after the first samples.
        until(lambda: not unavailable() & {"drops", "xdp_exceptions", "conntrack"}, unavailable)
    finally:
        process.terminate()
        said = process.communicate(timeout=LIMIT_S)[1]
    metrics, *notices = said.splitlines()
    assert metrics == f"bpftop: metrics at http://{LISTEN}/metrics"
    assert [notice.partition(" until ")[0] for notice in notices] == ["bpftop: v0: Native XDP on v0,"]
    assert process.returncode == 0


def test_what_these_capabilities_do_not_allow_is_said(lab: Lab) -> None:
    lab.foreign_xdp("v0")
    with subprocess.Popen(
        as_the_unit("watch", "v0", "-i", "0.2", "--format", "json"),
        env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        for line in process.stdout:
            whole = json.loads(line)
            assert whole["interfaces"][0]["hooks"]["rx"]["hook"] == "tcx"
            reason = next((each["reason"] for each in whole["unavailable"] if each["part"] == "xdp_verdicts"), "")
            if "being loaded" not in reason:
                break
        process.terminate()
    assert "CAP_SYS_ADMIN" in reason
    assert os.geteuid() == 0  # it was nobody for the exporter alone
