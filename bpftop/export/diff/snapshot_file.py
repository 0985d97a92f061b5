"""Snapshot documents read from files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

from bpftop.config.untrusted_file import ASCII_LIMIT_BYTES, Refused, parse_json, read_bytes
from bpftop.errors import BpftopError
from bpftop.export.snapshot.document import SCHEMA

if TYPE_CHECKING:
    from bpftop.export.snapshot.snapshot_types import SnapshotDocument

_NEXT = "name a file that `bpftop snapshot -o FILE` wrote, or FILE@MOMENT of a recording"


def read_snapshot(path: str) -> SnapshotDocument:
    """Read a snapshot document. Only its schema's name is checked: members may be missing.

    Raises:
        BpftopError: The file is unreadable, cut short, no snapshot, or a snapshot of a later version.
    """
    try:
        content = read_bytes(path, ASCII_LIMIT_BYTES, named=True)
    except OSError as error:
        raise BpftopError(f"cannot read {path}: {error.strerror}; {_NEXT}") from error
    except Refused as error:
        raise BpftopError(f"{path} is no snapshot: it is {error}; {_NEXT}") from None
    try:
        whole = parse_json(content)
    except ValueError as error:
        raise BpftopError(f"{path} is no whole snapshot: {_reason(error)}; {_NEXT}") from None
    schema = whole.get("schema") if isinstance(whole, dict) else None
    if schema != SCHEMA:
        raise BpftopError(f"{path} {_foreign(schema)}")
    return cast("SnapshotDocument", whole)


def _foreign(schema: object) -> str:
    kind, slash, version = schema.partition("/") if isinstance(schema, str) else ("", "", "")
    if slash and kind == SCHEMA.partition("/")[0] and version.isdecimal():
        return f"was written by another bpftop (version {version} of the document, not {SCHEMA}); use that one"
    reason = f"its schema is {schema[:40]!r}" if isinstance(schema, str) else "it names no schema"
    return f"is no snapshot of bpftop: {reason}; {_NEXT}"


def _reason(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        if error.msg == "Extra data":
            return "something follows the document (`bpftop watch --format json` writes one a line)"
        return f"it ends or is garbled at line {error.lineno}"
    return "it is no JSON" if isinstance(error, UnicodeDecodeError) else f"it is no JSON that bpftop reads: {error}"
