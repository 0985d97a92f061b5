"""Markdown: escaping, and a snapshot that fits into a chat message."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from bpftop.export.snapshot.text import GROUP_NAMES, loss_phrases
from bpftop.model.escaping import escaped_text
from bpftop.model.snapshot import NOTHING, Counts, InterfaceSnapshot, Snapshot
from bpftop.model.timestamps import rfc3339
from bpftop.model.units import UNKNOWN, pct, si
from bpftop.render.comparison import ratio

PROTOCOLS = 8
"""The most protocols in a message."""

MESSAGE_CHARS = 2000
"""The shortest limit of common chats (Discord). A message about one interface is no longer."""

_FINDINGS_CHARS = 600
"""The room that findings get at least; with many interfaces the message may then be longer than the limit."""

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~&])")


def escaped(text: str) -> str:
    """Escape text so that Markdown shows every character as it is."""
    return _SPECIAL.sub(r"\\\1", escaped_text(text))


def code(text: str) -> str:
    """Put a name into a code span; a backtick in the name takes a longer fence (CommonMark 6.1)."""
    safe = escaped_text(text)
    fence = "`" * (max((len(run) for run in re.findall("`+", safe)), default=0) + 1)
    pad = " " if safe.startswith("`") or safe.endswith("`") else ""
    return f"{fence}{pad}{safe}{pad}{fence}"


def snapshot_markdown(snapshot: Snapshot, *, first: bool = True) -> str:
    """Write a snapshot that fits into a chat message. An empty line parts it from a text before it (not ``first``)."""
    interval = UNKNOWN if snapshot.interval_ns is None else f"{snapshot.interval_ns / 1e9:.1f} s"
    kernel = f", Linux {escaped(snapshot.kernel)}" if snapshot.kernel else ""
    lines = [f"**{escaped(snapshot.host)}** {rfc3339(snapshot.wall_ns)}, rates over {interval}{kernel}"]
    for interface in snapshot.interfaces:
        hooks = ", ".join(f"{traffic.direction} {traffic.hook}" for traffic in (interface.rx, interface.tx))
        lines += ["", f"{code(interface.label)} {escaped(hooks)}", "", *_table(interface)]
    lines.append("")
    for group, name in GROUP_NAMES.items():
        phrases = loss_phrases(snapshot, group)
        lines += [f"{name.capitalize()}: {escaped(', '.join(phrases))}", ""] if phrases else []
    room = max(MESSAGE_CHARS - sum(len(line) + 1 for line in lines), _FINDINGS_CHARS)
    lines += _fitting(list(_findings(snapshot)), room)
    return ("" if first else "\n") + "\n".join(lines).rstrip() + "\n"


def _fitting(lines: Sequence[str], room: int) -> Iterator[str]:
    """Yield as many lines as fit into ``room`` characters, one at least, and the number of the lines left out."""
    for number, line in enumerate(lines):
        more = f"- and {len(lines) - number} more (`bpftop diagnose`)"
        room -= len(line) + 1
        if number and room < (len(more) + 1 if number < len(lines) - 1 else 0):
            yield more
            return
        yield line


def _table(interface: InterfaceSnapshot) -> Iterator[str]:
    yield "| | RX pps | RX bit/s | share | TX pps | TX bit/s |"
    yield "|---|---:|---:|---:|---:|---:|"
    whole = interface.rx.totals.packets_per_sec
    yield _row("all", interface.rx.totals, interface.tx.totals, ratio(whole, whole))
    sent = {row.number: row.counts for row in interface.tx.protocols}
    rows = sorted(interface.rx.protocols, key=lambda row: -(row.counts.packets_per_sec or 0.0))
    for row in [row for row in rows if row.counts.packets_per_sec][:PROTOCOLS]:
        part = ratio(row.counts.packets_per_sec, whole)
        yield _row(escaped(row.name), row.counts, sent.get(row.number, NOTHING), part)


def _row(name: str, rx: Counts, tx: Counts, part: float | None) -> str:
    cells = (name, si(rx.packets_per_sec), si(rx.bits_per_sec, "b/s"), pct(part), si(tx.packets_per_sec),
             si(tx.bits_per_sec, "b/s"))  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _findings(snapshot: Snapshot) -> Iterator[str]:
    diagnosis = snapshot.diagnosis
    for finding in diagnosis.findings:
        if finding.explained_by is None:
            yield f"- **{finding.severity}** {escaped(finding.title)}: {escaped(finding.why)}"
    if diagnosis.waiting and not diagnosis.active:
        yield "Not diagnosed: checks need 3 s or more (`bpftop diagnose`)."
    elif not diagnosis.findings and diagnosis.rules:
        yield f"Nothing found: {diagnosis.active} of {diagnosis.applicable} checks active."
