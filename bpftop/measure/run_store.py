"""Store of the latest runs on this machine, for later runs to compare with.

Each run is a file in ``$XDG_STATE_HOME/bpftop`` (default: ``~/.local/state/bpftop``) that only its owner can read:
behind sudo, the user who called sudo. Root writes into no other user's folder.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from bpftop.config.caller import Caller, sudo_caller
from bpftop.config.folders import state_folder
from bpftop.config.untrusted_file import Refused, check_file, parse_json, read_limited
from bpftop.errors import BpftopError
from bpftop.store.atomic_file import write_file

SCHEMA = "bpftop.kept/1"
RUNS_MAX = 20
"""Runs of a kind to store; older runs are deleted."""

_FILE_LIMIT_BYTES = 8 << 20

Figures = Mapping[str, Mapping[str, float]]
"""Name of a measured operation -> name of a figure, with its unit -> value."""

LOW, HIGH = ".low", ".high"
"""Ends of the names of two more figures: the least and the largest value of the figure in the rounds of its run."""


@dataclass(frozen=True)
class StoredRun:
    """A stored run. ``taken_at`` is RFC 3339 in UTC."""

    taken_at: str
    kernel: str
    partial: bool
    figures: Figures


@dataclass(frozen=True)
class FigureChange:
    """Change of a figure since an earlier run: ``then`` is the earlier value, ``pct`` the change in percent.

    ``clear``: the ranges of the two runs do not touch. A change within them may be noise.
    """

    taken_at: str
    kernel: str
    then: float
    pct: float
    clear: bool = True


def save(kind: str, machine_id: str, run: StoredRun, environment: Mapping[str, str] = os.environ) -> str:
    """Store a run, delete the oldest runs, and return the path. Raises BpftopError with the reason."""
    content = {"schema": SCHEMA, "kind": kind, "machine_id": machine_id, **vars(run)}
    text = json.dumps(content, separators=(",", ":"), allow_nan=False).encode()
    try:
        with _folder(environment, make=True) as folder:
            name = f"{kind}-{time.time_ns():020d}.json"
            write_file(folder, name, text, sudo_caller(environment))
            for old in _names(folder, kind)[RUNS_MAX:]:
                os.unlink(old, dir_fd=folder)
    except OSError as error:
        raise BpftopError(
            f"cannot store this run in {path(environment)}: {error.strerror}; the next run will not be compared with it"
        ) from error
    return os.path.join(path(environment), name)


def load(kind: str, machine_id: str, environment: Mapping[str, str] = os.environ) -> tuple[StoredRun, ...]:
    """Return the runs of this machine, the latest first. Skip invalid files: any program may put files there."""
    try:
        with _folder(environment, make=False) as folder:
            runs = [_read(folder, name, kind, machine_id) for name in _names(folder, kind)]
    except OSError:
        return ()
    return tuple(run for run in runs if run is not None)


def changes(now: Figures, earlier: tuple[StoredRun, ...]) -> dict[tuple[str, str], FigureChange]:
    """Return (operation, figure) -> change since the latest earlier run that has the figure, too."""
    changed = {}
    for name, figures in now.items():
        for figure, value in figures.items():
            if figure.endswith((LOW, HIGH)):
                continue
            for run in earlier:
                then = run.figures.get(name, {})
                if then.get(figure):
                    pct = 100 * (value / then[figure] - 1)
                    clear = not _ranges_touch(figure, figures, then)
                    changed[name, figure] = FigureChange(run.taken_at, run.kernel, then[figure], pct, clear)
                    break
    return changed


def _ranges_touch(figure: str, now: Mapping[str, float], then: Mapping[str, float]) -> bool:
    """Compare two ranges; the range of a figure without one is the figure itself."""
    (low, high), (then_low, then_high) = (
        (run.get(figure + LOW, run[figure]), run.get(figure + HIGH, run[figure])) for run in (now, then)
    )
    return low <= then_high and then_low <= high


def path(environment: Mapping[str, str] = os.environ) -> str:
    """Return the folder, which may not exist."""
    return str(state_folder(environment))


@contextmanager
def _folder(environment: Mapping[str, str], *, make: bool) -> Iterator[int]:
    """Open the folder and yield its descriptor. Raises OSError.

    Behind sudo, write only inside folders of the caller: a link in the caller's home may lead anywhere.
    """
    caller = sudo_caller(environment)
    folder = os.open("/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in path(environment).strip("/").split("/"):
            if make:
                _make(folder, part, caller)
            inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
            os.close(folder)
            folder = inner
        if make and not _belongs(folder, caller):
            raise PermissionError(1, "it does not belong to the user who called sudo")
        yield folder
    finally:
        os.close(folder)


def _make(folder: int, part: str, caller: Caller | None) -> None:
    try:
        os.stat(part, dir_fd=folder)
    except FileNotFoundError:
        if not _belongs(folder, caller):
            raise
        os.mkdir(part, 0o700, dir_fd=folder)
        if caller is not None:
            os.chown(part, caller.uid, caller.gid, dir_fd=folder, follow_symlinks=False)


def _belongs(folder: int, caller: Caller | None) -> bool:
    return caller is None or os.fstat(folder).st_uid == caller.uid


def _names(folder: int, kind: str) -> list[str]:
    """Return the names of the files of a kind, the latest first."""
    return sorted((n for n in os.listdir(folder) if n.startswith(f"{kind}-") and n.endswith(".json")), reverse=True)


def _read(folder: int, name: str, kind: str, machine_id: str) -> StoredRun | None:
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
        try:
            check_file(descriptor, named=False)
            content = parse_json(read_limited(descriptor, _FILE_LIMIT_BYTES))
        finally:
            os.close(descriptor)
        if (content["schema"], content["kind"], content["machine_id"]) != (SCHEMA, kind, machine_id):
            return None
        figures = {
            str(measured): {str(figure): float(value) for figure, value in values.items()}
            for measured, values in content["figures"].items()
        }
        return StoredRun(str(content["taken_at"]), str(content["kernel"]), bool(content["partial"]), figures)
    except (OSError, Refused, ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return None
