"""The lines about traffic above the tables: each interface, RX and TX of the selected interface, and its CPUs."""

from __future__ import annotations

from bpftop.model.cpu_readings import softirq_share
from bpftop.model.sample import DIRECTIONS, Direction
from bpftop.model.snapshot import TOTAL, InterfaceSnapshot
from bpftop.model.units import UNKNOWN, compact, factor, heat, pct, si, spark
from bpftop.render.columns import change_look, size_text
from bpftop.render.comparison import ratio
from bpftop.render.rows import effective_cpus
from bpftop.tui.view import PaneInput, first_visible, listed
from bpftop.tui.widgets.line import Line, clean, crop, fit, length, line

TREND_CELL_S = 5.0


def traffic_lines(pane_input: PaneInput) -> list[Line]:
    """Return the interfaces, both directions and the CPUs."""
    directions = [direction_line(pane_input, direction) for direction in DIRECTIONS]
    return [*_interfaces(pane_input), *directions, _cpu_line(pane_input)]


def _interfaces(pane_input: PaneInput) -> list[Line]:
    """Return the total and each interface; nothing if only one interface is watched."""
    if not pane_input.has_many_interfaces:
        return []
    rows: list[tuple[str, InterfaceSnapshot]] = [
        (TOTAL, pane_input.snapshot.total),
        *((interface.label, interface) for interface in listed(pane_input.snapshot.interfaces)),
    ]
    labels = [label for label, _ in rows]
    count = max(3, pane_input.height // 4)
    top = first_visible(labels, pane_input.view.label, count) if len(rows) > count else 0
    heading = f"  {'Interface':<13}{'RX pps':>9}{'RX bit/s':>11}{'TX pps':>9}{'TX bit/s':>11}"
    hidden = len(rows) - min(count, len(rows))
    head = line((heading, "title"), (f"  {hidden} more: tab" if hidden else "", "key"))
    visible_rows = rows[top : top + count]
    return [crop(head, pane_input.width), *(_interface(pane_input, label, row) for label, row in visible_rows)]


def _interface(pane_input: PaneInput, label: str, interface: InterfaceSnapshot) -> Line:
    selected = label == pane_input.view.label
    both = (interface.rx.totals, interface.tx.totals)
    cells = "".join(f"{si(t.packets_per_sec):>9}{si(t.bits_per_sec, 'b/s'):>11}" for t in both)
    marker = ("▸ " if selected else "  ", "key")
    name = clean(interface.interface.name if label == TOTAL else label)[:13]
    named = (f"{name:<13}", "name" if selected else "text")
    return crop(line(marker, named, cells, *_note(pane_input, label, interface)), pane_input.width)


def _note(pane_input: PaneInput, label: str, interface: InterfaceSnapshot) -> Line:
    """Return what is special about the interface, or its hooks."""
    left_out = pane_input.snapshot.left_out
    if label == TOTAL:
        names = ", ".join(clean(name) for name in left_out)
        return line((f"  without {names}" if names else "", "muted"))
    if interface.interface.state != "up":
        state = {"down": "down", "gone": "gone", "moved": "moved away"}[interface.interface.state]
        return line((f"  {state}", "alarm"))
    if label in left_out:
        return line((f"  left out: {clean(left_out[label])}", "muted"))
    return line((f"  {interface.rx.hook}, {interface.tx.hook}", "muted"))


def direction_line(pane_input: PaneInput, direction: Direction) -> Line:
    """Return ``RX   1.24 Mpps   812 Mb/s   82 B  11 % of 10G  ▁▂▃  12 x 1 min ago``.

    The trend takes the cells that are left.
    """
    totals, past = pane_input.interface.traffic(direction).totals, pane_input.past_of(direction)
    use = _utilisation(pane_input.interface, direction)
    head = line(
        (direction.upper(), "name" if direction == pane_input.view.direction else "muted"),
        f"{si(totals.packets_per_sec, 'pps'):>12}{si(totals.bits_per_sec, 'b/s'):>11}",
        f"{size_text(totals.mean_size_bytes):>8}{use:>{len(use) and 15}}  ",
    )
    tail = _change(totals.packets_per_sec, past.then("packets"), pane_input.view.mark is not None)
    cells = min(60, pane_input.width - length(head) - length(tail))
    trend = spark(past.trend("packets", cells, TREND_CELL_S), cells) if cells > 0 else ""
    return crop(line(*head, (trend, "trend"), *tail), pane_input.width)


def _change(now: float | None, then: float | None, since_mark: bool) -> Line:
    """Return the change since the mark or since a minute ago: ``   12 x 1 min ago``, or ``new (...)`` after nothing."""
    change, look = factor(now, then), change_look(now, then)
    if then == 0 and now:
        return line(
            (f"  {change}", look), (" (nothing at the mark)" if since_mark else " (nothing a minute ago)", "muted")
        )
    return line((f"{change:>6}", look), (" x mark" if since_mark else " x 1 min ago", "muted"))


def _utilisation(interface: InterfaceSnapshot, direction: Direction) -> str:
    """Return ``11 % of 10G``; empty if the speed is unknown or implausible."""
    speed = interface.interface.speed_bits_per_sec
    return f"{pct(interface.utilisation(direction))} of {compact(speed)}" if speed else ""


def _cpu_line(pane_input: PaneInput) -> Line:
    """Return ``CPU  ▁▁▁█▁▁  1.1 of 16 carry RX   busiest: CPU 3, 97 %``."""
    width, traffic = pane_input.width, pane_input.traffic
    online, direction = traffic.online_cpus, pane_input.view.direction.upper()
    rates = [traffic.cpu_rates[cpu] for cpu in online if cpu < len(traffic.cpu_rates)]
    if not rates:
        any_program = any(pane_input.interface.traffic(d).hook.hook != "none" for d in DIRECTIONS)
        soon = pane_input.snapshot.interval_ns is None and (any_program or pane_input.has_many_interfaces)
        reason = "not known yet" if soon else f"not known for {direction}"
        return crop(line(("CPU", "muted"), (f"  {reason}", "muted")), width)
    room = width - 55
    strip, cpus_per_cell = heat(rates, max(8, min(128, room if len(rates) <= room else room - 8)))
    effective = effective_cpus(rates)
    carry = f"  {UNKNOWN if effective is None else f'{effective:.1f}'} of {len(online)} carry {direction}"
    busiest = max(range(len(rates)), key=lambda i: rates[i] or 0.0)
    text = carry
    if part := ratio(rates[busiest], sum(rate for rate in rates if rate is not None)):
        text = f"{carry:<24}  busiest: CPU {online[busiest]}, {pct(part)}"
        if (softirq := softirq_share(pane_input.snapshot, online[busiest])) is not None:
            addition = f", softirq {pct(softirq)}"
            fits = 5 + len(strip) + len(text) + len(addition) <= width
            text = f"{text}{addition}" if fits else text.replace(f", {pct(part)}", addition)
    scale = f"  {cpus_per_cell} CPUs a cell"
    if cpus_per_cell > 1 and 5 + len(strip) + len(scale) + len(text) <= width:
        text = f"{scale}{text}"
    return fit(line(("CPU  ", "muted"), (strip, "trend"), text), width)
