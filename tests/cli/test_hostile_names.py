"""An interface whose name is not UTF-8: the same escape in every format and every locale."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from bpftop.demo.lab import Lab
from bpftop.demo.sides import WATCHED
from tests.cli.running import COMMAND, default_signals, environment
from tests.waiting import LIMIT_S

pytestmark = pytest.mark.bpf

NAME = b'e"\xff\\'
SHOWN = r'e"\udcff' + "\\"
LOCALES: Mapping[str, Mapping[str, str]] = {
    "C.UTF-8": {"LC_ALL": "C.UTF-8"},
    "C": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
}
"""The second is the bare C locale: Python would choose UTF-8 by itself."""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab(quiet=True) as lab:
        lab.run_in(WATCHED, ["ip", "link", "set", lab.interface, "down"])
        lab.run_in(WATCHED, ["ip", "link", "set", lab.interface, "name", os.fsdecode(NAME)])
        yield lab


def output(lab: Lab, locale: str, *words: str) -> str:
    """Return the output of a verb on the interface, which is UTF-8 in every locale."""
    command = [os.fsencode(word) for word in (*COMMAND, *words[:1])]
    options = [os.fsencode(word) for word in (*words[1:], "--netns", str(lab.pid()), "--attach", "none")]
    done = subprocess.run(
        [*command, NAME, *options], env=environment(**LOCALES[locale]), capture_output=True, timeout=LIMIT_S,
        preexec_fn=default_signals,
    )  # fmt: skip
    assert done.returncode in (0, 5), done.stderr
    return done.stdout.decode()


@pytest.mark.parametrize("locale", LOCALES)
def test_json(lab: Lab, locale: str) -> None:
    text = output(lab, locale, "snapshot", "-i", "0.1", "--format", "json")
    assert json.loads(text)["interfaces"][0]["label"] == SHOWN
    line = output(lab, locale, "watch", "-i", "0.1", "--count", "1", "--format", "json")
    assert json.loads(line)["interfaces"][0]["name"] == SHOWN


@pytest.mark.parametrize("locale", LOCALES)
def test_samples_say_their_tool(lab: Lab, locale: str) -> None:
    sample = json.loads(output(lab, locale, "watch", "-i", "0.1", "--count", "1", "--format", "samples"))
    assert (sample["schema"], sample["tool"]["name"]) == ("bpftop.sample/1", "bpftop")
    assert sample["interfaces"][0]["label"] == SHOWN


@pytest.mark.parametrize("locale", LOCALES)
def test_a_diagnosis(lab: Lab, locale: str) -> None:
    for name in ("table", "text", "markdown"):
        text = output(lab, locale, "diagnose", "-i", "0.5", "--duration", "4", "--format", name)
        assert (SHOWN.replace("\\", "\\\\") if name == "markdown" and SHOWN not in text else SHOWN) in text


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("verb", ["snapshot", "watch"])
def test_text_formats(lab: Lab, verb: str, locale: str) -> None:
    count = ("--count", "1") if verb == "watch" else ()
    assert SHOWN in output(lab, locale, verb, "-i", "0.1", *count, "--format", "table")
    assert SHOWN in output(lab, locale, verb, "-i", "0.1", *count, "--format", "markdown")
    assert SHOWN.replace('"', '""') in output(lab, locale, verb, "-i", "0.1", *count, "--format", "csv")


@pytest.mark.parametrize("locale", LOCALES)
def test_openmetrics_is_strict(lab: Lab, locale: str) -> None:
    text = output(lab, locale, "snapshot", "-i", "0.1", "--format", "openmetrics")
    families = list(text_string_to_metric_families(text))
    names = {sample.labels.get("interface") for family in families for sample in family.samples}
    assert SHOWN in names
