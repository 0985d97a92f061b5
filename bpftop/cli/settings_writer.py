"""Changing values of ``config.yaml``: comments, order and all other values of the file stay."""

from __future__ import annotations

from collections.abc import Mapping
from io import StringIO
from pathlib import Path

from bpftop.config.settings_file import FILE_LIMIT_BYTES
from bpftop.config.untrusted_file import Refused, read_bytes
from bpftop.errors import BpftopError

SettingValue = str | float | bool | Mapping[str, object]


def change_settings(path: Path, changes: Mapping[str, SettingValue | None], *, named: bool) -> None:
    """Set fields of a configuration file, which is replaced as a whole, and created if there is none.

    ``changes``: field -> its new value; None removes the field. ``named``: the person named this very file with
    ``--config``. Raises BpftopError: the file cannot be read, is not YAML, or cannot be written; it is as it was.
    """
    from bpftop.store.atomic_file import replacing

    text = _changed(path, _read(path, named), changes)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BpftopError(f"cannot write {path}: {error.strerror}") from error
    with replacing(str(path)) as descriptor, open(descriptor, "w", encoding="utf-8", closefd=False) as file:
        file.write(text)


def _read(path: Path, named: bool) -> str:
    try:
        return read_bytes(path, FILE_LIMIT_BYTES, named=named).decode("utf-8-sig")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError, Refused) as error:
        reason = "not UTF-8 text" if isinstance(error, UnicodeDecodeError) else getattr(error, "strerror", error)
        raise BpftopError(f"cannot change {path}: {reason}") from error


def _changed(path: Path, text: str, changes: Mapping[str, SettingValue | None]) -> str:
    from ruamel.yaml import YAML  # late: 4 MiB and 30 ms, which only a change needs
    from ruamel.yaml.error import MarkedYAMLError

    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 1 << 16  # longer than any line of the file: nothing is wrapped
    try:
        document = yaml.load(text)
    except (MarkedYAMLError, RecursionError) as error:
        where = getattr(error, "problem_mark", None)
        line = f", line {where.line + 1}" if where else ""
        raise BpftopError(f"cannot change {path}{line}: it is not YAML; correct it first") from error
    if document is None:  # comments alone, which have no value to stand at
        document = {}
    elif not isinstance(document, dict):
        raise BpftopError(f"cannot change {path}: it is not a list of `name: value` lines; correct it first")
    comments = "" if document else text
    for name, value in changes.items():
        if value is None:
            document.pop(name, None)
        else:
            document[name] = value
    out = StringIO()
    if document:
        yaml.dump(document, out)
    return f"{comments}{chr(10) if comments and not comments.endswith(chr(10)) else ''}{out.getvalue()}"
