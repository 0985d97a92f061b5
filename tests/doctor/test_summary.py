"""The sentence above the results, and the problems by their remedies."""

from __future__ import annotations

from bpftop.doctor.answers import ProbeResult, Verdict, no, not_applicable, unknown, yes
from bpftop.doctor.summary import PARTS, bottom_line, problems
from bpftop.kernel.privileges import missing_remedy, privileges_remedy

NAMES = {name for ways in PARTS.values() for way in ways for name in way}


def results(**verdicts: Verdict) -> list[ProbeResult]:
    """Return results of all probes that matter; ``verdicts`` by name with _ for a space, the others are yes."""
    given = {name.replace("_", " "): verdict for name, verdict in verdicts.items()}
    return [ProbeResult(name, verdict) for name, verdict in (dict.fromkeys(sorted(NAMES), yes("")) | given).items()]


def test_everything_works_although_something_does_not_apply() -> None:
    assert (
        bottom_line(results(terminal=not_applicable("none"), clsact=no("EINVAL"))) == "Everything that matters works."
    )


def test_one_of_two_ways_is_enough() -> None:
    tcx = no("EINVAL (Invalid argument)", "needs Linux 6.6; sent frames are counted from rtnetlink instead")
    assert bottom_line(results(TCX=tcx)) == (
        "Packets are counted. Missing: sent packets and their flows (needs Linux 6.6)."
    )
    assert bottom_line(results(native_XDP=no("EOPNOTSUPP"))) == "Everything that matters works."


def test_parts_with_the_same_reason_share_it() -> None:
    refused = unknown("EPERM", missing_remedy(("CAP_BPF",)))
    line = bottom_line(results(XDP_counter=refused, tc_counter=refused, drop_reasons=no("no BTF")))
    assert line == (
        "Packets cannot be counted. Missing: received packets, sent packets and their flows "
        f"({privileges_remedy()}); reasons of drops (no BTF)."
    )


def test_too_few_files_for_any_program() -> None:
    assert bottom_line(results(open_files=no("the limit of 64", "raise the limit of open files (ulimit -n)"))) == (
        "Packets cannot be counted. Missing: received packets, sent packets and their flows (raise the limit of open "
        "files (ulimit -n))."
    )


def test_an_interface_that_is_down() -> None:
    down = no("down, ifindex 7", "no packet arrives: run `ip link set v0 up`")
    assert bottom_line(results(v0_link=down)) == (
        "Packets are counted. Missing: packets on v0 (no packet arrives: run `ip link set v0 up`)."
    )


def test_each_remedy_once_and_none_last() -> None:
    given = results(a=unknown("not tried"), b=no("x", missing_remedy(("CAP_BPF",))), c=no("y", privileges_remedy()))
    assert {remedy: [result.name for result in group] for remedy, group in problems(given).items()} == {
        privileges_remedy(): ["b", "c"],
        "": ["a"],
    }
    assert list(problems(given))[-1] == ""
