"""Markdown: escaping, and a snapshot that fits into a chat message."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from bpftop.export.snapshot.text import lost_words
from bpftop.model.snapshot import NOTHING, Counts, InterfaceSnapshot, Snapshot
from bpftop.model.timestamps import rfc3339
from bpftop.model.units import UNKNOWN, pct, si
from bpftop.render.escaping import escaped_text
from bpftop.render.rows import share

PROTOCOLS = 8
"""How many protocols a message names."""

MESSAGE_CHARS = 2000
"""The shortest limit among the chats that people use (Discord's): a message of one interface is no longer."""

_FINDINGS_CHARS = 600
"""What findings may take where the rest leaves them less: that of many interfaces."""

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~&])")


def escaped(text: str) -> str:
    """Text that Markdown shows as it is, whatever a name in it holds."""
    return _SPECIAL.sub(r"\\\1", escaped_text(text))


def code(text: str) -> str:
    """A name in code spans; a backtick in it takes a longer fence (CommonMark 6.1)."""
    safe = escaped_text(text)
    fence = "`" * (max((len(run) for run in re.findall("`+", safe)), default=0) + 1)
    pad = " " if safe.startswith("`") or safe.endswith("`") else ""
    return f"{fence}{pad}{safe}{pad}{fence}"


def snapshot_markdown(shown: Snapshot, *, first: bool = True) -> str:
    """Write a snapshot that fits into a chat message. An empty line parts it from a text before it (not ``first``)."""
    interval = UNKNOWN if shown.interval_ns is None else f"{shown.interval_ns / 1e9:.1f} s"
    kernel = f", Linux {escaped(shown.kernel)}" if shown.kernel else ""
    lines = [f"**{escaped(shown.host)}** {rfc3339(shown.wall_ns)}, rates over {interval}{kernel}"]
    for watched in shown.interfaces:
        hooks = ", ".join(f"{traffic.direction} {traffic.hook}" for traffic in (watched.rx, watched.tx))
        lines += ["", f"{code(watched.label)} {escaped(hooks)}", "", *_table(watched)]
    lost = lost_words(shown)
    lines += ["", *([f"Lost: {escaped(', '.join(lost))}", ""] if lost else [])]
    room = max(MESSAGE_CHARS - sum(len(line) + 1 for line in lines), _FINDINGS_CHARS)
    lines += _fitting(list(_found(shown)), room)
    return ("" if first else "\n") + "\n".join(lines).rstrip() + "\n"


def _fitting(found: Sequence[str], room: int) -> Iterator[str]:
    """As many of these lines as there is room for, one at least, and how many are not there."""
    for number, line in enumerate(found):
        more = f"- and {len(found) - number} more (`bpftop diagnose`)"
        room -= len(line) + 1
        if number and room < (len(more) + 1 if number < len(found) - 1 else 0):
            yield more
            return
        yield line


def _table(watched: InterfaceSnapshot) -> Iterator[str]:
    yield "| | RX pps | RX bit/s | share | TX pps | TX bit/s |"
    yield "|---|---:|---:|---:|---:|---:|"
    whole = watched.rx.totals.packets_per_sec
    yield _row("all", watched.rx.totals, watched.tx.totals, share(whole, whole))
    sent = {row.number: row.counts for row in watched.tx.protocols}
    rows = sorted(watched.rx.protocols, key=lambda row: -(row.counts.packets_per_sec or 0.0))
    for row in [row for row in rows if row.counts.packets_per_sec][:PROTOCOLS]:
        part = share(row.counts.packets_per_sec, whole)
        yield _row(escaped(row.name), row.counts, sent.get(row.number, NOTHING), part)


def _row(name: str, rx: Counts, tx: Counts, part: float | None) -> str:
    cells = (name, si(rx.packets_per_sec), si(rx.bits_per_sec, "b/s"), pct(part), si(tx.packets_per_sec),
             si(tx.bits_per_sec, "b/s"))  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _found(shown: Snapshot) -> Iterator[str]:
    diagnosis = shown.diagnosis
    for finding in diagnosis.findings:
        if finding.explained_by is None:
            yield f"- **{finding.severity}** {escaped(finding.title)}: {escaped(finding.why)}"
    seeing = diagnosis.rules - len(diagnosis.blind) - len(diagnosis.waiting)
    if diagnosis.waiting and not seeing:
        yield "Not diagnosed: rules look at 3 s and more (`bpftop diagnose`)."
    elif not diagnosis.findings and diagnosis.rules:
        yield f"Nothing found: {seeing} of {diagnosis.rules} rules see."
