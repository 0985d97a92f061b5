"""Signals: everything ends in order, quietly, with the terminal as it was."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.cgroups import limited_cpu
from tests.cli.running import COMMAND, Terminal, await_handlers, started
from tests.waiting import LIMIT_S, until

ENDING = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT]
WATCH_NONE = ("lo", "--attach", "none")
CRASH = """
import sys
from bpftop.tui.app import BpftopApp
def crash(self):
    raise LookupError("lost")
BpftopApp.show = crash
from bpftop.cli import main
sys.exit(main(["lo", "--attach", "none"]))
"""


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_ends_watch(number: signal.Signals) -> None:
    with started("watch", *WATCH_NONE, "-i", "0.1") as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("time")
        process.send_signal(number)
        rest, message = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0
    assert rest == "" or rest.endswith("\n")
    assert "--attach none" in message
    assert message.count("\n") == 1


@pytest.mark.parametrize("number", ENDING)
@pytest.mark.parametrize("end", [("--until-finding",), ("--count", "900"), ("--duration", "900")])
def test_a_signal_before_the_end_of_watch_is_its_code(end: tuple[str, ...], number: signal.Signals) -> None:
    """A script must not take the end by a signal for "nothing was found"."""
    with started("watch", *WATCH_NONE, "-i", "0.1", *end) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("time")
        process.send_signal(number)
        process.communicate(timeout=LIMIT_S)
    assert process.returncode == 128 + number


@pytest.mark.parametrize("number", ENDING)
@pytest.mark.parametrize("words", [("watch", "lo"), ("snapshot", "lo")])
def test_a_signal_at_any_moment_of_the_start_is_quiet(words: tuple[str, ...], number: signal.Signals) -> None:
    for delay_ms in range(0, 120, 15):
        with started(*words, "--attach", "none") as process:
            await_handlers(process.pid)
            time.sleep(delay_ms / 1000)
            process.send_signal(number)
            _, message = process.communicate(timeout=LIMIT_S)
        # A start that reaches no wait within the grace time is cut short, which a busy machine may bring about.
        assert process.returncode in ({0, 128 + number} if words[0] == "watch" else {128 + number}), message
        assert [line for line in message.splitlines() if "--attach none" not in line] == []


def test_a_stopped_pager_does_not_block_the_end() -> None:
    with started(
        "watch",
        "lo",
        "--attach",
        "none",
        "-i",
        "0.1",
        "--format",
        "samples",
    ) as process:
        assert process.stdout is not None
        pipe = process.stdout.fileno()
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, 4096)
        pending = bytearray(4)

        def waiting() -> int:
            fcntl.ioctl(pipe, termios.FIONREAD, pending)
            return int.from_bytes(pending, sys.byteorder)

        until(lambda: waiting() >= 4096, lambda: f"4096 bytes wait in the pipe: {waiting()}")
        process.terminate()
        assert process.wait(LIMIT_S) == 0


@pytest.mark.bpf
def test_an_end_without_cpu_time_is_orderly() -> None:
    """At 2 % of a CPU an orderly end takes some seconds, which are no reason to cut it short."""
    with limited_cpu(2) as cgroup, started("watch", "lo", "-i", "0.1") as process:
        assert process.stdout is not None
        process.stdout.readline()
        (cgroup / "cgroup.procs").write_text(str(process.pid))
        process.terminate()
        assert process.wait(LIMIT_S) == 0


@pytest.fixture
def ignoring_shell() -> Iterator[None]:
    """Ignore the ending signals in this process, as a shell does for the jobs that it starts in the background."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in ENDING}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("ignoring_shell")
@pytest.mark.parametrize("number", ENDING)
def test_children_of_tests_take_signals_in_any_shell(number: signal.Signals) -> None:
    with started("watch", *WATCH_NONE, "-i", "0.1") as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(number)
        process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0


@pytest.mark.usefixtures("ignoring_shell")
def test_ignored_signals_stay_ignored() -> None:
    with started("watch", *WATCH_NONE, "-i", "0.1", preexec_fn=None) as process:
        assert process.stdout is not None
        process.stdout.readline()
        for number in ENDING:
            process.send_signal(number)
        for _ in range(3):
            assert process.stdout.readline() != ""


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_gives_the_terminal_back(number: signal.Signals) -> None:
    with Terminal(*WATCH_NONE) as terminal:
        terminal.await_text("RX")
        terminal.process.send_signal(number)
        assert terminal.await_end() == 0
        assert b"\x1b[?1049h" in terminal.written
        assert terminal.as_it_was()
        assert b"Traceback" not in terminal.written


@pytest.mark.parametrize("keys", ["q", "\x03"])
def test_keys_that_quit(keys: str) -> None:
    with Terminal(*WATCH_NONE) as terminal:
        terminal.await_text("RX")
        terminal.type(keys)
        assert terminal.await_end() == 0
        assert terminal.as_it_was()


@pytest.mark.parametrize("delay_ms", range(0, 600, 60))
def test_a_signal_while_the_screen_comes_up(delay_ms: int) -> None:
    number = ENDING[delay_ms // 60 % len(ENDING)]
    with Terminal(*WATCH_NONE) as terminal:
        await_handlers(terminal.process.pid)
        time.sleep(delay_ms / 1000)
        terminal.process.send_signal(number)
        assert terminal.await_end() in (0, 128 + number)
        assert terminal.as_it_was()
        assert b"Traceback" not in terminal.written


def test_a_terminal_that_is_closed_ends_it() -> None:
    with Terminal(*WATCH_NONE) as terminal:
        terminal.await_text("RX")
        terminal.hang_up()
        assert terminal.process.wait(LIMIT_S) == 0


STUCK = """
import os, sys
from bpftop.cli import shutdown
with shutdown.ending_signals(), shutdown.before_forced_exit(lambda: os.write(1, b"detached")):
    os.write(1, b"stuck")
    os.open(sys.argv[1], os.O_WRONLY)  # a FIFO that nobody reads, as a file system that hangs
"""


def test_a_signal_ends_a_program_that_never_waits(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with subprocess.Popen([sys.executable, "-c", STUCK, str(fifo)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.read(5) == b"stuck"
        process.terminate()
        assert process.communicate(timeout=LIMIT_S)[0] == b"detached"
    assert process.returncode == 128 + signal.SIGTERM


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_a_terminal_that_takes_nothing_does_not_keep_it(number: signal.Signals) -> None:
    with Terminal(*WATCH_NONE, "-i", "0.1") as terminal:
        terminal.await_text("RX")
        terminal.stop_output()
        channel = Path(f"/proc/{terminal.process.pid}/wchan")
        until(lambda: "futex" in channel.read_text(), "the screen waits for the terminal")
        terminal.process.send_signal(number)
        assert terminal.process.wait(LIMIT_S) == 128 + number
        terminal.read(0.2)
        assert terminal.as_it_was()


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("no-such",), 1, 'bpftop: No interface named "no-such"'),
        (("monitor", "demo"), 1, 'bpftop: No interface named "demo"'),
        (("watsh", "lo"), 1, "(did you mean `bpftop watch`?)"),
        (("lo", "--theme", "no-such"), 2, "bpftop: no theme 'no-such'; there is "),
        (("lo", "--attach", "native"), 1, "bpftop: "),
    ],
)
def test_an_error_at_the_start_leaves_the_terminal_alone(words: tuple[str, ...], code: int, message: str) -> None:
    with Terminal(*words) as terminal:
        assert terminal.await_end() == code
        assert message.encode() in terminal.written
        assert b"\x1b" not in terminal.written
        assert terminal.written.count(b"\n") == 1


def test_a_failure_on_the_screen_is_one_line() -> None:
    with Terminal(command=[sys.executable, "-c", CRASH]) as terminal:
        assert terminal.await_end() == 1
        assert terminal.as_it_was()
        last = terminal.written[terminal.written.rindex(b"\x1b[?1049l") :].decode()
        assert "bpftop: this is a bug in bpftop: LookupError: lost; please report it" in last
        assert last.count("\n") == 1


@pytest.mark.bpf
def test_without_a_default_route_a_name_is_needed() -> None:
    with Terminal(command=["unshare", "--net", *COMMAND]) as terminal:
        assert terminal.await_end() == 1
        assert b"bpftop: no interface was named, and without a default route" in terminal.written
        assert b"\x1b" not in terminal.written
