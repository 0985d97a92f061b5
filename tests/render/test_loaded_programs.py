"""Texts of the list of BPF programs."""

from __future__ import annotations

import pytest

from bpftop.model.bpf.inventory import BpfInventory, BpfProgram, Runs
from bpftop.render.bpf.loaded_programs import LOADED_PROGRAM_COLUMNS, loaded_program_lines, where_text

UNIT = "cgroup egress /payload/system.slice/systemd-journald.service"


@pytest.mark.parametrize(
    ("where", "width", "text"),
    [
        (UNIT, 80, UNIT),
        (UNIT, 40, "egress …m.slice/systemd-journald.service"),
        (UNIT, 22, "egress …urnald.service"),
        (UNIT, 12, "cgroup…"),
        ("tcx ingress eth0, tcx egress eth0", 20, "tcx ingress eth0,…"),
        ("cgroup egress /a, cgroup ingress /b", 20, "cgroup egress /a,…"),
        ("", 20, ""),
    ],
)
def test_the_end_of_a_long_path_stays(where: str, width: int, text: str) -> None:
    assert where_text(where, width) == text
    assert len(text) <= width


@pytest.mark.parametrize(("jited_bytes", "text"), [(0, "0"), (59, "0.058"), (437, "0.43"), (4096, "4"), (28_672, "28")])
def test_a_small_program_is_not_called_interpreted(jited_bytes: int, text: str) -> None:
    program = BpfProgram(7, "xdp", "drop", "", 0, 0, 2, jited_bytes, 2)
    (line,) = loaded_program_lines(None, BpfInventory(0, 0, {7: program}, {7: Runs(0, 0, 0)}, {}))
    (column,) = [column for column in LOADED_PROGRAM_COLUMNS if column.id == "jited"]
    assert column.cell(line, 8) == text
