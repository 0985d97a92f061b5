"""Themes: one colour per role, read from flat YAML files of ``role: colour`` lines, and read again when they change."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from os.path import isfile
from pathlib import Path
from typing import NamedTuple

from bpftop.config.untrusted_file import Refused, read_bytes
from bpftop.errors import UsageError
from bpftop.fields import frozen

ROLES: Mapping[str, str] = {
    "background": "behind everything",
    "cursor": "behind the selected row",
    "text": "numbers",
    "muted": "labels, units, rules",
    "title": "headings",
    "name": "names of interfaces, protocols and CPUs",
    "bar": "share bars",
    "trend": "trends and the CPU strip",
    "factor": "changes against a minute ago",
    "good": "live, yes",
    "notice": "what needs attention: paused, notices, offers",
    "alarm": "what is wrong: gone, stopped",
    "key": "keys that can be pressed",
}
"""Role -> what the role colours. A theme has a colour for every role."""

BOLD = frozenset({"title", "name", "notice", "alarm", "key"})
"""Roles that are bold in every theme, so that they stand out without colours too."""

TERMINAL_COLOURS = (
    "default", "black", "red", "green", "yellow", "blue", "magenta", "cyan", "white", "bright_black", "bright_red",
    "bright_green", "bright_yellow", "bright_blue", "bright_magenta", "bright_cyan", "bright_white",
)  # fmt: skip

FILE_LIMIT_BYTES = 64 << 10

_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
_PLAIN_LINE = re.compile(r"""(\w+):[ ]+(["']?)([#\w]+)\2[ ]*(?:[ ]#.*)?""")


@frozen
class Theme:
    """A named set of colours."""

    name: str
    colours: Mapping[str, str]
    """Role -> ``#rrggbb``, one of the terminal's sixteen colours, or ``default``."""

    @classmethod
    def from_mapping(cls, name: str, colours: object, origin: str) -> Theme:
        """Return the theme from a parsed file. Raises UsageError, one sentence that begins with ``origin``."""
        if not isinstance(colours, Mapping):
            raise UsageError(f"{origin}: a theme is a list of `role: colour` lines")
        for role, colour in colours.items():
            if role not in ROLES:
                raise UsageError(f"{origin}: {repr(role)[:40]} is no role; the roles are {', '.join(ROLES)}")
            if not isinstance(colour, str) or not (_COLOUR.fullmatch(colour) or colour in TERMINAL_COLOURS):
                what = f"{origin}: {role}: {repr(colour)[:40]}"
                raise UsageError(f'{what} is no colour; write "#rrggbb" or a terminal colour such as red')
        missing = [role for role in ROLES if role not in colours]
        if missing:
            raise UsageError(f"{origin}: no colour for {', '.join(missing)}")
        return cls(name, dict(colours))

    @property
    def is_dark(self) -> bool:
        """Return True if the background is dark; the background of the terminal itself is taken for dark."""
        ground = self.colours["background"]
        return not ground.startswith("#") or sum(int(ground[i : i + 2], 16) for i in (1, 3, 5)) < 3 * 128

    def without_colour(self) -> Theme:
        """Return the theme for NO_COLOR: bold, dim and reverse remain."""
        return Theme(self.name, dict.fromkeys(self.colours, "default"))


class FoundThemes(NamedTuple):
    """The themes that can be chosen, by their names, and a sentence for each file that is no theme."""

    themes: tuple[Theme, ...] = ()
    problems: tuple[str, ...] = ()


def read_theme(path: Path) -> Theme:
    """Read a theme file. Raises UsageError that names the file and the wrong role."""
    try:
        text = read_bytes(path, FILE_LIMIT_BYTES, named=False).decode()
    except (OSError, UnicodeDecodeError, Refused) as error:
        reason = "not UTF-8 text" if isinstance(error, UnicodeDecodeError) else getattr(error, "strerror", error)
        raise UsageError(f"cannot read the theme {path}: {reason}") from error
    return Theme.from_mapping(path.stem, _parse(text, str(path)), str(path))


def find_theme(name: str, folders: Iterable[Path]) -> Theme:
    """Return the theme ``name`` from the first folder that has it. Raises UsageError that lists the known names."""
    known: set[str] = set()
    for folder in folders:
        if isfile(folder / f"{name}.yaml"):  # of a folder that cannot be read: False
            return read_theme(folder / f"{name}.yaml")
        known |= {path.stem for path in _theme_files(folder)}
    raise UsageError(f"no theme {name!r}; there is {', '.join(sorted(known)) or 'none'}")


def all_themes(folders: Iterable[Path]) -> FoundThemes:
    """Return every theme of the folders; the first folder that has a name wins."""
    themes: dict[str, Theme] = {}
    problems = []
    for folder in folders:
        for path in _theme_files(folder):
            if path.stem not in themes:
                try:
                    themes[path.stem] = read_theme(path)
                except UsageError as error:
                    problems.append(str(error))
    return FoundThemes(tuple(sorted(themes.values(), key=lambda theme: theme.name)), tuple(problems))


def _theme_files(folder: Path) -> list[Path]:
    """Return the theme files of a folder by name: none where this user may not read it, as under another HOME."""
    try:
        return sorted(folder.glob("*.yaml"))
    except PermissionError:
        return []


def _parse(text: str, origin: str) -> object:
    """Parse plain ``role: colour`` lines without yaml, whose import costs 64 ms; pass any other file to yaml."""
    colours: dict[str, str] = {}
    for row in text.splitlines():
        if not row.strip() or row.lstrip().startswith("#"):
            continue
        match = _PLAIN_LINE.fullmatch(row.rstrip())
        if match is None or (match[3].startswith("#") and not match[2]) or match[1] in colours:
            return _parse_yaml(text, origin)
        colours[match[1]] = match[3]
    return colours


def _parse_yaml(text: str, origin: str) -> object:
    import yaml

    try:
        return yaml.load(text, Loader=yaml.BaseLoader)  # words as they are written: no dates, no numbers of any length
    except RecursionError:
        raise UsageError(f"{origin}: nested too deeply") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{origin}, line {mark.line + 1}" if mark else origin
        raise UsageError(
            f"{where}: not YAML: {getattr(error, 'problem', None) or 'a character that is not allowed'}"
        ) from error


_State = tuple[int, int, int] | None


class ThemeWatch:
    """Watches the files of ``themes/`` beside the configuration, which may be absent, by time, size and inode."""

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
