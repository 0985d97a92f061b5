"""All questions in their order, and the answers one by one."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from bpftop.collect.doctor import bpf, device, system
from bpftop.collect.doctor.answers import Answer, Privileges, Result, answer
from bpftop.config import Loaded
from bpftop.kernel.netdev import Netdev
from bpftop.model.hooks import Wish

ROOT = Path("/")


class Examination:
    """The questions are fixed when this is made; ``results`` puts them. To be closed.

    ``config`` and ``loaded`` are the configuration file and what came of it. ``wish`` is for ``interface``, which may
    be None. ``root`` is where /proc and /sys are. BpftopError: there is no such interface.
    """

    def __init__(
        self,
        interface: str | None,
        wish: Wish,
        *,
        config: Path,
        loaded: Loaded,
        environment: Mapping[str, str] = os.environ,
        root: Path = ROOT,
    ) -> None:
        self._answers: dict[str, Answer] = {}
        self._privileges = privileges = Privileges.read(root)
        self._netdev = netdev = Netdev()
        try:
            found = None if interface is None else netdev.find(interface)
            self._questions = [
                *system.privilege_questions(privileges),
                *bpf.questions(root),
                *system.questions(netdev, environment, config, loaded),
                *(device.questions(netdev, found, wish, privileges, self._answers, root) if found else ()),
            ]
        except BaseException:
            netdev.close()
            raise

    @property
    def names(self) -> list[str]:
        return [question.name for question in self._questions]

    def results(self) -> Iterator[Result]:
        """Each as soon as it is there; all of them take a second, mostly of waiting for the kernel."""
        for question in self._questions:
            verdict = answer(question, self._privileges)
            self._answers[question.name] = verdict.answer
            yield Result(question.name, verdict)

    def close(self) -> None:
        self._netdev.close()
