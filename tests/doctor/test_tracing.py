"""The doctor's questions about the tracing parts, asked of this kernel."""

from __future__ import annotations

import errno

import pytest

from bpftop.doctor import tracing
from bpftop.doctor.answers import answer, no, unknown
from bpftop.kernel.bpf import probe
from bpftop.kernel.bpf.probe import NoPlace
from bpftop.kernel.privileges import Privileges
from bpftop.kernel.return_code import KernelError

QUESTIONS = {question.name: question for question in tracing.questions()}


def ask(name: str) -> tuple[str, str]:
    """Return answer and evidence."""
    verdict = answer(QUESTIONS[name], Privileges.read())
    return verdict.answer, verdict.evidence


@pytest.mark.bpf
def test_a_dropped_frame_shows_with_its_reason() -> None:
    given, evidence = ask("drop reasons")
    assert given == "yes"
    assert evidence.startswith("attached in ")
    assert evidence.endswith(" ms, counted the frame that was sent as UNHANDLED_PROTO")


@pytest.mark.bpf
def test_without_a_private_pair_it_is_attached_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> object:
        raise NoPlace("no private veth pair: EPERM (Operation not permitted)", errno.EPERM)

    monkeypatch.setattr(probe, "private_pair", nowhere)
    given, evidence = ask("drop reasons")
    assert given == "yes"
    assert evidence.endswith("ms; not tried on a packet: no private veth pair: EPERM (Operation not permitted)")


@pytest.mark.bpf
@pytest.mark.parametrize("name", ["XDP exceptions", "XDP redirect errors"])
def test_the_tracepoints_of_xdp(name: str) -> None:
    given, evidence = ask(name)
    assert given == "yes"
    assert evidence.startswith("attached in ")


@pytest.mark.bpf
def test_verdicts_are_counted_or_refused_by_the_kernel() -> None:
    given, evidence = ask("verdicts of others")
    if given == "yes":
        assert evidence.endswith(" to an empty program, counted its verdict")
    else:
        assert (given, evidence) == ("no", "EPERM (Operation not permitted) although no capability is missing")


def test_a_kernel_without_the_tracepoints(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object) -> object:
        raise KernelError("cannot load the BPF program", errno.ESRCH)

    monkeypatch.setattr(tracing, "load", missing)
    question = next(question for question in tracing.questions() if question.name == "XDP exceptions")
    assert answer(question, Privileges(~0)) == no("this kernel has no such tracepoint", "")


def test_missing_capabilities_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> object:
        raise KernelError("cannot load the BPF program", errno.EPERM)

    monkeypatch.setattr(tracing, "load", refused)
    question = next(question for question in tracing.questions() if question.name == "XDP exceptions")
    verdict = answer(question, Privileges(0))
    assert verdict.answer == "unknown"
    assert verdict == unknown("EPERM (Operation not permitted)", verdict.remedy)
    assert verdict.remedy.startswith("takes CAP_BPF and CAP_PERFMON: ")
