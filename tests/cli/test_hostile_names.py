"""An interface whose name is not UTF-8: the same escape in every format and every locale."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from bpftop.demo.lab import Lab
from bpftop.demo.sides import WATCHED
from tests.cli.running import environment, side_by_side

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
    """Return the output of a verb on the interface."""
    return outputs(lab, locale, words)[0]


def outputs(lab: Lab, locale: str, *commands: tuple[str, ...]) -> list[str]:
    """Run verbs on the interface at the same time, and return their output, which is UTF-8 in every locale."""
    options = ("--netns", str(lab.pid()), "--attach", "none")
    words = [(verb, os.fsdecode(NAME), *more, *options) for verb, *more in commands]
    ends = side_by_side(*words, env=environment(**LOCALES[locale]), encoding="utf-8")
    for done in ends:
        assert done.returncode in (0, 5), done.stderr
    return [done.stdout for done in ends]


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
    names = ("table", "text", "markdown")
    words = ("diagnose", "-i", "0.5", "--duration", "4", "--format")
    for name, text in zip(names, outputs(lab, locale, *((*words, name) for name in names)), strict=True):
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
