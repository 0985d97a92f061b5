"""The profile of a BPF program in a sentence."""

from __future__ import annotations

from bpftop.measure.programs.program_profile import ProgramProfile
from bpftop.model.units import si


def profile_text(profile: ProgramProfile) -> str:
    """Return the mean of each counter for a run."""
    if not profile.runs:
        return f"the program did not run within {profile.seconds:g} s"
    means = {name: count / profile.runs for name, count in profile.counts.items()}
    parts = [f"{_few(mean)} {name}" for name, mean in means.items()]
    if means.get("cycles") and "instructions" in means:
        parts.append(f"{means['instructions'] / means['cycles']:.2f} instructions a cycle")
    how = f"means of {si(profile.runs)} runs in {profile.seconds:g} s, with a part of the measuring itself"
    if profile.share <= 0.99:
        how += f"; estimated from {profile.share:.0%} of the time, as the PMU had more to count"
    return f"{', '.join(parts)}: {how}"


def _few(value: float) -> str:
    return si(value) if value >= 10 else f"{value:.2g}"
