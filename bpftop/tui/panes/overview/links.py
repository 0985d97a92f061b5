"""How much arrives: a line per interface where there are several, then RX, TX and CPU of the one that is looked at."""

from __future__ import annotations

from bpftop.model.cpu_readings import softirq_share
from bpftop.model.sample import DIRECTIONS, Direction
from bpftop.model.snapshot import TOTAL, InterfaceSnapshot
from bpftop.model.units import UNKNOWN, compact, factor, heat, pct, si, spark
from bpftop.render.columns import change_look, size_text
from bpftop.render.rows import effective_cpus, share
from bpftop.tui.view import PaneInput, window
from bpftop.tui.widgets.line import Line, clean, crop, fit, length, line

TREND_CELL_S = 5.0


def links(frame: PaneInput) -> list[Line]:
    return [*interfaces(frame), direction_line(frame, "rx"), direction_line(frame, "tx"), cpu_line(frame)]


def interfaces(frame: PaneInput) -> list[Line]:
    """The total and each interface; nothing where there is only one."""
    if not frame.many:
        return []
    rows: list[tuple[str, InterfaceSnapshot]] = [
        (TOTAL, frame.shown.total),
        *((w.label, w) for w in frame.shown.interfaces),
    ]
    labels = [label for label, _ in rows]
    shown = max(3, frame.height // 4)
    top = window(labels, frame.view.label, shown) if len(rows) > shown else 0
    heads = f"  {'Interface':<13}{'RX pps':>9}{'RX bit/s':>11}{'TX pps':>9}{'TX bit/s':>11}"
    hidden = len(rows) - min(shown, len(rows))
    head = line((heads, "title"), (f"  {hidden} more: tab" if hidden else "", "key"))
    return [crop(head, frame.width), *(_interface(frame, label, w) for label, w in rows[top : top + shown])]


def _interface(frame: PaneInput, label: str, watched: InterfaceSnapshot) -> Line:
    chosen = label == frame.view.label
    rx, tx = watched.rx.totals, watched.tx.totals
    cells = "".join(f"{si(t.packets_per_sec):>9}{si(t.bits_per_sec, 'b/s'):>11}" for t in (rx, tx))
    marker = ("▸ " if chosen else "  ", "key")
    name = (f"{clean(watched.interface.name if label == TOTAL else label)[:13]:<13}", "name" if chosen else "text")
    return crop(line(marker, name, cells, *_note(frame, label, watched)), frame.width)


def _note(frame: PaneInput, label: str, watched: InterfaceSnapshot) -> Line:
    left_out = frame.shown.left_out
    if label == TOTAL:
        names = ", ".join(clean(name) for name in left_out)
        return line((f"  without {names}" if names else "", "muted"))
    if watched.interface.state != "up":
        word = {"down": "down", "gone": "gone", "moved": "moved away"}[watched.interface.state]
        return line((f"  {word}", "alarm"))
    if label in left_out:
        return line((f"  left out: {clean(left_out[label])}", "muted"))
    return line((f"  {watched.rx.hook}, {watched.tx.hook}", "muted"))


def direction_line(frame: PaneInput, direction: Direction) -> Line:
    """``RX   1.24 Mpps   812 Mb/s   82 B  11 % of 10G  ▁▂▃  12 x 1 min ago``; the trend takes what is left."""
    totals = frame.watched.traffic(direction).totals
    past = frame.past_of(frame.watched, direction)
    ago = "mark" if frame.view.mark else "1 min ago"
    use = utilisation(frame.watched, direction)
    head = line(
        (direction.upper(), "name" if direction == frame.view.direction else "muted"),
        f"{si(totals.packets_per_sec, 'pps'):>12}{si(totals.bits_per_sec, 'b/s'):>11}",
        f"{size_text(totals.mean_size_bytes):>8}{use:>{len(use) and 15}}  ",
    )
    then = past.then("packets")
    change = f"{factor(totals.packets_per_sec, then):>6}"
    tail = line((change, change_look(totals.packets_per_sec, then)), (f" x {ago}", "muted"))
    cells = min(60, frame.width - length(head) - length(tail))
    trend = spark(past.trend("packets", cells, TREND_CELL_S), cells) if cells > 0 else ""
    return crop(line(*head, (trend, "trend"), *tail), frame.width)


def utilisation(watched: InterfaceSnapshot, direction: Direction) -> str:
    """``11 % of 10G``; empty where the speed is not known or not to be believed."""
    speed = watched.interface.speed_bits_per_sec
    return f"{pct(watched.utilisation(direction))} of {compact(speed)}" if speed else ""


def cpu_line(frame: PaneInput) -> Line:
    """``CPU  ▁▁▁█▁▁  1.1 of 16 carry RX   busiest: CPU 3 with 97 %``."""
    online, direction = frame.traffic.online_cpus, frame.view.direction.upper()
    rates = [frame.traffic.cpu_rates[cpu] for cpu in online if cpu < len(frame.traffic.cpu_rates)]
    if not rates:
        waiting = any(frame.watched.traffic(d).hook.hook != "none" for d in DIRECTIONS) or frame.many
        why = "not known yet" if waiting and frame.shown.interval_ns is None else f"not known for {direction}"
        return crop(line(("CPU", "muted"), ("  " + why, "muted")), frame.width)
    effective = effective_cpus(rates)
    carry = f"{UNKNOWN if effective is None else f'{effective:.1f}'} of {len(online)} carry {direction}"
    busiest = max(range(len(rates)), key=lambda i: rates[i] or 0.0)
    part = share(rates[busiest], sum(r for r in rates if r is not None))
    says = f"  {carry:<22}  busiest: CPU {online[busiest]}, {pct(part)}" if part else f"  {carry}"
    room = frame.width - 55
    strip, each = heat(rates, max(8, min(128, room if len(rates) <= room else room - 8)))
    softirq = softirq_share(frame.shown, online[busiest]) if part else None
    if softirq is not None:
        more = f", softirq {pct(softirq)}"
        fits = 5 + len(strip) + len(says) + len(more) <= frame.width
        says = f"{says}{more}" if fits else says.replace(f", {pct(part)}", more)
    shared = f"  {each} CPUs a cell"
    if each > 1 and 5 + len(strip) + len(shared) + len(says) <= frame.width:
        says = f"{shared}{says}"
    return fit(line(("CPU  ", "muted"), (strip, "trend"), says), frame.width)
