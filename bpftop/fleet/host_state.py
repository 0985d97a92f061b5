"""The state of one host of a fleet at one moment."""

from __future__ import annotations

from typing import Literal

from bpftop.fields import frozen
from bpftop.model.snapshot import Snapshot

Contact = Literal["connecting", "watching", "silent", "failed"]
"""connecting: no sample has come yet; silent: samples came, and now none comes; failed: ssh or bpftop has ended."""


@frozen
class HostState:
    """A host, the contact with it, and its newest snapshot, which stays while the host is silent or has failed.

    ``why`` is the reason of a contact that is not good, ``retry_s`` the CLOCK_MONOTONIC time of the next attempt.
    ``decided``: the host has sent rates or has failed since the fleet was started.
    """

    host: str
    contact: Contact = "connecting"
    why: str = ""
    retry_s: float | None = None
    snapshot: Snapshot | None = None
    skipped: int = 0
    """Lines of this connection that were no samples, or more than the host was asked for."""
    decided: bool = False
