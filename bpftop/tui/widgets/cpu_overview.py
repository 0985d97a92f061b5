"""The CPUs in one line of the Overview."""

from __future__ import annotations

from collections.abc import Sequence

from bpftop.model.cpu_readings import softirq_share
from bpftop.model.sample import DIRECTIONS
from bpftop.model.units import UNKNOWN, heat, pct
from bpftop.render.comparison import ratio
from bpftop.render.traffic_rows import effective_cpus
from bpftop.tui.moment import Moment
from bpftop.tui.widgets.line import Line, length, line
from bpftop.tui.widgets.region import Region


class CpuOverview(Region):
    """``CPU  ▁▁▁█▁▁  1.1 of 16 carry RX   busiest: CPU 3, 97 %``; a click opens the pane of CPUs."""

    def draw(self, moment: Moment, width: int, height: int) -> Sequence[Line]:
        traffic = moment.traffic
        online, direction = traffic.online_cpus, moment.direction.upper()
        rates = [traffic.cpu_rates[cpu] for cpu in online if cpu < len(traffic.cpu_rates)]
        if not rates:
            any_program = any(moment.interface.traffic(d).hook.hook != "none" for d in DIRECTIONS)
            soon = moment.snapshot.interval_ns is None and (any_program or moment.has_many_interfaces)
            reason = "not known yet" if soon else f"not known for {direction}"
            return [line(("CPU", "muted", "cpus"), (f"  {reason}", "muted"))]
        effective = effective_cpus(rates)
        carry = f"  {UNKNOWN if effective is None else f'{effective:.1f}'} of {len(online)} carry {direction}"
        busiest = max(range(len(rates)), key=lambda i: rates[i] or 0.0)
        details = ""
        if part := ratio(rates[busiest], sum(rate for rate in rates if rate is not None)):
            details = f"  busiest: CPU {online[busiest]}, {pct(part)}"
            if (softirq := softirq_share(moment.snapshot, online[busiest])) is not None:
                details += f", softirq {pct(softirq)}"
        words = f"{carry:<24}{details}"
        room = max(8, min(128, width - 5 - len(words)))
        strip, cpus_per_cell = heat(rates, room if len(rates) <= room else max(8, room - 16))
        scale = f"  {cpus_per_cell} CPUs a cell" if cpus_per_cell > 1 else ""
        for text in (f"{scale}{words}", words, carry):
            drawn = line(("CPU  ", "muted", "cpus"), (strip, "trend", "cpus"), (text, "text", "cpus"))
            if length(drawn) <= width:
                break
        return [drawn]
