"""A snapshot document read back from its file, checked as far as a comparison needs it."""

from __future__ import annotations

import json
from typing import Any

from bpftop.errors import BpftopError
from bpftop.export.snapshot.document import SCHEMA, Object

LIMIT_BYTES = 64 << 20
"""More than a snapshot of 4096 CPUs takes; what is larger is something else."""

_WHAT = "name a file that `bpftop snapshot -o FILE` wrote, or FILE@MOMENT of a recording"


def read_snapshot(path: str) -> Object:
    """The document. Raises BpftopError: unreadable, cut short, of something else, or of a later bpftop."""
    try:
        with open(path, "rb") as file:
            content = file.read(LIMIT_BYTES + 1)
    except OSError as error:
        raise BpftopError(f"cannot read {path}: {error.strerror}; {_WHAT}") from error
    if len(content) > LIMIT_BYTES:
        raise BpftopError(f"{path} is no snapshot: it is larger than {LIMIT_BYTES >> 20} MiB; {_WHAT}")
    try:
        whole = json.loads(content.decode(), parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise BpftopError(f"{path} is no whole snapshot: {_reason(error)}; {_WHAT}") from None
    schema = whole.get("schema") if isinstance(whole, dict) else None
    if schema != SCHEMA:
        raise BpftopError(f"{path} {_foreign(schema)}")
    return dict(whole)


def _foreign(schema: object) -> str:
    kind, slash, version = schema.partition("/") if isinstance(schema, str) else ("", "", "")
    if slash and kind == SCHEMA.partition("/")[0] and version.isdecimal():
        return f"was written by another bpftop (version {version} of the document, not {SCHEMA}); use that one"
    found = f"its schema is {schema[:40]!r}" if isinstance(schema, str) else "it names no schema"
    return f"is no snapshot of bpftop: {found}; {_WHAT}"


def _reason(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        if error.msg == "Extra data":
            return "something follows the document (`bpftop watch --format json` writes one a line)"
        return f"it ends or is garbled at line {error.lineno}"
    return "it is no JSON"


def _no_number(word: str) -> Any:
    raise ValueError(word)
