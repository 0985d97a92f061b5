"""``bpftop replay``: a screen or a document of a recording, a screen of samples from a pipe; no kernel is needed."""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from bpftop.store.encoding.sample_lines import sample_line
from bpftop.store.recording_writer import RecordingLimits, Writer
from tests.bpf.devices import Lab
from tests.build.test_imports import loaded_after
from tests.cli.running import COMMAND, Terminal, bpftop, environment, started
from tests.cli.test_demo_screen import Terminal as Tmux
from tests.tui.fake_source import FakeSource
from tests.waiting import LIMIT_S, until


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("recording") / "a"
    writer = Writer(str(path), RecordingLimits())
    writer.write([(sample, 0) for sample in FakeSource(cpus=4, count=90).samples()])
    writer.close()
    return str(path)


@pytest.mark.parametrize("name", ["json", "csv", "table", "markdown", "openmetrics"])
def test_a_moment_as_a_document(recording: str, name: str) -> None:
    done = bpftop("replay", recording, "--at", "03:13:30", "--format", name)
    assert (done.returncode, done.stderr) == (0, "")
    assert "eth0" in done.stdout


@pytest.mark.bpf
def test_the_flows_of_a_moment(lab: Lab, recording: str, tmp_path: Path) -> None:
    """A recording of a real connection has it with its process; one without flows says so."""
    path = str(tmp_path / "flows.bpftop")
    with (
        started("record", "lo", "-o", path, "-i", "0.5") as recorder,
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
        server.accept()[0] as far,
    ):
        port = server.getsockname()[1]
        words = ("replay", path, "--at", "-2", "--pane", "flows", "--format")

        def recorded() -> bool:
            client.sendall(bytes(1000))
            far.recv(1000)
            return str(port) in bpftop(*words, "csv").stdout

        until(recorded, "the flow is in the recording")
        recorder.send_signal(signal.SIGINT)
        recorder.communicate(timeout=LIMIT_S)
    for name in ("markdown", "table", "csv", "json"):
        done = bpftop(*words, name)
        assert (done.returncode, done.stderr) == (0, ""), name
        assert str(port) in done.stdout
        assert str(os.getpid()) in done.stdout
    assert "has no flows at that moment" in bpftop("replay", recording, "--pane", "flows").stderr
    assert "not as openmetrics" in bpftop("replay", recording, "--pane", "flows", "--format", "openmetrics").stderr


def test_the_requested_moment_is_shown(recording: str) -> None:
    moments = {}
    for at in ("03:13", "2025-11-26T03:13:00Z", "-73", "2025-11-26T04:13:00+01:00"):
        document = json.loads(bpftop("replay", recording, "--at", at, "--format", "json").stdout)
        moments[at] = document["taken_at"]
        assert document["interval_s"] == 1.0
        assert document["interfaces"][0]["protocols"]
    assert {moment[:19] for moment in moments.values()} == {"2025-11-26T03:12:59"}


def test_the_default_moment_is_the_last(recording: str, tmp_path: Path) -> None:
    target = tmp_path / "out.json"
    assert bpftop("replay", recording, "-o", str(target)).returncode == 0
    assert json.loads(target.read_text())["taken_at"].startswith("2025-11-26T03:14:12")


def test_missing_ticks_are_reported(tmp_path: Path) -> None:
    writer = Writer(str(tmp_path / "a"), RecordingLimits())
    writer.write([(sample, 3 if sample.seq == 2 else 0) for sample in FakeSource(cpus=2, count=4).samples()])
    writer.close()
    done = bpftop("replay", str(tmp_path / "a"), "--format", "json")
    assert json.loads(done.stdout)["schema"] == "bpftop.snapshot/1"
    assert done.stderr.endswith("/a: 3 of 7 ticks are missing: the disk did not take them in time\n")


def test_impossible_requests_are_one_line(recording: str, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    (tmp_path / "cut").write_bytes(Path(recording).read_bytes()[:9000])
    for words, code, why in (
        ([recording, "--at", "05:00", "--format", "json"], 2, "05:00 is not within the recording, which lasts from"),
        ([recording, "--at", "soon", "--format", "json"], 2, "'soon' is no moment; write it as 03:12"),
        ([recording, "--format", "yaml"], 2, "invalid choice"),
        ([str(tmp_path / "text"), "--format", "json"], 1, "is no recording of bpftop"),
        ([str(tmp_path / "cut"), "--format", "json"], 1, "it is cut short or damaged"),
        ([str(tmp_path / "none"), "--format", "json"], 1, "No such file or directory"),
        ([recording], 1, "the live screen needs a terminal"),
        (["-", "--at", "03:12"], 2, "--at, --format and -o need a file"),
    ):
        done = bpftop("replay", *words)
        assert (done.returncode, done.stdout) == (code, "")
        assert why in done.stderr
        assert done.stderr.count("\n") == 1


def test_no_kernel_is_needed(recording: str) -> None:
    arguments = ["replay", recording, "--at", "03:13", "--format", "markdown"]
    program = f"import bpftop.cli; assert bpftop.cli.main({arguments}) == 0"
    assert not {"cffi", "_cffi_backend", "rich", "textual", "psutil"} & loaded_after(program)
    screen = (
        "import sys, bpftop.cli.verbs.replay, bpftop.cli.screen, bpftop.store.replay, bpftop.tui.app\n"
        "import bpftop.tui.screens.help, bpftop.tui.screens.log, bpftop.tui.screens.theme\n"
        "from bpftop.tui.panes import PANES\n"
        "for name in ('overview', 'cpus', 'path', 'flows', 'findings'): PANES[name].load()\n"
        "print([name for name in sys.modules if name.startswith(('bpftop.kernel', 'bpftop.collect', '_cffi'))])"
    )
    done = subprocess.run([sys.executable, "-c", screen], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.mark.needs("tmux")
def test_the_screen_on_a_recording(recording: str, tmp_path: Path) -> None:
    terminal = Tmux(tmp_path / "tmux", (100, 30), [*COMMAND, "replay", recording, "--at", "03:13"])
    try:
        terminal.until(lambda screen: "replay" in screen and "03:13:0" in screen, "the moment that was asked for")
        terminal.keys("p")
        terminal.until(lambda screen: "PAUSED" in screen, "that it stands still")
        terminal.keys("@", *"03:14", "Enter")
        terminal.until(lambda screen: "03:13:59" in screen, "another moment")
        for key, text in (("2", "CPUs carry RX"), ("3", "since start"), ("4", "flow"), ("8", "checks"), ("1", "share")):
            terminal.keys(key)
            terminal.until(partial(contains, text), f"pane {key}")
        terminal.keys("q")
        terminal.until(lambda screen: "exit 0" in screen, "the end")
    finally:
        terminal.close()


def test_the_end_of_a_recording_is_reported(recording: str) -> None:
    with Terminal("replay", recording, "--at", "-1") as terminal:
        terminal.await_text("this is the end of the recording")
        terminal.type("q")
        assert terminal.await_end() == 0


def piped(command: str) -> Terminal:
    """Return a pipe into `bpftop replay -`, as a shell makes it."""
    return Terminal(command=["sh", "-c", f"{command} | {shlex.join([*COMMAND, 'replay', '-'])}"])


def test_another_machine_on_the_screen(tmp_path: Path) -> None:
    """Run `bpftop watch lo --format samples | bpftop replay -` on a terminal."""
    watch = shlex.join([*COMMAND, "watch", "lo", "--attach", "none", "--no-drops", "-i", "0.2", "--format", "samples"])
    with piped(watch) as terminal:
        terminal.await_text("kernel counters only")
        terminal.await_text("RX")
        terminal.type("p")
        terminal.await_text("PAUSED")
        terminal.type("q")
        assert terminal.await_end() == 0
        assert terminal.as_it_was()


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    path = tmp_path / "lines"
    whole = [sample_line(sample) for sample in FakeSource(cpus=2, count=6).samples()]
    path.write_text(whole[0][100:] + "".join(whole[:3]) + "garbage\n" + "".join(whole[3:]) + whole[0][:500])
    return path


def test_garbled_lines_are_counted_on_the_screen(lines: Path) -> None:
    with piped(f"(cat {shlex.quote(str(lines))}; exec sleep 60)") as terminal:
        terminal.await_text("2 invalid lines were skipped")
        terminal.type("q")
        terminal.await_text("\x1b[?1049l")


def test_other_data_in_the_pipe_is_one_line() -> None:
    with piped("echo hello") as terminal:
        assert terminal.await_end() == 1
        assert b"standard input held no sample" in terminal.written


def test_the_keyboard_is_no_source_of_samples() -> None:
    with Terminal("replay", "-") as terminal:
        assert terminal.await_end() == 1
        assert b"standard input is the keyboard; pipe samples into it" in terminal.written


def test_without_a_terminal_there_is_no_screen() -> None:
    command = ["setsid", *COMMAND, "replay", "-"]
    done = subprocess.run(command, input="", capture_output=True, text=True, env=environment(), timeout=LIMIT_S)
    assert done.returncode == 1
    assert "the live screen needs a terminal, and there is none" in done.stderr
    assert os.strerror(6) in done.stderr


UNCOMPILED = """
import sys
from importlib.abc import MetaPathFinder

class Uncompiled(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.startswith("bpftop.kernel._"):
            raise ModuleNotFoundError(f"No module named '{name}'", name=name)

sys.meta_path.insert(0, Uncompiled())
from bpftop.cli import main
sys.exit(main(["replay", *sys.argv[1:]]))
"""


@pytest.mark.needs("tmux")
def test_replay_without_the_compiled_extension(recording: str, tmp_path: Path) -> None:
    terminal = Tmux(tmp_path / "tmux", (120, 30), [sys.executable, "-c", UNCOMPILED, recording])
    try:
        terminal.until(lambda screen: "replay" in screen, "the recording")
        for key in ("2", "3", "4", "8", "?", "1"):
            terminal.keys(key)
        for key in ("7",):
            terminal.keys(key)
            terminal.until(lambda screen: "needs the compiled part of bpftop" in screen, f"pane {key}")
            terminal.keys("j")
        terminal.keys("q")
        terminal.until(lambda screen: "exit 0" in screen, "the end")
    finally:
        terminal.close()


@pytest.mark.parametrize(("at", "taken"), [("-5s", "03:14:07"), ("-0", "03:14:12"), ("-1m", "03:13:12")])
def test_a_moment_from_the_end_needs_no_equals_sign(recording: str, at: str, taken: str) -> None:
    done = bpftop("replay", recording, "--at", at, "--format", "json")
    assert json.loads(done.stdout)["taken_at"].startswith(f"2025-11-26T{taken}")


def test_local_time_gets_a_hint(recording: str) -> None:
    done = bpftop("replay", recording, "--at", "04:13", "--format", "json", env=environment(TZ="XYZ-01:00"))
    assert done.returncode == 2
    assert "lasts from 2025-11-26T03:12:44Z to 2025-11-26T03:14:12Z; these times are UTC, and yours is UTC+1:00\n" in (
        done.stderr
    )


def contains(text: str, screen: str) -> bool:
    return text in screen
