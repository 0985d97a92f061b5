"""Folders by the XDG Base Directory Specification. Behind sudo they are in the home of the person who called it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from bpftop.config.caller import home


def config_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of ``config.yaml`` and ``themes/``, which may not exist."""
    return _folder(environment, "XDG_CONFIG_HOME", ".config")


def state_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of stored runs, which may not exist."""
    return _folder(environment, "XDG_STATE_HOME", ".local/state")


def _folder(environment: Mapping[str, str], variable: str, default: str) -> Path:
    base = environment.get(variable, "")
    if not os.path.isabs(base):  # the specification: a relative path is to be ignored
        base = os.path.join(home(environment), default)
    return Path(base, "bpftop")
