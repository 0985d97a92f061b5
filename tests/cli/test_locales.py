"""Names are bytes, and documents show them the same whatever the locale is: C, UTF-8 and ISO-8859-1."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.bpf.devices import Lab
from tests.cli.running import COMMAND, environment
from tests.waiting import LIMIT_S

pytestmark = pytest.mark.bpf

NAMES = {b"b\xc3\xa9": "bé", b"y\xe9z": "y\\udce9z"}
"""Bytes of a name, and what documents show: bytes that are not UTF-8 as Python's escapes."""
LOCALES = {
    "C": {"LC_ALL": "C"},
    "C without Python's UTF-8": {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
    "UTF-8": {"LC_ALL": "C.UTF-8"},
    "ISO-8859-1": {"LC_ALL": "en_US.ISO-8859-1"},
}


def snapshot(name: bytes, format_name: str, locale: Mapping[str, str]) -> subprocess.CompletedProcess[bytes]:
    words = ("-i", "0.1", "--attach", "none", "--format", format_name)
    command = [*map(os.fsencode, (*COMMAND, "snapshot")), name, *map(os.fsencode, words)]
    return subprocess.run(command, env=environment(**locale), capture_output=True, timeout=LIMIT_S)


@pytest.mark.parametrize("locale", LOCALES)
def test_names_are_the_same_in_every_locale(lab: Lab, locale: str, tmp_path: Path) -> None:
    settings = {**LOCALES[locale], "LOCPATH": str(tmp_path)}
    if locale == "ISO-8859-1":
        command = ["localedef", "-i", "en_US", "-f", "ISO-8859-1", str(tmp_path / settings["LC_ALL"])]
        subprocess.run(command, check=True, capture_output=True)
    elif locale == "UTF-8":
        del settings["LOCPATH"]  # glibc's own C.UTF-8
    for name, shown in NAMES.items():
        subprocess.run([b"ip", b"link", b"add", name, b"type", b"veth"], check=True)
        document = snapshot(name, "json", settings)
        assert document.returncode == 0, document.stderr
        assert [interface["name"] for interface in json.loads(document.stdout)["interfaces"]] == [shown]
        rows = snapshot(name, "csv", settings)
        assert rows.returncode == 0, rows.stderr
        assert shown.encode() in rows.stdout
        assert b"Traceback" not in document.stderr + rows.stderr
