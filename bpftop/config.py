"""Settings: what ``config.yaml`` says, with the defaults for everything it does not say.

The file is ``$XDG_CONFIG_HOME/bpftop/config.yaml`` (XDG Base Directory Specification; ``~/.config`` where that is not
set); behind sudo the home is that of the person who called it. User themes lie beside it in ``themes/``. Nothing in a
file stops the program: what cannot be used is said in one sentence with file, line and field, and its default holds.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from bpftop.errors import UsageError
from bpftop.hooks.facts import LOAD_LIMIT_BITS_PER_SEC, AttachMode

if TYPE_CHECKING:
    from yaml import Node

    from bpftop.rules.rule import Rule

Problem = tuple[int, str]
"""The line in the file, and what is wrong there."""

INTERVAL_MIN_S, INTERVAL_MAX_S = 0.1, 3600.0
ATTACH_MODES: tuple[AttachMode, ...] = get_args(AttachMode)
FILE_LIMIT_BYTES = 256 << 10


def known_thresholds() -> dict[str, Collection[str]]:
    """What ``thresholds`` may name: rule id -> the names of its numbers, each also with ``_clear`` behind it."""
    from bpftop.rules.table import RULES  # late: only a file that has the field needs them

    rules = {rule.id: [name + end for name in rule.limits for end in ("", "_clear")] for rule in RULES}
    return {"attach": ("retreat_bits_per_sec",), **rules}


@dataclass(frozen=True)
class Settings:
    """What a person can set for good. The command line wins over it."""

    interval_s: float = 1.0
    """``interval``: seconds between two ticks, 0.1 to 3600."""

    attach: AttachMode = "auto"
    """``attach``: where to count: auto, native, generic, tc or none. ``native`` in the file is the yes it asks for."""

    theme: str | None = None
    """``theme``: one of the themes that come with bpftop, or of the files in ``themes/`` beside ``config.yaml``."""

    thresholds: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """``thresholds``: rule id -> name of a threshold -> the number that takes the place of the built-in one."""

    silence: frozenset[str] = frozenset()
    """``silence``: ids of rules that are not asked."""

    keys: Mapping[str, str] = field(default_factory=dict)
    """``keys``: id of an action -> the key that calls it, as in ``pause: space``."""

    @property
    def retreat_bits_per_sec(self) -> float:
        """``thresholds``, ``attach``, ``retreat_bits_per_sec``: above it ``auto`` does not count by native XDP."""
        return self.thresholds.get("attach", {}).get("retreat_bits_per_sec", LOAD_LIMIT_BITS_PER_SEC)

    def rules(self) -> tuple[Rule, ...]:
        """The rules that are asked, with these thresholds."""
        from bpftop.rules.table import chosen

        return chosen(self.thresholds, self.silence)


@dataclass(frozen=True)
class Loaded:
    """Settings, and the one sentence about what in the file was not used; None when all of it was."""

    settings: Settings = Settings()
    message: str | None = None


class _Unusable(Exception):
    """Why a value cannot be used, in words that follow the field's name and a colon."""


def interval_s(text: str) -> float:
    """Seconds of an interval; raises ValueError with the reason when ``text`` is none or is out of bounds."""
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a number of seconds") from None
    if not INTERVAL_MIN_S <= value <= INTERVAL_MAX_S:
        raise ValueError(f"{text} is not between {INTERVAL_MIN_S:g} and {INTERVAL_MAX_S:g} seconds")
    return value


def directory(environment: Mapping[str, str] = os.environ) -> Path:
    """The folder of ``config.yaml`` and ``themes/``; it need not exist.

    sudo sets HOME to root's and drops XDG_CONFIG_HOME, but the person who called it wants their own settings.
    """
    base = environment.get("XDG_CONFIG_HOME", "")
    if os.path.isabs(base):  # the specification: a relative path is to be ignored
        return Path(base, "bpftop")
    caller = environment.get("SUDO_USER", "")
    home = os.path.expanduser(f"~{caller}") if caller and os.geteuid() == 0 else ""
    if not os.path.isabs(home):  # no sudo, or an account that is gone
        home = os.path.expanduser("~")
    return Path(home, ".config", "bpftop")


def load(
    path: Path | None = None,
    *,
    actions: Collection[str] | None = None,
    thresholds: Callable[[], Mapping[str, Collection[str]]] = known_thresholds,
) -> Loaded:
    """Read ``path``, or the file at its usual place, which need not be there.

    ``actions`` are the ids that ``keys`` may name, None: any; ``thresholds`` gives the rules that the field of that
    name may name, each with the names it knows. Raises UsageError only when a ``path`` that was asked for cannot be
    opened.
    """
    file = path or directory() / "config.yaml"
    try:
        text = _read(file, usual=path is None)
    except OSError as error:
        if path is not None:
            raise UsageError(f"cannot read the configuration {path}: {error.strerror}; check the name") from error
        missing = isinstance(error, (FileNotFoundError, NotADirectoryError))
        return Loaded(message=None if missing else f"{file}: {error.strerror}; the defaults are used")
    except UnicodeDecodeError:
        return Loaded(message=f"{file}: not UTF-8 text; the defaults are used")
    except _Unusable as error:
        return Loaded(message=f"{file}: {error}; the defaults are used")
    return _parse(text, file, actions, thresholds)


def _read(path: Path, *, usual: bool) -> str:
    """The text of the file. Raises OSError, UnicodeDecodeError, _Unusable.

    Behind sudo a file that its caller could not have read is refused: messages quote the file, and a link in the
    caller's home may lead anywhere.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a FIFO must not block the start
    with open(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise _Unusable("not a regular file")
        caller = os.environ.get("SUDO_UID", "")
        theirs = not caller.isdigit() or found.st_uid == int(caller) or found.st_mode & stat.S_IROTH
        if usual and os.geteuid() == 0 and not theirs:
            raise _Unusable("not owned by the user who called sudo, nor readable for everyone")
        content = file.read(FILE_LIMIT_BYTES + 1)
    if len(content) > FILE_LIMIT_BYTES:
        raise _Unusable(f"larger than {FILE_LIMIT_BYTES >> 10} KiB")
    return content.decode("utf-8-sig")


def _parse(
    text: str,
    path: Path,
    actions: Collection[str] | None,
    thresholds: Callable[[], Mapping[str, Collection[str]]],
) -> Loaded:
    import yaml  # late: only where there is a file to read

    problems: list[Problem] = []
    try:
        # Not CSafeLoader: PyYAML 6.0.3 with libyaml crashes the process on 200 000 opening brackets.
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        settings = Settings() if _empty(root) else _settings(root, problems, _readers(actions, thresholds))
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        return Loaded(message=f"{path}{line}: not YAML: {error.problem or error.context}; the defaults are used")
    except yaml.YAMLError as error:  # a character that YAML does not allow
        return Loaded(message=f"{path}: not YAML: {getattr(error, 'reason', error)}; the defaults are used")
    except RecursionError:
        return Loaded(message=f"{path}: nested too deeply; the defaults are used")
    except _Unusable as error:
        return Loaded(message=f"{path}, line {_line(root)}: {error}; the defaults are used")
    said = "; ".join(f"line {line}, {reason}" for line, reason in sorted(problems))
    return Loaded(settings, f"{path}, {said}; the defaults are used there" if said else None)


_Reader = Callable[["Node", list[Problem]], object]


def _readers(
    actions: Collection[str] | None, thresholds: Callable[[], Mapping[str, Collection[str]]]
) -> dict[str, tuple[str, _Reader]]:
    """Field in the file -> attribute of Settings, and what reads its value."""
    return {
        "interval": ("interval_s", lambda node, _: _interval(node)),
        "attach": ("attach", lambda node, _: _choice(node, ATTACH_MODES)),
        "theme": ("theme", lambda node, _: _theme(node)),
        "thresholds": ("thresholds", lambda node, problems: _thresholds(node, problems, thresholds())),
        "silence": ("silence", lambda node, problems: _silence(node, problems, thresholds().keys() - {"attach"})),
        "keys": ("keys", lambda node, problems: _keys(node, problems, actions)),
    }


def _settings(root: Node | None, problems: list[Problem], readers: Mapping[str, tuple[str, _Reader]]) -> Settings:
    values: dict[str, Any] = {}
    for name, node in _entries(root, readers, problems, ""):
        attribute, read = readers[name]
        with _noting(problems, node, name):
            if not _empty(node):
                values[attribute] = read(node, problems)
    return Settings(**values)


def _interval(node: Node) -> float:
    try:
        return interval_s(_word(node))
    except ValueError as error:
        raise _Unusable(str(error)) from None


def _choice(node: Node, choices: Collection[str]) -> str:
    word = _word(node)
    if word not in choices:
        raise _Unusable(f"{word!r} is not one of {', '.join(choices)}")
    return word


def _theme(node: Node) -> str:
    name = _word(node)
    if "/" in name:
        raise _Unusable(f"{name!r} is a path; give the name of a theme, and put the file in themes/ beside this one")
    return name


def _thresholds(
    node: Node, problems: list[Problem], known: Mapping[str, Collection[str]]
) -> dict[str, dict[str, float]]:
    result: dict[str, dict[str, float]] = {}
    for rule, overrides in _entries(node, known, problems, "thresholds."):
        where = f"thresholds.{rule}"
        with _noting(problems, overrides, where):
            for name, value in _entries(overrides, known[rule], problems, f"{where}."):
                with _noting(problems, value, f"{where}.{name}"):
                    result.setdefault(rule, {})[name] = _number(value)
    return result


def _silence(node: Node, problems: list[Problem], known: Collection[str]) -> frozenset[str]:
    from yaml import SequenceNode

    if not isinstance(node, SequenceNode):
        raise _Unusable("a list of rules is expected here, as in `[packet-storm]`")
    found = set()
    for position, item in enumerate(node.value, 1):
        with _noting(problems, item, f"silence, entry {position}"):
            word = _word(item)
            if word not in known:
                raise _Unusable(f"no such rule{_closest(word, known)}")
            found.add(word)
    return frozenset(found)


def _keys(node: Node, problems: list[Problem], actions: Collection[str] | None) -> dict[str, str]:
    result: dict[str, str] = {}
    for action, value in _entries(node, actions, problems, "keys."):
        with _noting(problems, value, f"keys.{action}"):
            key = _word(value)
            taken = [other for other, used in result.items() if used == key]
            if taken:
                raise _Unusable(f"the key {key} is given to {taken[0]} already")
            result[action] = key
    return result


def _entries(
    node: Node | None, known: Collection[str] | None, problems: list[Problem], prefix: str
) -> Iterator[tuple[str, Node]]:
    """The (name, value) pairs of a mapping; no name, an unknown one or one used before is noted and left out."""
    from yaml import MappingNode, ScalarNode

    if not isinstance(node, MappingNode):
        raise _Unusable("a mapping is expected here, as in `name: value`")
    seen: set[str] = set()
    for key, value in node.value:
        name = str(key.value) if isinstance(key, ScalarNode) else ""
        with _noting(problems, key, f"{prefix}{name}"):
            if not name:
                raise _Unusable("a name is expected here")
            if known is not None and name not in known:
                raise _Unusable(f"no such setting{_closest(name, known)}")
            if name in seen:
                raise _Unusable("given twice, the first one holds")
            seen.add(name)
            yield name, value


@contextmanager
def _noting(problems: list[Problem], node: Node, name: str) -> Iterator[None]:
    """Note what makes the value of this field unusable, and go on with the next."""
    try:
        yield
    except _Unusable as error:
        problems.append((_line(node), f"{name}: {error}"))


def _closest(name: str, known: Collection[str]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, known, 1)
    return f" (did you mean {close[0]}?)" if close else ""


def _word(node: Node) -> str:
    """A scalar as it is written: ``yes`` and ``1e3`` stay what the person typed, which YAML 1.1 would not let them."""
    if not isinstance(node.value, str) or not node.value or any(c.isspace() for c in node.value):
        raise _Unusable("a single word or number is expected here")
    return node.value


def _number(node: Node) -> float:
    word = _word(node)
    try:
        value = float(word)
    except ValueError:
        raise _Unusable(f"{word!r} is not a number") from None
    if not 0 <= value < float("inf"):
        raise _Unusable(f"{word} is not a number from 0 up")
    return value


def _empty(node: Node | None) -> bool:
    """Nothing was written after the colon, or nothing at all: the default is meant."""
    return node is None or node.tag == "tag:yaml.org,2002:null"


def _line(node: Node | None) -> int:
    return 1 if node is None else int(node.start_mark.line) + 1
