"""The guests of one run of the tests: each kernel is booted once, two at a time, and runs all proofs."""

from __future__ import annotations

import json
from collections.abc import Collection
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from tests.qemu.kernels import kernel
from tests.qemu.machine import Ran, Stuck, boot

PROOFS = "import runpy; runpy.run_module('tests.qemu.guest', run_name='__main__')\n"
AT_ONCE = 2


@dataclass(frozen=True)
class Outcome:
    version: str
    held: bool
    said: str


class Guests:
    """``names`` are the kernels to boot, all of them as soon as the first is asked for."""

    def __init__(self, names: Collection[str]) -> None:
        self._names = names
        self._pool = ThreadPoolExecutor(AT_ONCE)
        self._booted: dict[str, Future[tuple[str, Ran]]] = {}

    def outcome(self, name: str, proof: str) -> Outcome:
        """Return the outcome of a proof. Raises Unobtainable and Stuck."""
        version, ran = self._of(name)
        for line in ran.output.splitlines():
            if line.startswith("{"):
                one = json.loads(line)
                if one["proof"] == proof:
                    return Outcome(version, one["held"], one["said"])
        raise Stuck(f"{version} said nothing of {proof}; its exit status is {ran.status}\n{ran.output}")

    def console(self, name: str) -> str:
        """Return the messages of the kernel. Raises Unobtainable and Stuck."""
        return self._of(name)[1].console

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)

    def _of(self, name: str) -> tuple[str, Ran]:
        if not self._booted:
            self._booted = {one: self._pool.submit(_boot, one) for one in self._names}
        return self._booted[name].result()


def _boot(name: str) -> tuple[str, Ran]:
    one = kernel(name)
    return one.version, boot(one, PROOFS)
