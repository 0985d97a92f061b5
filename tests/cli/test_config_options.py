"""Options of the command line in config.yaml, and `bpftop config`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from bpftop.cli.config_options import COMMON, NOT_IN_A_FILE, configured, known, own_options, verb_parser
from bpftop.cli.default_config import default_config
from bpftop.cli.verb_table import VERBS
from bpftop.config.settings import Settings
from bpftop.config.settings_file import load
from bpftop.errors import UsageError
from tests.cli.running import bpftop, environment


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the path of config.yaml, which does not exist yet."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("SUDO_USER", raising=False)
    (tmp_path / "bpftop").mkdir()
    return tmp_path / "bpftop" / "config.yaml"


def test_every_option_has_a_setting_or_a_reason(file: Path) -> None:
    options = {verb: {a.dest for a in verb_parser(verb)._actions if a.option_strings} for verb in VERBS}
    assert set(NOT_IN_A_FILE) <= set().union(*options.values())
    own = {verb: set(read()) for verb, read in known().options.items()}
    for verb, names in options.items():
        assert names - set(COMMON) - set(NOT_IN_A_FILE) <= own[verb], verb
        assert own[verb] <= names, verb
    file.write_text("\n".join(f"{name}:" for name in COMMON))
    assert load(known=known()).problems == ()


def test_the_default_file_has_every_field_and_changes_nothing(file: Path) -> None:
    text = re.sub(r"^#(?! \S)", "", default_config(), flags=re.MULTILINE)
    written = yaml.load(text, Loader=yaml.BaseLoader)
    own = {verb: set(read()) for verb, read in known().options.items()}
    assert set(written) == {
        *COMMON,
        "keys",
        "thresholds",
        "silence",
        "flows_on_finding",
        "columns",
        *(verb for verb, names in own.items() if names),
    }
    assert {verb: set(written[verb]) for verb in own if own[verb]} == {verb: own[verb] for verb in own if own[verb]}
    file.write_text(text)
    loaded = load(known=known())
    assert loaded.problems == ()
    for verb in VERBS:
        plain = {action.dest: action.default for action in verb_parser(verb)._actions}
        parser = verb_parser(verb)
        configured(parser, verb, [])
        for action in own_options(parser):
            before = plain[action.dest]
            parse = action.type if callable(action.type) and isinstance(before, str) else lambda value: value
            assert action.default == parse(before), (verb, action.dest)


def test_as_it_is_the_default_file_sets_nothing(file: Path) -> None:
    file.write_text(default_config())
    assert load(known=known()).settings == Settings()


def test_the_command_line_wins_over_the_file(file: Path) -> None:
    file.write_text("ascii: true\ndrops: false\nrecord: {output: night.bpftop, keep: 24h}\nwatch: {count: 3}\n")
    parser = verb_parser("record")
    assert configured(parser, "record", []).problems == ()
    parsed = parser.parse_args(["eth0"])  # -o is required otherwise
    assert (parsed.output, parsed.keep, parsed.drops) == ("night.bpftop", (None, 86_400.0), False)
    assert parser.parse_args(["eth0", "-o", "day.bpftop"]).output == "day.bpftop"
    parser = verb_parser("watch")
    configured(parser, "watch", [])
    assert (parser.parse_args(["lo"]).count, parser.parse_args(["lo"]).ascii) == (3, True)
    assert parser.parse_args(["lo", "--count", "5"]).count == 5


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("diagnose: {duration: soon}", "line 1, diagnose.duration: 'soon' is not a number of seconds from 4 to 86400"),
        ("diagnose: {fail_on: all}", "line 1, diagnose.fail_on: 'all' is not one of blind, warning, critical"),
        ("diagnose:\n  fail-on: blind", "line 2, diagnose.fail-on: no such setting (did you mean fail_on?)"),
        ("dianose: {}", "line 1, dianose: no such setting (did you mean diagnose?)"),
        ("watch: {list: true}", "line 1, watch.list: no such setting"),
        ("drops: 1", "line 1, drops: '1' is not one of true, false"),
        ("profile: {runs: many}", "line 1, profile.runs: 'many' is not valid: runs per combination"),
        ("keys: {puase: x}", "line 1, keys.puase: no such setting (did you mean pause?)"),
        ("keys: {pause: spcae}", "line 1, keys.pause: there is no key 'spcae' (did you mean space?)"),
        ("keys: {pause: E, mark: E}", "line 1, keys.mark: the key E is given to pause already"),
        ("keys: {pause: t}", "line 1, keys.pause: t is the only key of direction; give direction another key, too"),
    ],
)
def test_what_cannot_be_used_is_named_and_the_rest_applies(file: Path, text: str, problem: str) -> None:
    file.write_text(f"{text}\ninterval: 2\n")
    loaded = load(known=known())
    assert loaded.problems[0].startswith(f"{file}, {problem}")
    assert len(loaded.problems) == 1
    assert loaded.settings.interval_s == 2


def test_check_prints_problems_on_standard_output_and_fails(file: Path) -> None:
    env = environment(str(file.parents[1]))
    assert bpftop("config", "--check", env=env).stdout == "there is no configuration file; the defaults are used\n"
    file.write_text("interval: 2\n")
    done = bpftop("config", "--check", env=env)
    assert (done.returncode, done.stdout) == (0, f"{file}: fine\n")
    file.write_text("intervall: 2\nkeys: {puase: x}\n")
    done = bpftop("config", "--check", env=env)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.splitlines() == [
        f"{file}, line 1, intervall: no such setting (did you mean interval?)",
        f"{file}, line 2, keys.puase: no such setting (did you mean pause?)",
    ]
    other = file.with_name("other.yaml")
    other.write_text("attach: tcx\n")
    assert bpftop("config", "--check", "--config", str(other), env=env).stdout == f"{other}: fine\n"


def test_a_named_file_must_exist(file: Path) -> None:
    with pytest.raises(UsageError, match="cannot read the configuration"):
        configured(verb_parser("watch"), "watch", ["lo", "--config=/nonexistent"])


def test_verbs_without_settings_name_the_problems_too(file: Path) -> None:
    file.write_text("intervall: 2\nbench: {format: json}\n")
    done = bpftop("bench", "--list", env=environment(str(file.parents[1])))
    assert done.returncode == 0
    assert "line 1, intervall: no such setting" in done.stderr
