"""Plans: the steps to try on a device, in order, and what is left of them after a refusal."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bpftop.hooks.facts import LinkLayer

ProgramName = Literal["count_xdp", "count_xdp_frags", "count_tc"]


@dataclass(frozen=True)
class AttachStep:
    """One thing to try. ``mode`` is for XDP only."""

    hook: Literal["xdp", "tcx", "clsact"]
    program: ProgramName
    mode: Literal["native", "generic"] | None = None

    def __str__(self) -> str:
        if self.hook == "xdp":
            return "Native XDP" if self.mode == "native" else "Generic XDP"
        return "TCX" if self.hook == "tcx" else "clsact"


NATIVE = AttachStep("xdp", "count_xdp", "native")
NATIVE_FRAGS = AttachStep("xdp", "count_xdp_frags", "native")
GENERIC = AttachStep("xdp", "count_xdp", "generic")
TCX = AttachStep("tcx", "count_tc")
CLSACT = AttachStep("clsact", "count_tc")


@dataclass(frozen=True)
class AttachPlan:
    """Steps per direction, to try in order until one holds; after the last one there are rtnetlink totals.

    ``forced``: it is an error when no receive step holds. ``retreats``: native XDP is given up when the load rises.
    ``refusal``: an error already, nothing is to be tried. ``offer``: what accepting would do.
    """

    rx: tuple[AttachStep, ...] = ()
    tx: tuple[AttachStep, ...] = ()
    link_layer: LinkLayer = "ethernet"
    forced: bool = False
    retreats: bool = False
    notices: tuple[str, ...] = ()
    offer: str | None = None
    refusal: str | None = None


def remaining(steps: Sequence[AttachStep], failed: AttachStep, number: int) -> tuple[AttachStep, ...]:
    """What is left of the steps behind ``failed`` after the kernel's errno.

    ERANGE and EINVAL mean "not this program", so the twin for fragments is next. EPERM holds for all of them, and
    without the device (ENODEV) there is nothing to try. Anything else, an occupied hook too, means "not this hook".
    """
    behind = tuple(steps[list(steps).index(failed) + 1 :])
    if number in (errno.EPERM, errno.ENODEV):
        return ()
    if number in (errno.ERANGE, errno.EINVAL):
        return behind
    return tuple(step for step in behind if step.hook != failed.hook)
