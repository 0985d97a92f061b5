"""Texts of the list of BPF programs."""

from __future__ import annotations

import pytest

from bpftop.render.bpf.loaded_programs import where_text

UNIT = "cgroup egress /payload/system.slice/systemd-journald.service"


@pytest.mark.parametrize(
    ("where", "width", "text"),
    [
        (UNIT, 80, UNIT),
        (UNIT, 40, "cgroup egress …/systemd-journald.service"),
        (UNIT, 24, "cgroup egress …d.service"),
        (UNIT, 20, "cgroup egress…"),
        ("tcx ingress eth0, tcx egress eth0", 20, "tcx ingress eth0,…"),
        ("cgroup egress /a, cgroup ingress /b", 20, "cgroup egress /a,…"),
        ("", 20, ""),
    ],
)
def test_the_end_of_a_long_path_stays(where: str, width: int, text: str) -> None:
    assert where_text(where, width) == text
    assert len(text) <= width
