"""Files of contrib for Prometheus, Grafana and systemd: equal to what their generator writes, and valid."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from bpftop.cli.options import parser_for
from bpftop.cli.verb_table import MODULES
from bpftop.export.prometheus.metrics import metrics
from bpftop.rules.table import RULES
from contrib.monitoring import ALERTS, ALERTS_TEST, DASHBOARD, HERE, PANELS, texts
from tests.waiting import LIMIT_S

METRIC = re.compile(r"\bbpftop_[a-z0-9_]+")


def promtool(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["promtool", *words], cwd=HERE / "prometheus", capture_output=True, text=True, timeout=LIMIT_S
    )


def known() -> set[str]:
    return {f"{metric.name}{'_total' if metric.kind == 'counter' else ''}" for metric in metrics(None)}


@pytest.mark.parametrize("name", texts())
def test_what_is_committed_is_what_the_generator_makes(name: str) -> None:
    assert (HERE / name).read_text() == texts()[name], "run `python -m contrib.monitoring`"


@pytest.mark.needs("promtool")
def test_promtool_takes_the_rules() -> None:
    checked = promtool("check", "rules", Path(ALERTS).name)
    assert checked.returncode == 0, checked.stderr
    alerts = sum(severity != "info" for rule in RULES for severity in rule.severities) + 2  # and down, and stalled
    assert f"SUCCESS: {alerts} rules found" in checked.stdout


@pytest.mark.needs("promtool")
def test_every_alert_fires_at_its_level_and_only_then() -> None:
    tested = promtool("test", "rules", Path(ALERTS_TEST).name)
    assert (tested.returncode, tested.stderr) == (0, "")
    assert "SUCCESS" in tested.stdout


@pytest.mark.needs("promtool")
def test_an_alert_that_fires_too_early_is_found(tmp_path: Path) -> None:
    """The test of the rules is one that can fail."""
    whole = yaml.safe_load((HERE / ALERTS_TEST).read_text())
    whole["tests"] = whole["tests"][:1]
    whole["tests"][0]["alert_rule_test"][0]["exp_alerts"] = whole["tests"][0]["alert_rule_test"][1]["exp_alerts"]
    shutil.copy(HERE / ALERTS, tmp_path)
    wrong = tmp_path / "wrong.yml"
    wrong.write_text(yaml.safe_dump(whole))
    assert promtool("test", "rules", str(wrong)).returncode == 1


def test_alerts_and_panels_ask_for_metrics_that_there_are() -> None:
    panels = json.loads((HERE / DASHBOARD).read_text())["panels"]
    expressions = [target["expr"] for panel in panels for target in panel.get("targets", [])]
    expressions += [rule["expr"] for rule in yaml.safe_load((HERE / ALERTS).read_text())["groups"][0]["rules"]]
    asked = {name for expression in expressions for name in METRIC.findall(expression.replace("{__name__=~", ""))}
    assert asked - {"bpftop_"} <= known()
    assert len(asked) > 8


def test_the_dashboard_has_a_row_for_each_block_of_the_screen() -> None:
    panels = json.loads((HERE / DASHBOARD).read_text())["panels"]
    assert [panel["title"] for panel in panels if panel["type"] == "row"] == list(PANELS)
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (place["x"] + x, place["y"] + y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["w"])
        for y in range(place["h"])
    ]
    assert len(set(cells)) == len(cells)  # no panel covers another
    assert max(x for x, _ in cells) < 24


def without_schema(document: Any) -> list[str]:
    """Return the fields of a dashboard that Grafana's schema does not have, or reads as something else."""
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.cog.plugins import register_default_plugins
    from grafana_foundation_sdk.models.dashboard import Dashboard

    register_default_plugins()
    return list(differences(document, json.loads(JSONEncoder().encode(Dashboard.from_json(document)))))


def differences(ours: Any, theirs: Any, place: str = "") -> Iterator[str]:
    """Yield the places of values that ``theirs`` lacks or has otherwise; what it has beyond ``ours`` are defaults."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for name, value in ours.items():
            yield from differences(value, theirs.get(name), f"{place}.{name}")
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for number, pair in enumerate(zip(ours, theirs, strict=True)):
            yield from differences(*pair, f"{place}[{number}]")
    elif ours != theirs:
        yield place


@pytest.mark.skipif(sys.version_info < (3, 11), reason="grafana-foundation-sdk needs Python 3.11")
def test_the_dashboard_is_one_by_the_schema_of_grafana() -> None:
    document = json.loads((HERE / DASHBOARD).read_text())
    assert without_schema(document) == []
    panel = next(panel for panel in document["panels"] if panel["type"] != "row")
    panel["gridPosition"] = panel.pop("gridPos")
    panel["targets"][0]["expression"] = panel["targets"][0].pop("expr")
    number = document["panels"].index(panel)
    assert without_schema(document) == [f".panels[{number}].targets[0].expression", f".panels[{number}].gridPosition"]


UNITS = sorted((HERE / "systemd").glob("*.service"))


def settings(unit: Path, name: str) -> list[str]:
    """Return the words of a setting that the unit has once."""
    (line,) = re.findall(rf"^{name}=(.*)$", unit.read_text(), re.MULTILINE)
    words: list[str] = line.split()
    return words


def test_the_endpoint_and_the_recording_have_units() -> None:
    assert [unit.name for unit in UNITS] == ["bpftop-export@.service", "bpftop-record@.service"]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_keeps_three_capabilities(unit: Path) -> None:
    for setting in ("AmbientCapabilities", "CapabilityBoundingSet"):
        assert set(settings(unit, setting)) == {"CAP_BPF", "CAP_PERFMON", "CAP_NET_ADMIN"}


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_call_beyond_the_filter_is_refused_and_does_not_kill(unit: Path) -> None:
    assert settings(unit, "SystemCallErrorNumber") == ["EPERM"]  # fsopen() of each start would end in SIGSYS


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_the_options_of_a_unit_exist(unit: Path) -> None:
    program, verb, *words = settings(unit, "ExecStart")
    assert program == "/usr/local/bin/bpftop"
    parser = parser_for(verb)
    import_module(f"{MODULES}.{verb}").add_arguments(parser)
    values = {"${PORT}": "9435", "${RING}": "24h", "${MAX_SIZE}": "2G"}
    parser.parse_intermixed_args([re.sub(r"\$\{[A-Z_]+\}$", lambda m: values[m[0]], word) for word in words])


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_hands_on_the_name_as_it_was_given(unit: Path) -> None:
    """%I makes br/lan of br-lan (systemd.unit: unescaped instance name)."""
    assert settings(unit, "ExecStart")[2] == "%i"
    assert "%I" not in unit.read_text()


def test_a_second_endpoint_may_have_a_port_of_its_own() -> None:
    unit = HERE / "systemd/bpftop-export@.service"
    assert settings(unit, "EnvironmentFile") == ["-/etc/default/bpftop-export-%i"]
    assert settings(unit, "ExecStart")[-1].endswith(":${PORT}")


RING = HERE / "systemd/ring.conf"


def test_the_options_of_the_flight_recorder_exist() -> None:
    (command,) = re.findall(r"^ExecStart=(\S.*)$", RING.read_text(), re.MULTILINE)
    program, verb, *words = command.split()
    assert (program, verb) == ("/usr/local/bin/bpftop", "record")
    parser = parser_for(verb)
    import_module(f"{MODULES}.{verb}").add_arguments(parser)
    values = {"${RING}": settings(RING, "Environment")[0].removeprefix("RING="), "${MAX_SIZE}": "1G"}
    parsed = parser.parse_intermixed_args([re.sub(r"\$\{[A-Z_]+\}$", lambda m: values[m[0]], word) for word in words])
    assert parsed.ring == 2 * 3600


@pytest.mark.needs("systemd-analyze")
def test_the_flight_recorder_is_a_drop_in_of_the_recording(tmp_path: Path) -> None:
    there = tmp_path / "bpftop-record@eth0.service"
    there.write_text((HERE / "systemd/bpftop-record@.service").read_text())
    folder = tmp_path / "bpftop-record@eth0.service.d"
    folder.mkdir()
    (folder / "ring.conf").write_text(RING.read_text().replace("/usr/local/bin/bpftop", "/bin/true"))
    checked = subprocess.run(["systemd-analyze", "verify", str(there)], capture_output=True, text=True, timeout=LIMIT_S)
    assert "bpftop-record" not in checked.stderr, checked.stderr


@pytest.mark.needs("systemd-analyze")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_is_one_that_systemd_understands(unit: Path, tmp_path: Path) -> None:
    there = tmp_path / unit.name.replace("@", "@eth0")
    there.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", unit.read_text(), flags=re.MULTILINE))
    checked = subprocess.run(["systemd-analyze", "verify", str(there)], capture_output=True, text=True, timeout=LIMIT_S)
    assert unit.name.partition("@")[0] not in checked.stderr, checked.stderr


@pytest.mark.needs("systemd-analyze")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_the_exposure_of_a_unit_is_low(unit: Path) -> None:
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=25", str(unit)]
    checked = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S)
    assert checked.returncode == 0, checked.stdout
