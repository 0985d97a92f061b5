"""The time that the threads of this process waited for a CPU."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import pytest

from bpftop.config import resources
from tests.waiting import until


def test_each_thread_has_waited_for_a_cpu() -> None:
    waits = resources.waits_for_cpu_ns()
    assert {str(thread.native_id) for thread in threading.enumerate()} <= waits.keys()
    assert min(waits.values()) >= 0


def test_a_thread_that_ends_hides_no_other_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its file is open when the thread ends, and reading it is ESRCH."""
    end = threading.Event()
    ending = threading.Thread(target=end.wait)
    ending.start()
    path = f"/proc/self/task/{ending.native_id}/schedstat"
    failures: list[OSError] = []

    @contextmanager
    def opened_before_the_end(name: str) -> Iterator[IO[str]]:
        with open(name) as file:
            if name == path:
                end.set()
                until(lambda: not os.path.exists(path), "the thread is gone")
            try:
                yield file
            except OSError as error:
                failures.append(error)
                raise

    monkeypatch.setattr(resources, "open", opened_before_the_end, raising=False)
    both = [str(ending.native_id), str(threading.get_native_id())]
    monkeypatch.setattr(os, "listdir", lambda folder: both)
    assert list(resources.waits_for_cpu_ns()) == [str(threading.get_native_id())]
    assert [error.errno for error in failures] == [errno.ESRCH]
