"""Hints for an error on the command line that looks like a spelling mistake. Imported after an error only."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches

from bpftop.errors import BpftopError, UsageError


def did_you_mean(words: list[str], verbs: Collection[str] | None, options: Collection[str], error: BpftopError) -> str:
    """Return a hint such as `` (did you mean --interval?)``; empty without one.

    ``verbs`` is None where a verb was recognised. An interface name that looks like a verb comes first: the options
    were then read as the options of another verb.
    """
    for word in words if verbs is not None else ():
        close = get_close_matches(word, verbs or (), 1, 0.8)
        if close:
            return f" (did you mean `bpftop {close[0]}`?)"
    for word in words if isinstance(error, UsageError) else ():
        if word == "--":
            break
        name = word.partition("=")[0]
        if name.startswith("--") and name not in options:
            begun = sorted(option for option in options if option.startswith(name))
            close = begun[:1] or get_close_matches(name, options, 1, 0.7)
            if close:
                return f" (did you mean {close[0]}?)"
    return ""
