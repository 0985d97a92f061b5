"""Many hosts as a table and as a document."""

from __future__ import annotations

import json
import re
import time

import jsonschema

from bpftop.export.fleet.fleet_document import fleet_json, fleet_table
from bpftop.fleet.host_state import HostState
from contrib.json_schemas import EXPORT
from tests.export.moments import ETH0, moment

WALL_NS = 1_764_126_764_000_000_000
STATES = (
    HostState("web-17", "watching", snapshot=moment(ETH0), decided=True),
    HostState("db-1", "failed", "Permission denied (publickey).", time.monotonic() + 3600, decided=True),
    HostState("db-2"),
    HostState("cache", "silent", "no samples come any more", snapshot=moment(ETH0), decided=True),
)
TABLE = """\
03:12:44Z  1 of 4 hosts watched
host    interface  RX pps   RX bit/s  TX pps   TX bit/s   LOST   CPU  finding
web-17  eth0       1.25 k   681 kb/s  1.25 k   681 kb/s      0     -
db-1                    -          -       -          -      -     -  failed: Permission denied (publickey).; next attempt in N s
db-2                    -          -       -          -      -     -  connecting
cache   eth0            -          -       -          -      -     -  silent: no samples come any more
"""  # noqa: E501


def test_a_table() -> None:
    assert re.sub(r"in \d+ s", "in N s", fleet_table(STATES, WALL_NS)) == TABLE


def test_a_document() -> None:
    document = json.loads(fleet_json(STATES, WALL_NS))
    jsonschema.validate(document, json.loads((EXPORT / "fleet/fleet.schema.json").read_text()))
    assert document["taken_at"] == "2025-11-26T03:12:44.000Z"
    web, db, waiting, cache = document["hosts"]
    assert web["interfaces"][0]["rx"] == {"packets_per_sec": 1251.0, "bits_per_sec": 680784.0}
    assert (db["contact"], db["why"], db["interfaces"]) == ("failed", "Permission denied (publickey).", [])
    assert (waiting["contact"], waiting["retry_in_s"], waiting["taken_at"]) == ("connecting", None, None)
    assert cache["interfaces"][0]["rx"]["packets_per_sec"] is None  # the last rates are not of this moment
