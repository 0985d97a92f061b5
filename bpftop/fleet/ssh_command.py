"""The command that samples one host: ssh, sudo and ``bpftop watch``, as a list of words without a shell."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from bpftop.errors import UsageError

_DEFAULTS = (
    "BatchMode=yes",  # a question for a password would wait for ever: nobody sees it
    "ConnectTimeout=10",
    "ServerAliveInterval=5",
    "ServerAliveCountMax=3",
)
"""Options of ssh. ssh takes the first value that it gets for an option, so --ssh and ~/.ssh/config of a host win."""


def ssh_options(text: str) -> tuple[str, ...]:
    """Split the value of --ssh into words. Raises UsageError where a quotation mark is open."""
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise UsageError(f"{text!r} cannot be split into options of ssh: {error}") from None


def host_name(text: str) -> str:
    """Return the name of a host. Raises UsageError where ssh would take it for an option."""
    if text.startswith("-") or not text:
        raise UsageError(f"{text!r} is no name of a host")
    return text


def ssh_command(host: str, options: Sequence[str], interval_s: float) -> list[str]:
    """Return the words of the command for a host.

    The remote words are fixed: ssh joins them to a line for the shell of the other host.
    """
    ours = [word for option in _DEFAULTS for word in ("-o", option)]
    remote = ["sudo", "-n", "bpftop", "watch", "--format", "samples", "-i", f"{interval_s:g}"]
    return ["ssh", *options, *ours, "-T", "--", host, *remote]
