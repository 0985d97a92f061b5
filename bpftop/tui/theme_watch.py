"""Themes of the person are read again when their files change, so that a theme can be made while it is looked at."""

from __future__ import annotations

from pathlib import Path

from bpftop.tui.themes import Theme, read_theme

_State = tuple[int, int, int] | None


class ThemeWatch:
    """Watches the files of one folder by their time, size and inode.

    Args:
        folder: ``themes/`` beside the configuration; it may be absent.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._states: dict[str, _State] = {}

    def changed(self, name: str) -> Theme | None:
        """Return a theme whose file has changed since the last call with its name; None: it has not, or is gone.

        Raises UsageError for a file that is no theme, once per change.
        """
        path = self._folder / f"{name}.yaml"
        state = _state(path)
        before = self._states.setdefault(name, state)
        self._states[name] = state
        return None if state is None or state == before else read_theme(path)


def _state(path: Path) -> _State:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
