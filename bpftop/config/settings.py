"""The settings of config.yaml, with their defaults."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Literal, get_args

from bpftop.fields import field, frozen
from bpftop.hooks.attach_facts import LIMIT_SOFTIRQ_SHARE, AttachMode, LoadLimits

if TYPE_CHECKING:
    from bpftop.rules.rule import Rule

INTERVAL_MIN_S, INTERVAL_MAX_S = 0.1, 3600.0
FlowsOnFinding = Literal["auto", "never"]
FLOWS_ON_FINDING: tuple[FlowsOnFinding, ...] = get_args(FlowsOnFinding)
ATTACH_MODES: tuple[AttachMode, ...] = get_args(AttachMode)


@frozen
class Settings:
    """Settings of a person. An option of the command line wins over them."""

    interval_s: float = 1.0
    """``interval``: seconds between two ticks, 0.1 to 3600."""

    attach: AttachMode = "auto"
    """``attach``: where to count, one of ATTACH_MODES. ``native`` in the file agrees to native XDP."""

    theme: str | None = None
    """``theme``: a theme that comes with bpftop, or a file in ``themes/`` beside ``config.yaml``."""

    thresholds: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """``thresholds``: rule id -> name of a threshold -> number that replaces the built-in number."""

    silence: frozenset[str] = frozenset()
    """``silence``: ids of rules that are not checked."""

    flows_on_finding: FlowsOnFinding = "auto"
    """``flows_on_finding``: ``auto`` counts flows for 10 s when a flood or the like is found; ``never`` does not."""

    keys: Mapping[str, str] = field(default_factory=dict)
    """``keys``: id of an action -> the keys that call it, separated by commas, as in ``pause: p,space``."""

    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """``columns``: id of a pane -> ids of the columns that its table shows, beside the first one."""

    netns: str | None = None
    """``netns``: network namespace of the interfaces, as ``--netns``."""

    drops: bool = True
    """``drops``: false is ``--no-drops``."""

    yes: bool = False
    """``yes``: true is ``--yes``."""

    mouse: bool = True
    """``mouse``: false is ``--no-mouse``."""

    low_bandwidth: bool = False
    """``low_bandwidth``: true is ``--low-bandwidth``."""

    ascii: bool = False
    """``ascii``: true is ``--ascii``."""

    verbs: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    """A field per verb: option, with ``_`` for ``-``, -> its value, as in ``diagnose: {fail_on: warning}``."""

    @property
    def load_limits(self) -> LoadLimits:
        """``thresholds``, ``attach``: the received load from which ``auto`` does not count by native XDP."""
        limits = self.thresholds.get("attach", {})
        return LoadLimits(
            limits.get("retreat_bits_per_sec"),
            limits.get("retreat_packets_per_sec"),
            limits.get("retreat_softirq", LIMIT_SOFTIRQ_SHARE),
        )

    def rules(self) -> tuple[Rule, ...]:
        """Return the rules that are not silenced, with these thresholds."""
        from bpftop.rules.table import chosen

        return chosen(self.thresholds, self.silence)


def known_thresholds() -> dict[str, Collection[str]]:
    """Return the names under ``thresholds``: rule id -> its limits, and each limit with ``_clear`` appended."""
    from bpftop.rules.table import RULES  # late: only a file that has the field needs them

    rules = {rule.id: [name + end for name in rule.limits for end in ("", "_clear")] for rule in RULES}
    return {"attach": ("retreat_bits_per_sec", "retreat_packets_per_sec", "retreat_softirq"), **rules}


def interval_s(text: str) -> float:
    """Return the seconds of an interval. Raises ValueError with the reason."""
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a number of seconds") from None
    if not INTERVAL_MIN_S <= value <= INTERVAL_MAX_S:
        raise ValueError(f"{text} is not between {INTERVAL_MIN_S:g} and {INTERVAL_MAX_S:g} seconds")
    return value
