"""The examination: all questions in their order, answered one by one."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from bpftop.config.settings_file import Loaded
from bpftop.doctor import bpf, device, system, tracing
from bpftop.doctor.answers import Answer, ProbeResult, answer
from bpftop.hooks.attach_facts import AttachRequest
from bpftop.kernel.net.netdev import Device, Netdev
from bpftop.kernel.privileges import Privileges

if TYPE_CHECKING:
    from bpftop.doctor.timing import Sleep, Timing

ROOT = Path("/")


class Examination:
    """All questions about this machine, and about one interface if it is named. To be closed.

    ``loaded`` is the result of reading the configuration file ``config``. ``timing`` also measures the cost of a tick,
    on ``interface`` or else on the interface of the default route. ``netns`` is the name of another network namespace
    that the calling thread has entered. ``sleep`` is called between the rounds of the timing, and may raise.
    Raises BpftopError where there is no such interface.
    """

    def __init__(
        self,
        interface: str | None,
        request: AttachRequest,
        *,
        config: Path,
        loaded: Loaded,
        timing: bool = False,
        netns: str | None = None,
        environment: Mapping[str, str] = os.environ,
        sleep: Sleep = time.sleep,
    ) -> None:
        self._sleep = sleep
        self._answers: dict[str, Answer] = {}
        self._privileges = privileges = Privileges.read()
        self._stack = ExitStack()
        self._netdev = netdev = Netdev()
        self._stack.callback(netdev.close)
        try:
            watched = None if interface is None else netdev.find(interface, netns)
            self._questions = [
                *system.privilege_questions(privileges),
                *bpf.questions(ROOT),
                *tracing.questions(),
                *system.questions(netdev, environment, config, loaded),
                *(device.questions(netdev, watched, request, privileges, self._answers) if watched else ()),
            ]
            if timing:
                self._questions += self._timing(watched, netns is not None).questions()
        except BaseException:
            self._stack.close()
            raise

    @property
    def names(self) -> list[str]:
        return [question.name for question in self._questions]

    def results(self) -> Iterator[ProbeResult]:
        """Yield each result as soon as it is known. All of them take a second, mostly of waiting for the kernel."""
        for question in self._questions:
            verdict = answer(question, self._privileges)
            self._answers[question.name] = verdict.answer
            yield ProbeResult(question.name, verdict)

    def close(self) -> None:
        self._stack.close()

    def _timing(self, device: Device | None, entered: bool) -> Timing:
        from bpftop.doctor.timing import Timing  # late: it imports all collectors

        ifindex = self._netdev.default_route() if device is None else None
        watched = device if ifindex is None else self._netdev.device(ifindex)
        timing = Timing(self._netdev, watched, ROOT, entered=entered, sleep=self._sleep)
        self._stack.callback(timing.close)
        return timing
