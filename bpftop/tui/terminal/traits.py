"""Find out how many colours the terminal has and whether it shows more than ASCII. Textual is not imported here."""

from __future__ import annotations

from collections.abc import Mapping

from bpftop.fields import frozen
from bpftop.render.ascii import ascii_needed

TRUE_COLOUR = 1 << 24
LOW_BANDWIDTH = 1000
"""Bytes per second of ``--low-bandwidth``."""

BELOW_SCREEN = "\x1b[0m\x1b[999;1H\r\n"
"""Written before the alternate screen is left. A terminal without one, such as GNU screen as it comes, would have the
next prompt in the middle of the last picture."""


@frozen
class TerminalTraits:
    """``colours``: 0, 8, 16, 256 or 2**24. ``bytes_per_sec``: limit of what ticks write; None: there is none."""

    colours: int = TRUE_COLOUR
    ascii_only: bool = False
    bytes_per_sec: int | None = None


def terminal_traits(
    environ: Mapping[str, str], *, ascii_only: bool = False, low_bandwidth: bool = False
) -> TerminalTraits:
    """Return the traits of the terminal that the environment names.

    Args:
        environ: The environment: NO_COLOR, COLORTERM, TERM, and the locale by way of Python's.
        ascii_only: The person asks for ASCII.
        low_bandwidth: The person asks for LOW_BANDWIDTH bytes per second at most. The codes of 16 colours take 2 to 5
            bytes, the codes of 2**24 colours 16.
    """
    colours = _colours(environ, environ.get("TERM", ""))
    ascii_only = ascii_only or ascii_needed(environ)
    traits = TerminalTraits(colours, ascii_only)
    return slow_traits(traits) if low_bandwidth else traits


def slow_traits(traits: TerminalTraits) -> TerminalTraits:
    """Return what a terminal at the end of a slow line is shown."""
    return TerminalTraits(min(16, traits.colours), traits.ascii_only, LOW_BANDWIDTH)


def _colours(environ: Mapping[str, str], term: str) -> int:
    if environ.get("NO_COLOR"):
        return 0
    if environ.get("COLORTERM", "").lower() in ("truecolor", "24bit"):
        return TRUE_COLOUR
    if "256color" in term:
        return 256
    import curses  # late: few terminals leave their colours to terminfo

    try:
        curses.setupterm(term)
        known = curses.tigetnum("colors")
    except curses.error:  # no such entry in the terminfo database
        return 16
    return max((count for count in (0, 8, 16, 256) if count <= known), default=0)
