"""The person who called sudo."""

from __future__ import annotations

import os
from collections.abc import Mapping

from bpftop.fields import frozen


@frozen
class Caller:
    """User and group of the person who called sudo."""

    uid: int
    gid: int


def sudo_caller(environment: Mapping[str, str] = os.environ) -> Caller | None:
    """Return the person who called sudo; None where this process is not root behind sudo."""
    uid, gid = _account(environment, "SUDO_UID"), _account(environment, "SUDO_GID")
    return None if uid is None or gid is None or os.geteuid() != 0 else Caller(uid, gid)


def _account(environment: Mapping[str, str], variable: str) -> int | None:
    """Return the number in a variable; None where it is no uid_t (32 bits, all set: no account)."""
    text = environment.get(variable, "")
    return int(text) if text.isdecimal() and len(text) <= 10 and int(text) < 2**32 - 1 else None


def home(environment: Mapping[str, str] = os.environ) -> str:
    """Return the home of the person who called sudo (which sets HOME to root's home), else the user's home."""
    user = environment.get("SUDO_USER", "")
    path = os.path.expanduser(f"~{user}") if user and os.geteuid() == 0 else ""
    return path if os.path.isabs(path) else os.path.expanduser("~")  # not absolute: the account is gone
