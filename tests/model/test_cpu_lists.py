"""CPU lists, masks and headers in the kernel's formats."""

from __future__ import annotations

import pytest

from bpftop.model.cpu_lists import format_cpu_list, parse_cpu_header, parse_cpu_list, parse_cpu_mask


@pytest.mark.parametrize(("cpus", "text"), [((0, 1, 2, 5, 7, 8, 511), "0-2,5,7-8,511"), ((), "")])
def test_lists(cpus: tuple[int, ...], text: str) -> None:
    assert format_cpu_list(cpus) == text
    assert parse_cpu_list(f"{text}\n") == cpus


def test_masks_begin_with_the_highest_word() -> None:
    assert parse_cpu_mask("00000001,0000000a\n") == (1, 3, 32)
    assert parse_cpu_mask("") == ()


def test_headers() -> None:
    assert parse_cpu_header("     CPU0    CPU2 ") == (0, 2)
    for header in ("", "CPU0 x", "CPU99999999"):
        with pytest.raises(ValueError, match="its first line names"):
            parse_cpu_header(header)
