"""The command line: verbs, bad usage, and how every error ends."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from importlib import import_module
from itertools import pairwise
from pathlib import Path

import pytest

from bpftop import __version__
from bpftop.cli import main
from bpftop.cli.options import parser_for
from bpftop.cli.verb_table import (
    COUNTING_VERBS,
    GROUPS,
    MODULES,
    VALUE_OPTIONS,
    VERBS,
    Verb,
    joined_values,
    split,
    will_count,
)
from contrib.command_line import commands
from tests.cli.running import COMMAND, bpftop, environment
from tests.waiting import LIMIT_S


@pytest.mark.parametrize(
    ("words", "verb", "rest"),
    [
        ("", None, ""),
        ("eth0", None, "eth0"),
        ("demo", "demo", ""),
        ("monitor demo", "monitor", "demo"),
        ("-- demo", None, "-- demo"),
        ("eth0 demo", None, "eth0 demo"),
        ("-i 2 snapshot eth0", "snapshot", "-i 2 eth0"),
        ("--interval=2 snapshot eth0", "snapshot", "--interval=2 eth0"),
        ("-i2 --yes watch eth0 --count 1", "watch", "-i2 --yes eth0 --count 1"),
        ("--config watch eth0", None, "--config watch eth0"),
        ("-i", None, "-i"),
        ("--help", None, "--help"),
    ],
)
def test_the_first_word_without_a_dash_may_be_a_verb(words: str, verb: str | None, rest: str) -> None:
    assert split(words.split()) == (verb, rest.split())


def test_a_value_with_a_space_may_begin_with_a_dash() -> None:
    assert joined_values(["fleet", "--ssh", "-i key", "a"]) == ["fleet", "--ssh=-i key", "a"]
    assert joined_values(["--ssh", "-p2222", "a"]) == ["--ssh=-p2222", "a"]
    same = [["--at", "-5m"], ["--", "-x y"], ["-x y"], ["--ssh=a", "-b c"]]
    assert [joined_values(words) for words in same] == same


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_its_module_and_a_help(verb: str) -> None:
    module = import_module(f"{MODULES}.{verb}")
    assert callable(module.add_arguments)
    assert callable(module.run)
    done = bpftop(verb, "--help", env=environment(COLUMNS="80"))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: bpftop {verb} ")
    assert all(f"\n  {command}\n      {answer}\n" in done.stdout for command, answer in VERBS[verb].examples.items())
    assert "exit codes" not in done.stdout  # told once, by `bpftop --help`
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert not [line for line in lines if re.search(r"\w-$", line)]  # no name is broken at its hyphens
    for line, below in pairwise(lines):
        if line and below and not line.startswith(" ") and not below.startswith(" "):  # a paragraph
            assert len(f"{line} {below.split()[0]}") > 78, (line, below)


def test_help_names_every_verb_and_fits_80_columns() -> None:
    done = bpftop("--help", env=environment(COLUMNS="80"))
    assert (done.returncode, done.stderr) == (0, "")
    assert all(f"\n  {verb} " in done.stdout for verb in VERBS)
    assert all(f"\n{group.title}:\n" in done.stdout for group in GROUPS)
    assert done.stdout.count("exit codes") == 1
    for group in GROUPS:
        _, _, after = done.stdout.partition(f"\n{group.title}:\n")
        lines = after.partition("\n\n")[0].splitlines()
        assert all(line.startswith("  ") for line in lines), lines  # a wrapped line stands below its column
        assert lines[-1].split(maxsplit=1)[1] in {example for verb in group.verbs.values() for example in verb.examples}
    assert all(option in done.stdout for option in VALUE_OPTIONS - {"-o", "--output"})
    assert max(map(len, done.stdout.splitlines())) <= 80


@pytest.mark.parametrize("words", [["--version"], ["snapshot", "--version"]])
def test_version(words: list[str]) -> None:
    assert bpftop(*words).stdout == f"bpftop {__version__}\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--nope", "unrecognized arguments: --nope; see `bpftop --help`"),
        ("-i", "argument -i/--interval: expected one argument; see `bpftop --help`"),
        ("-i 0.09 lo", "argument -i/--interval: 0.09 is not between 0.1 and 3600 seconds; see `bpftop --help`"),
        ("-i -1 lo", "argument -i/--interval: -1 is not between 0.1 and 3600 seconds; see `bpftop --help`"),
        ("-i nan lo", "argument -i/--interval: nan is not between 0.1 and 3600 seconds; see `bpftop --help`"),
        ("-i fast lo", "argument -i/--interval: 'fast' is not a number of seconds; see `bpftop --help`"),
        ("--inter 2 lo", "unrecognized arguments: --inter; see `bpftop --help` (did you mean --interval?)"),
        ("watch --fromat=csv", "unrecognized arguments: --fromat=csv; see `bpftop watch --help` (did you mean --fo"),
        ("--xdp --attach tc lo", "argument --attach: not allowed with argument --xdp; see `bpftop --help`"),
        ("diff a.json", "the following arguments are required: B; see `bpftop diff --help`"),
        ("record lo", "the following arguments are required: -o/--output; see `bpftop record --help`"),
        ("watch lo --count 0", "argument --count: '0' is not a whole number from 1 up; see `bpftop watch --help`"),
        ("watch lo --duration -1", "argument --duration: '-1' is not a number of seconds above 0; see"),
        ("watch lo --duration 1 -i 2", "--duration 1 is shorter than the interval (2 s), so nothing would be"),
        ("snapshot lo --format samples", "argument --format: invalid choice: 'samples'"),
        ("snapshot lo --config /nonexistent/c.yaml", "cannot read the configuration /nonexistent/c.yaml: No such file"),
        ("demo eth0", "unrecognized arguments: eth0; see `bpftop demo --help`"),
        ("snapshto lo --yess", "unrecognized arguments: --yess; see `bpftop --help` (did you mean `bpftop snapshot`?)"),
    ],
)  # fmt: skip
def test_bad_usage_is_one_line_and_code_2(words: str, message: str) -> None:
    done = bpftop(*words.split())
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"bpftop: {message}")
    assert done.stderr.count("\n") == 1


def test_formats_have_the_same_names_everywhere() -> None:
    """Each verb with formats has a table for people and JSON for scripts; ``text`` is an older name of the table."""
    offered = {
        verb: set(argument.words)
        for verb, command in commands().items()
        for argument in command.options
        if "--format" in argument.flags
    }
    assert {"snapshot", "diagnose", "diff", "fleet", "flows", "bench", "maps"} <= set(offered)
    for verb, names in offered.items():
        assert {"table", "json"} <= names, verb
        assert names - {"text"} <= {"table", "json", "csv", "markdown", "openmetrics", "samples"}, verb
    assert [verb for verb, names in offered.items() if "text" in names] == ["diagnose"]


def test_a_misspelt_value_gets_a_hint() -> None:
    for words, close in (("snapshot lo --format jsno", "json"), ("demo --fault syn-flod", "syn-flood")):
        assert f" (did you mean {close}?); see `bpftop " in bpftop(*words.split()).stderr


@pytest.mark.parametrize("verb", VERBS)
def test_examples_are_accepted(verb: str) -> None:
    """Parse the words of each example; the last process of a pipe stands for all."""
    for example in VERBS[verb].examples:
        words = shlex.split(example.rpartition("| ")[2].replace("--netns blue ", "").removeprefix("sudo "))
        named, rest = split(joined_values(words[1:]))
        assert (words[0], named or "monitor") == ("bpftop", "replay" if "|" in example else verb)
        parser = parser_for(named)
        import_module(f"{MODULES}.{named or 'monitor'}").add_arguments(parser)
        parser.parse_intermixed_args(rest)


@pytest.mark.parametrize("verb", VERBS)
def test_verbs_that_attach_are_known_before_parsing(verb: str) -> None:
    parser = parser_for(verb)
    import_module(f"{MODULES}.{verb}").add_arguments(parser)
    assert (verb in COUNTING_VERBS) == (parser.get_default("lists_bpf") is not None)  # as add_live says


@pytest.mark.parametrize(
    ("words", "counts"),
    [
        ("eth0", True),
        ("snapshot eth0 -i 0.1", True),
        ("watch --attach tcx eth0", True),
        ("watch --attach none eth0", False),
        ("watch --attach=none eth0", False),
        ("record --help", False),
        ("-h", False),
        ("doctor eth0", False),
    ],
)
def test_a_command_that_counts_is_known_by_its_words(words: str, counts: bool) -> None:
    assert will_count(*split(words.split())) is counts


def test_options_may_stand_among_the_interfaces() -> None:
    done = bpftop("snapshot", "lo", "--attach", "none", "no-such-a", "-i", "0.1", "no-such-b")
    assert done.returncode == 1
    assert "no-such-a" in done.stderr


@pytest.mark.parametrize("verb", ["snapshot", "watch", "doctor"])
def test_words_after_two_dashes_are_interfaces(verb: str) -> None:
    done = bpftop(verb, "--", "-x")
    assert (done.returncode, done.stdout) == (1, "")
    assert 'No interface named "-x"' in done.stderr


@pytest.mark.parametrize("words", ["lo", "monitor lo", "demo", ""])
def test_without_a_terminal_the_error_names_an_alternative(words: str) -> None:
    done = bpftop(*words.split())
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("bpftop: the live screen needs a terminal, and standard input is none; ")
    assert "watch" in done.stderr or words == "demo"


@pytest.mark.parametrize("verb", ["snapshot", "watch"])
def test_an_unknown_interface_lists_the_existing_ones(verb: str) -> None:
    done = bpftop(verb, "l0", "--attach", "none")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert 'No interface named "l0" in this network namespace; there are: ' in done.stderr
    assert "lo" in done.stderr.split(";")[1]


def test_a_name_cannot_drive_the_terminal() -> None:
    for words in (["snapshot", "\x1b[2J"], ["--\x1b[2J"], ["--config", "\x1b[2J", "snapshot", "lo"]):
        done = bpftop(*words)
        assert done.returncode in (1, 2)
        assert done.stderr.count("\n") == 1
        assert done.stderr[:-1].isprintable()


def test_a_wrong_setting_is_reported_and_others_apply(tmp_path: Path) -> None:
    (tmp_path / "bpftop").mkdir()
    config = tmp_path / "bpftop" / "config.yaml"
    config.write_text("intervall: 3\nattach: none\ninterval: 1.5\n")
    done = bpftop("snapshot", "lo", "--format", "csv", env=environment(str(tmp_path)))
    assert done.returncode == 0
    message, *notices = done.stderr.splitlines()
    assert message == (
        f"bpftop: {config}, line 1, intervall: no such setting (did you mean interval?); the defaults are used there"
    )
    assert any("--attach none" in notice for notice in notices)  # the configuration's wish was heard
    too_short = bpftop("watch", "lo", "--duration", "1", env=environment(str(tmp_path)))
    assert "--duration 1 is shorter than the interval (1.5 s)" in too_short.stderr


def test_an_unexpected_error_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(dict_of_verbs(), "failing_verb", Verb("breaks", {}))
    monkeypatch.setattr("bpftop.cli.verb_table.MODULES", "tests.cli")
    monkeypatch.delenv("BPFTOP_DEBUG", raising=False)
    assert main(["failing_verb"]) == 1
    message = capsys.readouterr().err
    assert message.startswith("bpftop: this is a bug in bpftop: LookupError: the third\\x1b[31m gate; please report it")
    assert "BPFTOP_DEBUG=1" in message
    assert message.count("\n") == 1
    monkeypatch.setenv("BPFTOP_DEBUG", "1")
    assert main(["failing_verb"]) == 1
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def dict_of_verbs() -> dict[str, Verb]:
    assert isinstance(VERBS, dict)
    return VERBS


@pytest.mark.parametrize("words", [("--help",), ("--version",), ("watch", "--help")])
def test_a_full_disk_fails_the_help(words: tuple[str, ...]) -> None:
    with open("/dev/full", "w") as full:
        done = bpftop(*words, stdout=full)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "No space left on device" in done.stderr


@pytest.mark.root
@pytest.mark.needs("setpriv")
def test_a_process_of_somebody_else_is_not_called_missing() -> None:
    as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *COMMAND]
    words = ["watch", "lo", "--netns", str(os.getpid())]
    done = subprocess.run([*as_nobody, *words], capture_output=True, text=True, env=environment(), timeout=LIMIT_S)
    assert done.returncode == 2
    assert f"the network namespace of process {os.getpid()} may not be read by this user" in done.stderr


def test_the_reader_of_the_help_may_leave() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = bpftop("--help", stdout=writer)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "words", [("snapshot", "lo", "-i", "0.1", "--attach", "none"), ("diagnose", "--list"), ("bench", "--list")]
)
def test_a_full_disk_is_one_line(words: tuple[str, ...]) -> None:
    with open("/dev/full", "w") as full:
        done = bpftop(*words, stdout=full)
    assert done.returncode == 1
    assert done.stderr == (
        "bpftop: cannot write standard output: No space left on device; give the output another place with -o\n"
    )


def test_closed_streams_are_no_surprise() -> None:
    command = " ".join((*COMMAND, "snapshot lo -i 0.1 --attach none"))

    def shell(redirections: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "-c", f"{command} {redirections}"], capture_output=True, text=True, env=environment()
        )

    without_output = shell(">&-")
    assert (without_output.returncode, without_output.stdout) == (1, "")
    assert without_output.stderr.startswith("bpftop: cannot write standard output: it is closed")
    without_errors = shell("2>&-")
    assert without_errors.returncode == 0
    assert without_errors.stdout.startswith("{")


HEADLESS = """
import sys
from bpftop.cli import main
code = main(sys.argv[1:])
loaded = {name.split(".")[0] for name in sys.modules} | {".".join(name.split(".")[:2]) for name in sys.modules}
print(code, *sorted(loaded & {"textual", "rich", "asyncio", "yaml", "bpftop.tui"}), file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("verb", "name"),
    [(verb, name) for verb in ("snapshot", "watch") for name in ("json", "csv", "table")] + [("watch", "samples")],
)
def test_headless_commands_do_not_import_the_screen(verb: str, name: str) -> None:
    words = [
        verb,
        "lo",
        "--format",
        name,
        "-i",
        "0.1",
        "--attach",
        "none",
        *(["--count", "2"] if verb == "watch" else []),
    ]
    done = subprocess.run([sys.executable, "-c", HEADLESS, *words], capture_output=True, text=True, env=environment())
    assert done.stderr.splitlines()[-1] == "0"


def test_no_command_imports_unused_libraries() -> None:
    code = "import sys; from bpftop.cli import main; main(['--version']); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"bpftop.collect", "bpftop.kernel", "bpftop.export", "bpftop.tui", "yaml"} & set(loaded)


@pytest.mark.root
@pytest.mark.needs("setpriv", "unshare")
def test_hidden_process_is_not_called_missing() -> None:
    as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *COMMAND]
    hiding = ["unshare", "--mount", "sh", "-ec", 'mount -t proc -o hidepid=2 proc /proc; exec "$@"', "-"]
    words = ["watch", "lo", "--netns", str(os.getpid())]
    done = subprocess.run(
        [*hiding, *as_nobody, *words], capture_output=True, text=True, env=environment(), timeout=LIMIT_S
    )
    assert done.returncode == 2
    assert f"process {os.getpid()} is hidden here: this /proc does not show it to this user (hidepid)" in done.stderr
    for absent in ("0", "4194305", "99999999999999999999"):
        assert f"there is no network namespace and no process '{absent}'" in bpftop(*words[:-1], absent).stderr
