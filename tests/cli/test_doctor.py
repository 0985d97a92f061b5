"""`bpftop doctor` as people run it: as root, as nobody, on a terminal, into a pipe."""

from __future__ import annotations

import os
import re
import subprocess
from itertools import chain
from pathlib import Path

import pytest

from bpftop.cli import main
from bpftop.cli.verbs.doctor import Layout
from bpftop.doctor.answers import ProbeResult, no, not_applicable, unknown, yes
from bpftop.doctor.summary import PARTS
from tests.bpf.devices import Lab
from tests.cli.running import COMMAND, Terminal, bpftop, environment
from tests.waiting import LIMIT_S

LINE = re.compile(r"(ok|no|\?|-) +(\S.*?\S)  +(\S.*)")
NOBODY = 65534
ORDER = ("no?", "ok", "-")


def lines_of(text: str) -> dict[str, tuple[str, str]]:
    """Name -> answer and words, with the remedy behind its group.

    The first line must be a sentence. Problems come first, then what works, then what does not apply; the columns
    must be aligned, and no remedy may be told twice.
    """
    first, *paragraphs = text.split("\n\n")
    assert first.startswith(
        ("Everything that matters works.", "Packets are counted. M", "Packets cannot be counted. M")
    )
    results: dict[str, tuple[str, str]] = {}
    columns, remedies, ranks = set(), [], []
    for paragraph in paragraphs:
        *lines, last = paragraph.splitlines()
        remedy = f"; {last.removeprefix('    -> ')}" if last.startswith("    -> ") else ""
        remedies += [remedy] if remedy else []
        for line in lines if remedy else [*lines, last]:
            match = LINE.fullmatch(line)
            assert match is not None, line
            columns.add(match.start(3))
            ranks.append([match[1] in answers for answers in ORDER].index(True))
            results[match[2]] = (match[1], match[3] + remedy)
    assert len(columns) == 1
    assert ranks == sorted(ranks)
    assert len(remedies) == len(set(remedies))
    return results


def result(answer: str) -> ProbeResult:
    verdicts = {
        "yes": yes("it does"),
        "no": no("EINVAL", "go on"),
        "unknown": unknown("EPERM"),
        "n/a": not_applicable("no card", "none is needed"),
    }
    return ProbeResult(f"TCX {answer}", verdicts[answer])


def test_the_order_of_a_report() -> None:
    parts = [ProbeResult(name, yes("it does")) for way in chain(*PARTS.values()) for name in way]
    text = Layout(9, None, False).report(
        [result("yes"), result("unknown"), *parts, result("n/a"), result("no"), result("no")]
    )
    first, problem, other, fine, rest = text.split("\n\n")
    assert first == "Everything that matters works."
    assert problem == "no  TCX no     EINVAL\nno  TCX no     EINVAL\n    -> go on"
    assert other == "?   TCX unknown  EPERM"
    assert fine.startswith("ok  TCX yes    it does\nok  XDP counter  it does\n")
    assert rest == "-   TCX n/a    no card; none is needed\n"


def test_a_line_on_a_terminal() -> None:
    assert Layout(3, 32, True).line("TCX", "no", "EINVAL") == "\x1b[31mno\x1b[0m  TCX  EINVAL\n"
    assert Layout(3, 40, False).line("TCX", "yes", "word " * 8 + "word; the end").splitlines() == [
        "ok  TCX  word word word word word word",
        "         word word word; the end",
    ]


def test_control_characters_are_escaped() -> None:
    assert Layout(5, None, False).line("v\x1b0", "no", "program \x1b[2J") == "no  v\\x1b0  program \\x1b[2J\n"


@pytest.mark.bpf
def test_doctor_as_root(lab: Lab) -> None:
    lab.veth()
    done = bpftop("doctor", "v0")
    assert (done.returncode, done.stderr) == (0, "")
    seen = lines_of(done.stdout)
    for works in ("CAP_BPF", "bpf(2)", "XDP counter", "tc counter", "test runs", "native XDP", "rtnetlink", "v0 link"):
        assert seen[works][0] == "ok"
    assert seen["terminal"][0] == "-"
    assert done.stdout.startswith("Everything that matters works.\n")


@pytest.mark.bpf
@pytest.mark.parametrize(
    ("held", "counter"),
    [
        ("dac_read_search", "EPERM (Operation not permitted)"),
        ("dac_read_search,+bpf,+net_admin", "EACCES (Permission denied)"),
    ],
)
def test_root_with_few_capabilities(lab: Lab, held: str, counter: str) -> None:
    """Run doctor as root with few capabilities, as in a container, with read access to the checkout."""
    lab.veth()
    command = ["setpriv", f"--bounding-set=-all,+{held}", *COMMAND, "doctor", "v0"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment())
    assert (done.returncode, done.stderr) == (0, "")
    seen = lines_of(done.stdout)
    assert seen["XDP counter"] == ("?", f"{counter}; give it to this container or service")
    assert done.stdout.startswith("Packets cannot be counted. Missing: received packets, sent packets and their flows")
    assert seen["CAP_PERFMON"][0] == seen["CAP_SYS_ADMIN"][0] == seen["v0 attach auto"][0] == "no"
    assert {seen[name][0] for name in ("private veth pair", "XDP links", "native XDP", "TCX", "clsact")} == {"?"}
    assert seen["rtnetlink"][0] == seen["v0 link"][0] == "ok"


@pytest.mark.bpf
def test_tcx_is_probed_without_a_private_namespace(lab: Lab) -> None:
    held = "dac_read_search,+bpf,+net_admin,+perfmon"
    command = ["setpriv", f"--bounding-set=-all,+{held}", *COMMAND, "doctor"]
    seen = lines_of(subprocess.run(command, capture_output=True, text=True, env=environment()).stdout)
    assert seen["XDP counter"][0] == seen["test runs"][0] == "ok"
    assert seen["XDP links"][0] == "?"
    assert "private veth pair" in seen["TCX"][1]
    assert seen["TCX"][0] in ("ok", "no")


@pytest.mark.bpf
def test_doctor_as_nobody(capfd: pytest.CaptureFixture[str]) -> None:
    """In a child of this process: nobody may not be able to read the checkout, so all modules are there already."""
    assert main(["doctor"]) == 0
    capfd.readouterr()
    child = os.fork()
    if child == 0:
        code = 70
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            code = main(["doctor", "lo"])
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    out, err = capfd.readouterr()
    assert err == ""
    seen = lines_of(out)
    for capability in ("CAP_BPF", "CAP_PERFMON", "CAP_NET_ADMIN", "CAP_SYS_ADMIN", "CAP_SYS_PTRACE"):
        assert seen[capability][0] == "no"
        assert seen[capability][1].endswith("; run it with sudo")
    assert seen["bpf(2)"] == ("?", "EPERM (Operation not permitted); run it with sudo")
    assert seen["private veth pair"][0] == "?"
    assert seen["XDP counter"][0] != "ok"
    assert seen["rtnetlink"][0] == seen["lo frames"][0] == "ok"
    assert seen["lo attach auto"][0] == "no"


@pytest.mark.bpf
def test_on_a_terminal() -> None:
    with Terminal("doctor", "--all") as terminal:
        assert terminal.await_end() == 0
    text = terminal.written.decode()
    assert "\x1b[32mok\x1b[0m  bpf(2)" in text
    assert "100 x 30, 256 colours, TERM=xterm-256color" in text
    bare = re.sub(r"\x1b\[[0-9]*m", "", text)
    assert "\x1b" not in bare
    assert max(map(len, bare.splitlines())) <= 100


@pytest.mark.bpf
def test_a_report_fits_a_terminal(lab: Lab) -> None:
    """The first line matters most: it must not scroll away. Problems and a named interface keep their lines."""
    lab.veth()
    lines, interface_lines = (brief_report(*words) for words in (("doctor",), ("doctor", "v0")))
    assert len(lines) < 24
    for shown in (lines, interface_lines):
        assert shown[0] == "Everything that matters works."
        assert max(map(len, shown)) <= 80
    named = " ".join(" ".join(interface_lines).split())
    assert " ok CAP_BPF, CAP_PERFMON, " in named
    assert "versions: `bpftop doctor --all` has what each found ok v0 link" in named
    assert " ok v0 attach auto receives: native XDP" in named


def brief_report(*words: str) -> list[str]:
    with Terminal(*words, size=(80, 24)) as terminal:
        assert terminal.await_end() == 0
    return re.sub(r"\x1b\[[0-9]*m", "", terminal.written.decode()).splitlines()


def test_no_color_and_dumb_terminals() -> None:
    for more in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        with Terminal("doctor", env=environment(**more)) as terminal:
            assert terminal.await_end() == 0
        assert b"\x1b" not in terminal.written


def test_unsupported_uses_are_refused() -> None:
    done = bpftop("doctor", "no-such")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith('bpftop: No interface named "no-such" in this network namespace; there are: ')
    assert bpftop("doctor", "lo", "lo").returncode == 2


def test_a_bad_configuration_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "bpftop").mkdir()
    (tmp_path / "bpftop/config.yaml").write_text("interval: soon\n")
    done = bpftop("doctor", env=environment(str(tmp_path)))
    assert (done.returncode, done.stderr) == (0, "")
    answer, words = lines_of(done.stdout)["configuration"]
    assert answer == "no"
    assert "line 1, interval: 'soon' is not a number of seconds" in words


def test_help_says_what_the_exit_code_is() -> None:
    text = bpftop("doctor", "--help").stdout
    assert "The exit code is 0 if all probes ran, whatever their results." in " ".join(text.split())
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.bpf
def test_timing_of_an_interface_in_a_namespace(lab: Lab) -> None:
    lab.veth()
    done = bpftop("doctor", "v1", "--netns", str(os.getpid()), "--timing")
    assert done.returncode == 1  # this process's namespace has the other end
    done = bpftop("doctor", "v0", "--netns", str(os.getpid()), "--timing")
    assert (done.returncode, done.stderr) == (0, "")
    seen = lines_of(done.stdout)
    assert seen["v0 link"][0] == "ok"
    assert seen["timing softnet"][0] == seen["timing traffic"][0] == "ok"
    assert "the budget is 10 ms of CPU" in seen["timing of a tick"][1]
    assert "timing softnet" not in lines_of(bpftop("doctor", "v0").stdout)


@pytest.mark.bpf
def test_hidden_btf_is_named_by_each_part_that_needs_it() -> None:
    script = f"mount -t tmpfs none /sys/kernel; exec {' '.join(COMMAND)} doctor lo"
    done = subprocess.run(
        ["unshare", "-m", "sh", "-ec", script], capture_output=True, text=True, timeout=LIMIT_S, env=environment()
    )
    results = lines_of(done.stdout)
    for part in ("drop reasons", "XDP exceptions", "XDP redirect errors", "verdicts of others"):
        assert "the kernel's BTF is hidden here: another file system covers /sys/kernel" in results[part][1]
