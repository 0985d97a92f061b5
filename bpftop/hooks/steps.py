"""Plans: the steps to try on a device in order, and the steps that remain after a refusal."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from typing import Literal

from bpftop.fields import frozen, frozen_often
from bpftop.hooks.attach_facts import LinkLayer

ProgramName = Literal["count_xdp", "count_xdp_frags", "count_tc"]


@frozen
class AttachStep:
    """An attachment to try. ``mode`` is set for XDP only."""

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


@frozen_often
class AttachPlan:
    """Steps per direction, to try in order until a step succeeds; rtnetlink totals remain if none does.

    ``forced``: it is an error if no receive step succeeds. ``retreats``: TCX replaces native XDP when the load rises.
    ``refusal``: an error instead of steps. ``offer``: effect of accepting native XDP.
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
    """Return the steps that remain after ``failed`` failed with an errno.

    ERANGE and EINVAL refuse the program, so the twin for fragments is next. EPERM holds for all steps, and without the
    device (ENODEV) no step remains. Any other errno, also of an occupied hook, refuses the hook.
    """
    later = tuple(steps[list(steps).index(failed) + 1 :])
    if number in (errno.EPERM, errno.ENODEV):
        return ()
    if number in (errno.ERANGE, errno.EINVAL):
        return later
    return tuple(step for step in later if step.hook != failed.hook)
