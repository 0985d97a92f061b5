"""Samples as JSON lines, ``bpftop.sample/1``: everything that was read in one tick, for ``bpftop replay -``."""

from __future__ import annotations

import json
from typing import Any

from bpftop.model.sample import Interface, Reading, Sample

SCHEMA = "bpftop.sample/1"


def sample_line(sample: Sample) -> str:
    """One sample on one line, ASCII only, with a newline at the end; the fields are those of ``Sample``."""
    whole = {
        "schema": SCHEMA,
        "seq": sample.seq,
        "boot_id": sample.boot_id,
        "host": sample.host,
        "wall_ns": sample.wall_ns,
        "mono_ns": sample.mono_ns,
        "possible_cpus": sample.possible_cpus,
        "online_cpus": sample.online_cpus,
        "interfaces": [_interface(interface) for interface in sample.interfaces],
        "readings": {name: _reading(reading) for name, reading in sample.readings.items()},
        "unavailable": dict(sample.unavailable),
    }
    return json.dumps(whole, separators=(",", ":"), allow_nan=False) + "\n"


def _interface(interface: Interface) -> dict[str, Any]:
    hooks = {direction: vars(hook) for direction, hook in interface.hooks.items()}
    return {**vars(interface), "hooks": hooks}


def _reading(reading: Reading) -> dict[str, Any]:
    return {
        "family": reading.family,
        "read_ns": reading.read_ns,
        "cost_ns": reading.cost_ns,
        "epoch": reading.epoch,
        "keys": reading.keys,
        "values": reading.values.tolist(),
        "missing": sorted(reading.missing),
    }
