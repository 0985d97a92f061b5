"""The writing that all CSV documents share."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

from bpftop.model.escaping import escaped_text


def csv_lines(rows: Iterable[Iterable[object]]) -> str:
    """Write rows as CSV: names are escaped, None is empty, and lines end in LF."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([escaped_text(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)
    return text.getvalue()
