"""Numbers for people: SI units in a fixed width, so that a column never moves from one tick to the next."""

from __future__ import annotations

from collections.abc import Sequence

UNKNOWN = "-"
NS_PER_SEC = 10**9
_PREFIXES = ("", "k", "M", "G", "T", "P")
_BARS = " ▏▎▍▌▋▊▉█"
_SPARKS = "▁▂▃▄▅▆▇"  # not the full block: trends in rows below each other would grow together


def si(value: float | None, unit: str = "") -> str:
    """Return three significant digits and an SI prefix: ``999``, ``1.24 M``, ``12.4 Mb/s``; ``-`` where unknown.

    Numbers below 1000 are whole; below 10 they have one decimal unless it is 0.
    """
    if value is None:
        return UNKNOWN
    if 0 <= value < 999.5 and not unit:  # nearly all numbers of a screen
        return f"{value:.0f}" if value >= 9.95 or abs(value - round(value)) < 0.05 else f"{value:.1f}"
    scaled, prefix = float(value), 0
    # 999.5 would be printed as "1000": round up to the next prefix before that happens
    while scaled >= 999.5 and prefix < len(_PREFIXES) - 1:
        scaled /= 1000
        prefix += 1
    if prefix == 0:
        digits = 1 if 0 < scaled < 9.95 and abs(scaled - round(scaled)) >= 0.05 else 0
    else:
        digits = 2 if scaled < 9.995 else 1 if scaled < 99.95 else 0
    suffix = f"{_PREFIXES[prefix]}{unit}"
    return f"{scaled:.{digits}f}{' ' if suffix else ''}{suffix}"


def rough(value: float | None) -> str:
    """Return two significant digits, for sentences: ``1.2 k``, ``31 k``, ``840``."""
    if value is None:
        return UNKNOWN
    number, _, prefix = si(value).partition(" ")
    return (
        si(value)
        if not prefix or "." not in number
        else f"{float(number):.{1 if float(number) < 9.95 else 0}f} {prefix}"
    )


def ns(value: float | None) -> str:
    """Return nanoseconds in at most five cells: ``0.31``, ``48.2``, ``183``, ``2.93k``, ``1.72M``; unknown: ``-``."""
    if value is None:
        return UNKNOWN
    if value >= 999.5:
        return si(value).replace(" ", "")
    return f"{value:.{2 if value < 0.995 else 1 if value < 99.95 else 0}f}"


def pct(share: float | None) -> str:
    """Return a share of 1 as whole percent; ``<1 %`` is not zero."""
    if share is None:
        return UNKNOWN
    if 0 < share <= 0.005:
        return "<1 %"
    return f"{100 * share:.0f} %"


def factor(now: float | None, then: float | None) -> str:
    """Return ``now`` divided by ``then``: ``12``, ``1.0``; ``new`` where ``then`` is 0; ``-`` where unknown."""
    if now is None or then is None or then < 0:
        return UNKNOWN
    if then == 0:
        return "new" if now > 0 else UNKNOWN
    ratio = now / then
    if ratio >= 9.95:
        return f"{ratio:.0f}" if ratio < 9999.5 else ">9999"
    return f"{ratio:.1f}"


def bar(share: float | None, width: int) -> str:
    """Return a horizontal bar of ``width`` cells in eighths of a cell, padded with spaces."""
    eighths = 0 if share is None else round(max(0.0, min(1.0, share)) * width * 8)
    full, rest = divmod(eighths, 8)
    return (_BARS[8] * full + (_BARS[rest] if rest else "")).ljust(width)


def spark(values: Sequence[float | None], width: int, top: float | None = None) -> str:
    """Return a trend of the last ``width`` values, scaled to ``top`` or to the largest; unknown is a space."""
    newest = values[-width:]
    peak = top if top is not None else max(filter(None, newest), default=0.0)
    if peak > 0:
        return "".join([" " if v is None else _SPARKS[min(6, int(v / peak * 6.999))] for v in newest]).rjust(width)
    return "".join([" " if v is None else _SPARKS[0] for v in newest]).rjust(width)


def since(seconds: float) -> str:
    """Return a time span in a few characters: ``14 s``, ``3 min``, ``2 h``, ``5 d``."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"


def heat(values: Sequence[float | None], width: int) -> tuple[str, int]:
    """Return a strip of at most ``width`` cells, and the number of values per cell; a cell shows their largest."""
    if not values or width < 1:
        return "", 1
    each = -(-len(values) // width)
    cells: list[float | None] = [
        max((v for v in values[i : i + each] if v is not None), default=None) for i in range(0, len(values), each)
    ]
    return spark(cells, len(cells)), each


def compact(value: float | None) -> str:
    """Return ``si`` without spaces and trailing zeros, for a limit in a sentence: ``10G``, ``2.5G``."""
    number, _, prefix = si(value).partition(" ")
    return (number.rstrip("0").rstrip(".") if "." in number else number) + prefix
