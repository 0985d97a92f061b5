"""Tests of the bench's own code, without its figures."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Iterator

import pytest

from bpftop.errors import BpftopError
from tests.bench import __main__ as bench
from tests.bench.figures import Figure, number, summary, table
from tests.bench.programs import RATES, environment
from tests.bench.screen import Spent
from tests.bench.terminal import OnTerminal, Usage, cpu_time_s, first_shown, gather

FIGURES = [
    Figure("packets", "count_xdp", 8.496, "ns", 10, "UDP 9.1"),
    Figure("packets", "count_tc", 11.0, "ns"),
    Figure("loading", "instructions", 20_001, "", 20_000),
]

SCREEN = """\
vm  demo0  rx xdp native, tx tcx  9/11 ns/pkt  self 0.4 %
RX   {rx}                                   ▆▇     - x 1 min ago
TX   2.45 kpps  14.5 Mb/s   740 B
CPU  ▄▇  1.9 of 2 carry RX       busiest: CPU 1, 64 %
Protocol         RX pps   RX bit/s  share            x 1 min
{row}
"""


def test_the_table_has_a_verdict_for_every_limit() -> None:
    lines = table(FIGURES).splitlines()
    assert lines[0].split() == ["figure", "measured", "limit", "verdict", "how"]
    assert lines[2].split() == ["count_xdp", "8.50", "ns", "10", "ns", "ok", "UDP", "9.1"]
    assert lines[3].split() == ["count_tc", "11", "ns"]
    assert lines[4] == ""
    assert lines[5].split() == ["instructions", "20", "001", "20", "000", "OVER"]
    assert len({line.index("ns") for line in lines[2:4]}) == 1


def test_a_figure_is_over_only_above_its_limit() -> None:
    assert [figure.verdict for figure in FIGURES] == ["ok", "", "OVER"]
    assert not Figure("s", "t", 10, "", 10).over
    assert summary(FIGURES) == "1 of 2 figures over their limit: instructions"
    assert summary(FIGURES[:2]) == "all 1 figures within their limits"
    assert summary(FIGURES[1:2]) == "no figure with a limit was measured"


def test_a_figure_may_have_a_lower_limit() -> None:
    figures = [Figure("s", "t", ratio, "", 1.05, "", 0.95) for ratio in (0.94, 0.95, 1.05, 1.06)]
    assert [figure.over for figure in figures] == [True, False, False, True]
    assert table(figures).splitlines()[2].split() == ["t", "0.94", "0.95", "to", "1.05", "OVER"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.0012, "0.00"),
        (9.994, "9.99"),
        (10.04, "10.0"),
        (150.26, "150.3"),
        (8191.6, "8 192"),
        (20001, "20 001"),
    ],
)
def test_numbers(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("rx", "row", "shows"),
    [
        ("2.89 kpps  26.9 Mb/s  1163 B", "TCP              1.94 k  20.3 Mb/s  ██████     67 %", True),
        (" 912 pps    438 kb/s    60 B", "UDP                   4   128 kb/s", True),
        ("0.02 pps    1.2 kb/s    60 B", "UDP                 0.5   128 kb/s", True),
        ("   0 pps      0 b/s        -", "TCP              1.94 k  20.3 Mb/s", False),
        ("       -           -       -", "TCP              1.94 k  20.3 Mb/s", False),
        ("2.89 kpps  26.9 Mb/s  1163 B", "TCP                   -          -", False),
        ("2.89 kpps  26.9 Mb/s  1163 B", "TCP                   0      0 b/s", False),
        ("2.89 kpps  26.9 Mb/s  1163 B", "", False),
    ],
)
def test_labels_dashes_and_zeros_are_no_rates(rx: str, row: str, shows: bool) -> None:
    assert bool(RATES.search(SCREEN.format(rx=rx, row=row))) is shows


def test_a_window_gives_rates_per_second() -> None:
    spent = Spent.between(Usage(10.0, 1.0, 500, 1 << 20), Usage(14.0, 1.2, 2500, 3 << 20))
    assert spent.cpu_pct == pytest.approx(5)
    assert (spent.bytes_per_sec, spent.resident_mib) == (500, 3)


def start(tmp_path: object, script: str) -> OnTerminal:
    return OnTerminal("a script", [sys.executable, "-c", script], environment(str(tmp_path)))


def test_a_program_on_a_terminal_is_read_with_the_times(tmp_path: object) -> None:
    script = "import os, time; print(*os.get_terminal_size()); input(); print('later'); time.sleep(60)"
    with start(tmp_path, script) as program:
        first_s = first_shown(program, re.compile("^160 50$", re.MULTILINE), 20, 0.1)
        asked_s = time.perf_counter() - program.start_s
        program.type("\n")
        later_s = first_shown(program, re.compile("^later$", re.MULTILINE), 20, 0.1)
        assert first_s < asked_s < later_s == program.first(re.compile("later"))
        assert program.usage().written_bytes == len("160 50\r\n\r\nlater\r\n")
        assert 0 < cpu_time_s(program.pid) < 10
        assert program.usage().resident_bytes > 1 << 20
        pid = program.pid
    assert program.ended
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_program_that_ends_by_itself_is_quoted(tmp_path: object) -> None:
    with start(tmp_path, "print('no such thing'); raise SystemExit(3)") as program:
        with pytest.raises(BpftopError, match=r"a script did not show .* \(exit code 3\), .*: no such thing"):
            first_shown(program, RATES, 20, 0.1)
        with pytest.raises(BpftopError, match="ended by itself"):
            program.usage()


def test_a_program_that_does_not_show_it_in_time_is_an_error(tmp_path: object) -> None:
    with (
        start(tmp_path, "import time; print('hello'); time.sleep(60)") as program,
        pytest.raises(BpftopError, match="did not show"),
    ):
        first_shown(program, RATES, 0.5, 0.2)


def test_one_that_ignores_the_request_to_end_is_ended(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.bench.terminal.ENDING_S", 0.2)
    script = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    with start(tmp_path, script) as program:
        first_shown(program, re.compile("deaf"), 20, 0.1)
    assert program.ended


def test_private_sequences_leave_nothing_on_the_screen(tmp_path: object) -> None:
    written = r"\x1b[>1u\x1b[?2026$p\x1b[?25l\x1b]22;default\x07\x1b[31mred\x1b[0m"
    with start(tmp_path, f"print('{written}', end='', flush=True); import time; time.sleep(60)") as program:
        gather([program], time.perf_counter() + 0.1)
        first_shown(program, re.compile("red"), 20, 0.1)
        assert program.screen().strip() == "red"


def test_unknown_suites_are_bad_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        bench.main(["nothing"])
    assert ended.value.code == 2
    assert "no suite is called nothing" in capsys.readouterr().err


def test_a_figure_over_its_limit_is_exit_code_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: os.PathLike[str]
) -> None:
    class Suite:
        @staticmethod
        def measure(say: object) -> list[Figure]:
            return FIGURES

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(bench, "import_module", lambda name: Suite)
    path = os.path.join(tmp_path, "figures.json")
    assert bench.main(["packets", "--json", path]) == 1
    assert "1 of 2 figures over their limit: instructions" in capsys.readouterr().out
    with open(path) as file:
        figures = json.load(file)["figures"]
    assert [figure["verdict"] for figure in figures] == ["ok", None, "OVER"]
    monkeypatch.setattr(Suite, "measure", staticmethod(lambda say: FIGURES[:2]))
    assert bench.main(["packets", "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["figures"][0]["limit"] == 10


def test_what_was_measured_before_a_failure_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Suite:
        @staticmethod
        def measure(say: object) -> Iterator[Figure]:
            yield FIGURES[0]
            raise BpftopError("the kernel said no")

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(bench, "import_module", lambda name: Suite)
    assert bench.main(["packets"]) == 1
    shown = capsys.readouterr()
    assert "all 1 figures within their limits" in shown.out
    assert shown.err == "bench: packets is not complete: the kernel said no\n"
