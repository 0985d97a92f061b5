"""Limits of the process, real ones: every verb works or says which limit is too low, in one sentence."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.bpf.devices import Lab
from tests.cli.cgroups import limited_by
from tests.cli.running import COMMAND, Terminal, environment, finished
from tests.waiting import LIMIT_S, until

QUICK = ("lo", "--attach", "none", "-i", "0.1")
NO_MEMORY = "bpftop: no memory is left to say what failed; raise the limit (ulimit -v, memory.max of the cgroup)\n"
VERBS = [("snapshot", *QUICK), ("watch", *QUICK, "--count", "2"), ("record", *QUICK, "-o", "{}", "--duration", "0.3"),
         ("diagnose", "lo", "--attach", "none", "--duration", "4"), ("doctor",), ("diff", "{}", "{}")]  # fmt: skip


def run(words: tuple[str, ...], limit: Callable[[], object], tmp_path: Path) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, *(word.format(tmp_path / "a.bpftop") for word in words)]
    return subprocess.run(
        command, env=environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT_S,
        preexec_fn=limit,
    )  # fmt: skip


def limited(limit: str, *words: str) -> list[str]:
    """Return the command with a limit that a shell sets before, so that it holds for the program alone."""
    return ["sh", "-c", f'{limit}; exec "$@"', "sh", *COMMAND, *words]


def run_all(
    words: tuple[str, ...], limits: Iterable[str], tmp_path: Path
) -> Iterator[subprocess.CompletedProcess[str]]:
    """Run the verb under each limit, all at the same time, each with a file of its own. The limit is in ``args``."""
    with ExitStack() as stack:
        processes = []
        for number, limit in enumerate(limits):
            named = (word.format(tmp_path / f"{number}.bpftop") for word in words)
            process = subprocess.Popen(
                limited(limit, *named), env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, text=True,
            )  # fmt: skip
            processes.append(stack.enter_context(process))
            stack.callback(process.kill)
        yield from map(finished, processes)


def assert_honest(done: subprocess.CompletedProcess[str]) -> None:
    for word in ("Traceback", "bug in bpftop", "reinstall", "cannot join"):
        assert word not in done.stderr, done
    assert done.returncode >= 0, done
    if done.returncode == 1:
        last = done.stderr.splitlines()[-1]
        assert last.startswith("bpftop: ")


@pytest.mark.parametrize("words", VERBS, ids=lambda words: words[0])
def test_few_open_files(words: tuple[str, ...], tmp_path: Path) -> None:
    for done in run_all(words, [f"ulimit -n {files}" for files in (5, 8, 12, 16, 20, 30, 45, 60)], tmp_path):
        assert_honest(done)


@pytest.mark.parametrize("words", VERBS[:4], ids=lambda words: words[0])
def test_little_memory(words: tuple[str, ...], tmp_path: Path) -> None:
    for done in run_all(words, [f"ulimit -v {mebibytes << 10}" for mebibytes in (60, 100, 150, 250)], tmp_path):
        assert_honest(done)


@pytest.mark.bpf
@pytest.mark.parametrize("mebibytes", [40, 60, 90, 105, 145, 160])
def test_flows_with_little_memory(mebibytes: int, tmp_path: Path) -> None:
    """Each thread took 64 MiB of addresses; a thread without memory ended the process, or the verb waited for it."""
    size = mebibytes << 20
    words = ("flows", "lo", "-i", "0.2", "--duration", "0.6")
    done = run(words, lambda: resource.setrlimit(resource.RLIMIT_AS, (size, size)), tmp_path)
    assert_honest(done)
    if mebibytes < 145:
        assert done.returncode in (0, 1)
        assert done.returncode == 0 or "(ulimit -v" in done.stderr.splitlines()[-1]
    else:
        assert (done.returncode, done.stderr) == (0, "")


OUT_OF_MEMORY = """
import resource, sys
from bpftop.cli.output import complain

size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size, size))
kept, size, limit = None, 1 << 20, 32
while size:
    try:
        kept = kept, bytearray(size)
    except MemoryError:
        size //= 2
while limit < 512:  # the sizes of small objects, which have pools of their own
    limit += 16
    try:
        while True:
            kept = kept, bytes(limit - sys.getsizeof(b""))
    except MemoryError:
        pass
complain("a message")
"""


HARDLY_ANY_MEMORY = """
import resource, threading
from bpftop.config.resources import NoThread, start_thread

size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + (9 << 20), resource.RLIM_INFINITY))
try:
    start_thread(threading.Thread(target=print, args=("it ran",), name="helper"))
except NoThread as error:
    print(error)
"""


def test_a_thread_that_would_have_no_memory_is_not_started(tmp_path: Path) -> None:
    """Its stack of 8 MiB fits. Such a thread ended the process, or its start never returned."""
    script = tmp_path / "script.py"
    script.write_text(HARDLY_ANY_MEMORY)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=LIMIT_S)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("no thread for helper: the limit of processes (ulimit -u")


FAILED_START = """
import sys, time
from bpftop.cli import entry
from bpftop.collect.attach import early_start

class Counter:
    def close(self):
        print("unloaded")

def load_counter(*_):
    time.sleep(0.2)
    return Counter()

early_start.load_counter = load_counter
sys.modules["bpftop.cli.output"] = None  # as if no file could be opened
print(entry.main(["watch", "lo"]))
"""


def test_a_failed_start_ends_its_early_start(tmp_path: Path) -> None:
    """Under ulimit -n 7 a thread that was still loading a program aborted the process after its sentence."""
    script = tmp_path / "script.py"
    script.write_text(FAILED_START)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=LIMIT_S)
    assert done.stderr.startswith("bpftop: ")
    assert (done.returncode, done.stdout) == (0, "unloaded\n1\n")


def test_message_without_any_memory(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(OUT_OF_MEMORY)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=LIMIT_S)
    assert (done.returncode, done.stderr) == (0, NO_MEMORY)


def threads(processes: int, cgroup: Path | str) -> str:
    """Return the shell commands that allow a cgroup this number of processes and put the shell into it."""
    return f"echo {processes} > {cgroup}/pids.max; echo $$ > {cgroup}/cgroup.procs"


@pytest.fixture
def cgroup() -> Iterator[Path]:
    with limited_by("pids") as folder:
        yield folder


@pytest.mark.bpf
@pytest.mark.parametrize("words", VERBS[:4], ids=lambda words: words[0])
def test_few_threads(words: tuple[str, ...], tmp_path: Path) -> None:
    with ExitStack() as stack:
        limits = [threads(processes, stack.enter_context(limited_by("pids"))) for processes in (1, 2, 3, 4, 7)]
        ends = list(run_all(words, limits, tmp_path))
    for done in ends:
        assert_honest(done)
    assert ends[-1].returncode != 1


@pytest.mark.bpf
@pytest.mark.parametrize("files", [5, 8, 30])
@pytest.mark.parametrize("words", [("bench", "clock"), ("profile", "--type", "array", "--entries", "64")])
def test_measurements_with_few_open_files(words: tuple[str, ...], files: int, tmp_path: Path) -> None:
    done = run(words, lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (files, files)), tmp_path)
    assert_honest(done)
    assert "lacks" not in done.stderr


@pytest.mark.bpf
@pytest.mark.parametrize("files", [8, 13, 17, 21, 24])
@pytest.mark.parametrize("what", [(), ("--drops",)], ids=["interface", "drops"])
def test_a_capture_with_few_open_files(what: tuple[str, ...], files: int, tmp_path: Path) -> None:
    words = ("capture", "lo", *what, "--duration", "0.2", "-o", "{}")
    done = run(words, lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (files, files)), tmp_path)
    assert_honest(done)
    assert done.returncode == 0 or f"the limit of {files} open files (ulimit -n) is too low" in done.stderr


@pytest.mark.bpf
@pytest.mark.parametrize("files", [6, 10, 32])
def test_inspections_with_few_open_files(files: int, tmp_path: Path) -> None:
    """The doctor of a session without room for programs does not say that everything works."""
    for words in (("flows", "lo", "-i", "0.1", "--duration", "0.3"), ("progs", "-i", "0.1"), ("maps", "-i", "0.1")):
        done = run(words, lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (files, files)), tmp_path)
        assert_honest(done)
        assert done.returncode == 0 or f"limit of {files} open files (ulimit -n)" in done.stderr
    done = run(("doctor",), lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (files, files)), tmp_path)
    assert done.stdout.startswith("Packets cannot be counted. Missing: received packets, sent packets and their flows")
    assert "raise the limit of open files" in done.stdout.splitlines()[0]
    assert "run the doctor again" not in done.stdout


@pytest.mark.bpf
@pytest.mark.parametrize("processes", [1, 2, 4])
@pytest.mark.parametrize("words", [("bench", "clock"), ("profile", "--type", "array", "--entries", "64")])
def test_measurements_with_few_threads(words: tuple[str, ...], processes: int, cgroup: Path, tmp_path: Path) -> None:
    (cgroup / "pids.max").write_text(str(processes))
    assert_honest(run(words, lambda: (cgroup / "cgroup.procs").write_text(str(os.getpid())), tmp_path))


FEW_FILES = [f"ulimit -n {files}" for files in (5, 12, 30)]
FEW_THREADS = [threads(processes, "$CGROUP") for processes in (2, 5)]
LIMITS = [*FEW_FILES, *FEW_THREADS, "ulimit -v 250000"]
"""Shell commands before the program, so that the limit holds for the program alone."""


@pytest.mark.bpf
@pytest.mark.parametrize("limit", LIMITS)
def test_export_serves_or_says_why_not(limit: str, cgroup: Path) -> None:
    words = limited(limit, "export", "lo", "--listen", "127.0.0.1:19437", "-i", "0.2")
    with subprocess.Popen(
        words, env=environment(CGROUP=str(cgroup)), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        lines = [process.stderr.readline()]
        while lines[-1] and "metrics at" not in lines[-1]:
            lines.append(process.stderr.readline())
        process.terminate()
        rest = process.communicate(timeout=LIMIT_S)[1]
    done = subprocess.CompletedProcess(words, process.returncode, "", "".join(lines) + rest)
    assert_honest(done)
    assert done.returncode == 1 or "metrics at" in done.stderr


@pytest.mark.bpf
@pytest.mark.parametrize(
    ("words", "limit"),
    [*((("lo",), limit) for limit in LIMITS), (("demo",), FEW_FILES[2]), (("demo",), FEW_THREADS[0])],
)
def test_the_screen_comes_up_or_a_sentence_says_why_not(words: tuple[str, ...], limit: str, cgroup: Path) -> None:
    with Terminal(command=limited(limit, *words), env=environment(CGROUP=str(cgroup))) as terminal:
        until(lambda: terminal.shows("RX") or terminal.process.poll() is not None, "it runs or ends")
        terminal.process.terminate()
        code = terminal.await_end()
        text = terminal.written.decode(errors="replace")
        assert terminal.as_it_was()
    assert not [word for word in ("Traceback", "bug in bpftop", "cannot join", "fault in bpftop") if word in text], text
    assert code in (0, 1, 128 + signal.SIGTERM), text  # the last where it was still starting
    assert code != 1 or text.rstrip().splitlines()[-1].startswith("bpftop: "), text[-300:]


def test_the_soft_limit_of_files_is_raised(tmp_path: Path) -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    done = run(("snapshot", *QUICK), lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (8, hard)), tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.bpf
def test_interfaces_without_files_have_totals(tmp_path: Path) -> None:
    with Lab() as lab:
        names = [f"w{number}" for number in range(8)]
        for name in names:
            lab.ip(f"link add {name} type veth peer name {name}p")
            lab.ip(f"link set {name} up")
        words = ("snapshot", *names, "-i", "0.2", "--attach", "{}", "--format", "json")

        def limit() -> None:
            resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))

        done = run(tuple(word.replace("{}", "auto") for word in words), limit, tmp_path)
        assert done.returncode == 0, done.stderr
        hooks = [interface["hooks"]["rx"]["hook"] for interface in json.loads(done.stdout)["interfaces"]]
        assert hooks[0] != "none"
        assert hooks[-1] == "none"
        assert "w7: Only rtnetlink totals: the limit of 100 open files (ulimit -n) leaves no room" in done.stderr
        done = run(tuple(word.replace("{}", "tcx") for word in words), limit, tmp_path)
        assert done.returncode == 1
        assert "the limit of 100 open files (ulimit -n) leaves no room for its programs; raise" in done.stderr


def test_threads_have_small_stacks_in_little_memory() -> None:
    """With 8 MiB each, 2 of 60 recordings in 100 MiB waited for ever for a thread that had no memory to begin with."""
    code = (
        "import _thread; from bpftop.config.resources import spare_address_space; "
        "spare_address_space(); print(_thread.stack_size())"
    )
    for limit, size in (("unlimited", 0), (str(200 << 10), 2 << 20)):
        command = ["sh", "-c", f'ulimit -v {limit}; exec "$@"', "sh", sys.executable, "-c", code]
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S)
        assert (done.stdout, done.stderr) == (f"{size}\n", "")
