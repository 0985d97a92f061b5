"""`doctor --timing`: the cost of a tick, in rounds, against the budget."""

from __future__ import annotations

import errno
from contextlib import closing
from pathlib import Path

import pytest

from bpftop.cli.shutdown import Ended
from bpftop.collect.collector import Unavailable
from bpftop.doctor import timing
from bpftop.doctor.answers import Verdict, answer, no, yes
from bpftop.doctor.timing import Task, Timing, spans, within_budget
from bpftop.kernel.net.netdev import Netdev
from bpftop.kernel.privileges import Privileges
from bpftop.kernel.return_code import KernelError
from tests.bpf.devices import Lab

ALL = Privileges((1 << 41) - 1)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "GAP_S", 0.01)
    monkeypatch.setattr(timing, "ROUNDS", 3)


def test_medians_and_the_worst_round() -> None:
    words = spans([1_000, 9_000, 2_000], [3_000, 1_000_000, 4_000])
    assert words == "2 µs, at worst 9 µs of CPU; 4 µs, at worst 1000 µs elapsed"


def test_against_the_budget() -> None:
    budget = ", with all collectors due; the budget is 10 ms of CPU"
    often_enough = [9_000_000, 99_000_000, 1]
    assert within_budget(often_enough, often_enough) == yes(spans(often_enough, often_enough) + budget)
    too_much = [10_000_001]
    assert within_budget(too_much, [1]) == no(spans(too_much, [1]) + budget, "a longer interval (-i) costs less")


def test_a_task_that_fails_has_no_time() -> None:
    task = Task("snmp", lambda: None)
    task.take()
    assert (len(task.cpu_ns), len(task.wall_ns), task.failure) == (1, 1, None)

    def refuse() -> None:
        raise Unavailable("backlog counters: cannot read it")

    failing = Task("softnet", refuse)
    failing.take()
    assert failing.cpu_ns == []
    assert str(failing.failure) == "backlog counters: cannot read it"


def verdicts(timing_questions: Timing) -> dict[str, Verdict]:
    return {question.name: answer(question, ALL) for question in timing_questions.questions()}


def test_an_empty_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No interface is watched and no file can be read: each line says so."""
    monkeypatch.setattr(timing, "LOAD_WAIT_S", 0.05)
    with closing(Netdev()) as netdev, closing(Timing(netdev, None, tmp_path)) as timing_questions:
        by_name = verdicts(timing_questions)
    assert by_name["timing softnet"].answer == "unknown"
    assert "cannot read" in by_name["timing softnet"].evidence
    assert "timing traffic" not in by_name


def test_a_signal_ends_it_between_two_rounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "LOAD_WAIT_S", 0.05)
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        raise Ended(15)

    with (
        pytest.raises(Ended),
        closing(Netdev()) as netdev,
        closing(Timing(netdev, None, tmp_path, sleep=sleep)) as timing_questions,
    ):
        verdicts(timing_questions)
    assert len(slept) == 1


def test_counters_that_do_not_load(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise KernelError("cannot load", errno.EPERM)

    monkeypatch.setattr(timing, "PacketCounter", refuse)
    monkeypatch.setattr(timing, "LOAD_WAIT_S", 0.05)
    with closing(Netdev()) as netdev, closing(Timing(netdev, netdev.find("lo"), Path("/"))) as timing_questions:
        by_name = verdicts(timing_questions)
    assert by_name["timing traffic"].evidence.startswith("EPERM (Operation not permitted)")
    assert by_name["timing links"].answer == "yes"
    assert by_name["timing of a tick"].answer == "yes"


@pytest.mark.bpf
def test_on_this_machine(lab: Lab) -> None:
    lab.veth()
    with (
        closing(Netdev()) as netdev,
        closing(Timing(netdev, netdev.find("v0"), Path("/"), entered=True)) as timing_questions,
    ):
        by_name = verdicts(timing_questions)
    for name in ("traffic", "links", "softnet", "softirqs", "cpu_times", "interrupts", "qdiscs", "nic"):
        assert by_name[f"timing {name}"].answer == "yes", by_name[f"timing {name}"]
        assert " of CPU; " in by_name[f"timing {name}"].evidence
    assert list(by_name)[-1] == "timing of a tick"
    assert "the budget is 10 ms of CPU" in by_name["timing of a tick"].evidence
