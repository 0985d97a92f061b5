"""The reader of ``config.yaml``.

Nothing in a file stops the program: a value that cannot be used keeps its default, and a sentence names file, line and
field.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bpftop.config.folders import config_folder
from bpftop.config.key_names import key_name
from bpftop.config.settings import ATTACH_MODES, FLOWS_ON_FINDING, Settings, interval_s, known_thresholds
from bpftop.config.untrusted_file import Refused, read_bytes
from bpftop.errors import UsageError, spelling_hint
from bpftop.fields import field, frozen

if TYPE_CHECKING:
    from yaml import Node

Problem = tuple[int, str]
"""Line in the file, and the fault there."""

FILE_LIMIT_BYTES = 256 << 10


KnownOptions = Callable[[], Mapping[str, Callable[[str], object]]]
"""Returns option -> parser of its value, which raises ValueError with the reason."""


@frozen
class Known:
    """The names that fields of a file may have, and parsers of their values. Each is asked for when it is needed."""

    keys: Callable[[], Mapping[str, str] | None] = lambda: None
    """Returns id of each action that ``keys`` may name -> its own keys; None: any name."""
    thresholds: Callable[[], Mapping[str, Collection[str]]] = known_thresholds
    """Returns the rule ids that ``thresholds`` and ``silence`` may name, with the names of their limits."""
    columns: Callable[[], Mapping[str, Collection[str]]] = dict
    """Returns the panes that ``columns`` may name, with the ids of their columns."""
    options: Mapping[str, KnownOptions] = field(default_factory=dict)
    """Verb -> its options."""


ANY_NAME = Known()
"""Any action, every rule, no verb."""


@frozen
class Loaded:
    """Settings, and a sentence about everything in the file that was not used; None where all of it was used."""

    settings: Settings = field(default_factory=Settings)
    file: Path | None = None
    """The file, if there is one."""
    message: str | None = None
    problems: tuple[str, ...] = ()
    """A sentence with file, line and field for each value that was not used."""


class _Unusable(Exception):
    """A value that cannot be used. The text follows the field's name and a colon."""


def load(
    path: Path | None = None,
    *,
    known: Known = ANY_NAME,
) -> Loaded:
    """Read a configuration file; without ``path``, ``config.yaml`` in its folder, which may be absent.

    Raises UsageError: ``path`` is given and cannot be opened.
    """
    file = path or config_folder() / "config.yaml"
    try:
        text = read_bytes(file, FILE_LIMIT_BYTES, named=path is not None).decode("utf-8-sig")
    except OSError as error:
        if path is not None:
            raise UsageError(f"cannot read the configuration {path}: {error.strerror}; check the name") from error
        missing = isinstance(error, (FileNotFoundError, NotADirectoryError))
        return Loaded() if missing else _unused(f"{file}: {error.strerror}")
    except UnicodeDecodeError:
        return _unused(f"{file}: not UTF-8 text")
    except Refused as error:
        return _unused(f"{file}: {error}")
    return _parse(text, file, known)


def _unused(why: str) -> Loaded:
    return Loaded(message=f"{why}; the defaults are used", problems=(why,))


def _parse(text: str, path: Path, known: Known) -> Loaded:
    import yaml  # late: only where there is a file to read

    problems: list[Problem] = []
    try:
        # CSafeLoader is not used: PyYAML 6.0.3 with libyaml crashes the process on 200 000 opening brackets.
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        settings = Settings() if _empty(root) else _settings(root, problems, _readers(known))
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        return _unused(f"{path}{line}: not YAML: {error.problem or error.context}")
    except yaml.YAMLError as error:  # a character that YAML does not allow
        return _unused(f"{path}: not YAML: {getattr(error, 'reason', error)}")
    except RecursionError:
        return _unused(f"{path}: nested too deeply")
    except _Unusable as error:
        return _unused(f"{path}, line {_line(root)}: {error}")
    reasons = [f"line {line}, {reason}" for line, reason in sorted(problems)]
    message = f"{path}, {'; '.join(reasons)}; the defaults are used there" if reasons else None
    return Loaded(settings, path, message, tuple(f"{path}, {reason}" for reason in reasons))


_Reader = Callable[["Node", list[Problem]], object]


def _readers(known: Known) -> dict[str, tuple[str, _Reader]]:
    """Return field in the file -> attribute of Settings (empty for a verb), and the reader of its value."""
    return {
        "interval": ("interval_s", lambda node, _: _interval(node)),
        "attach": ("attach", lambda node, _: _choice(node, ATTACH_MODES)),
        "flows_on_finding": ("flows_on_finding", lambda node, _: _choice(node, FLOWS_ON_FINDING)),
        "theme": ("theme", lambda node, _: _theme(node)),
        "netns": ("netns", lambda node, _: _word(node)),
        **{name: (name, lambda node, _: _switch(node)) for name in ("drops", "yes", "ascii", "mouse", "low_bandwidth")},
        "thresholds": ("thresholds", lambda node, problems: _thresholds(node, problems, known.thresholds())),
        "silence": ("silence", lambda node, problems: _silence(node, problems, known.thresholds().keys() - {"attach"})),
        "columns": ("columns", lambda node, problems: _columns(node, problems, known.columns())),
        "keys": ("keys", lambda node, problems: _keys(node, problems, known.keys())),
        **{verb: ("", partial(_options, verb, options)) for verb, options in known.options.items()},
    }


def _settings(root: Node | None, problems: list[Problem], readers: Mapping[str, tuple[str, _Reader]]) -> Settings:
    values: dict[str, Any] = {}
    verbs: dict[str, Any] = {}
    for name, node in _entries(root, readers, problems, ""):
        attribute, read = readers[name]
        with _noting(problems, node, name):
            if not _empty(node):
                (values if attribute else verbs)[attribute or name] = read(node, problems)
    return Settings(**values, verbs=verbs)


def _options(verb: str, known: KnownOptions, node: Node, problems: list[Problem]) -> dict[str, object]:
    """Read the field of a verb: its options and their values."""
    parsers = known()
    result: dict[str, object] = {}
    for name, value in _entries(node, parsers, problems, f"{verb}."):
        with _noting(problems, value, f"{verb}.{name}"):
            if not _empty(value):
                try:
                    result[name] = parsers[name](_words(value))
                except ValueError as error:
                    raise _Unusable(str(error)) from None
    return result


def _switch(node: Node) -> bool:
    return _choice(node, ("true", "false")) == "true"


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
    from bpftop.rules.table import contradiction  # late: only a file that has the field needs the rules

    result: dict[str, dict[str, float]] = {}
    for rule, overrides in _entries(node, known, problems, "thresholds."):
        where = f"thresholds.{rule}"
        with _noting(problems, overrides, where):
            numbers: dict[str, float] = {}
            nodes = dict(_entries(overrides, known[rule], problems, f"{where}."))
            for name, value in nodes.items():
                with _noting(problems, value, f"{where}.{name}"):
                    numbers[name] = _number(value)
            while (conflict := contradiction(rule, numbers)) is not None:
                name, why = conflict
                problems.append((_line(nodes[name]), f"{where}.{name}: {why}"))
                del numbers[name]
            if numbers:
                result[rule] = numbers
    return result


def _silence(node: Node, problems: list[Problem], known: Collection[str]) -> frozenset[str]:
    expected = "a list of rules is expected here, as in `[packet-storm]`"
    return frozenset(_known_words(node, problems, "silence", known, "rule", expected))


def _columns(node: Node, problems: list[Problem], known: Mapping[str, Collection[str]]) -> dict[str, tuple[str, ...]]:
    result: dict[str, tuple[str, ...]] = {}
    expected = "a list of columns is expected here, as in `[share, trend]`"
    for pane, value in _entries(node, known, problems, "columns."):
        where = f"columns.{pane}"
        with _noting(problems, value, where):
            result[pane] = tuple(_known_words(value, problems, where, known[pane], "column", expected))
    return result


def _known_words(
    node: Node, problems: list[Problem], where: str, known: Collection[str], kind: str, expected: str
) -> list[str]:
    """Read a list of names of a kind. An entry that is not known is noted and left out."""
    from yaml import SequenceNode

    if not isinstance(node, SequenceNode):
        raise _Unusable(expected)
    words = []
    for position, item in enumerate(node.value, 1):
        with _noting(problems, item, f"{where}, entry {position}"):
            word = _word(item)
            if word not in known:
                raise _Unusable(f"no such {kind}{spelling_hint(word, known)}")
            words.append(word)
    return words


def _keys(node: Node, problems: list[Problem], known: Mapping[str, str] | None) -> dict[str, str]:
    """Read the keys of actions. ``known``: id of each action -> its own keys, separated by commas; None for any id."""
    result: dict[str, str] = {}
    nodes: dict[str, Node] = {}
    for action, value in _entries(node, known, problems, "keys."):
        with _noting(problems, value, f"keys.{action}"):
            try:
                keys = [key_name(word) for word in _word(value).split(",")]
            except ValueError as error:
                raise _Unusable(str(error)) from None
            for other, used in result.items():
                both = set(used.split(",")) & set(keys)
                if both:
                    raise _Unusable(f"the key {min(both)} is given to {other} already")
            result[action], nodes[action] = ",".join(keys), value
    while known and (conflict := _conflict(result, known)) is not None:
        action, key, owner = conflict
        reason = f"{key} is the only key of {owner}; give {owner} another key, too"
        problems.append((_line(nodes[action]), f"keys.{action}: {reason}"))
        del result[action]
    return result


def _conflict(configured: Mapping[str, str], known: Mapping[str, str]) -> tuple[str, str, str] | None:
    """Return an action that takes the last key of another action, the key, and the other action's id."""
    takers = {key: action for action, keys in configured.items() for key in keys.split(",")}
    for owner, own_keys in known.items():
        keys = own_keys.split(",")
        if owner not in configured and all(key in takers for key in keys):
            return takers[keys[0]], keys[0], owner
    return None


def _entries(
    node: Node | None, known: Collection[str] | None, problems: list[Problem], prefix: str
) -> Iterator[tuple[str, Node]]:
    """Yield the (name, value) pairs of a mapping. A missing, unknown or repeated name is noted and left out."""
    from yaml import MappingNode, ScalarNode

    if not isinstance(node, MappingNode):
        raise _Unusable("a mapping is expected here, as in `name: value`")
    names: set[str] = set()
    for key, value in node.value:
        name = str(key.value) if isinstance(key, ScalarNode) else ""
        with _noting(problems, key, f"{prefix}{name}"):
            if not name:
                raise _Unusable("a name is expected here")
            if known is not None and name not in known:
                raise _Unusable(f"no such setting{spelling_hint(name, known)}")
            if name in names:
                raise _Unusable("given twice, the first one holds")
            names.add(name)
            yield name, value


@contextmanager
def _noting(problems: list[Problem], node: Node, name: str) -> Iterator[None]:
    """Note why the value of a field cannot be used, and go on with the next field."""
    try:
        yield
    except _Unusable as error:
        problems.append((_line(node), f"{name}: {error}"))


def _word(node: Node) -> str:
    """Return a scalar as the person wrote it: YAML 1.1 makes a boolean of ``yes`` and a string of ``1e3``."""
    if not isinstance(node.value, str) or not node.value or any(c.isspace() for c in node.value):
        raise _Unusable("a single word or number is expected here")
    return node.value


def _words(node: Node) -> str:
    """Return a scalar, or the scalars of a list with commas between them."""
    if isinstance(node.value, list) and node.tag == "tag:yaml.org,2002:seq":
        return ",".join(_word(item) for item in node.value)
    return _word(node)


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
    """Return True where nothing is written after the colon, or in the whole file: the default holds."""
    return node is None or node.tag == "tag:yaml.org,2002:null"


def _line(node: Node | None) -> int:
    return 1 if node is None else int(node.start_mark.line) + 1
