"""config.yaml: good fields are used, bad fields are named in one sentence, no content stops the start."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpftop.config.caller import sudo_caller
from bpftop.config.folders import config_folder
from bpftop.config.settings import Settings, interval_s
from bpftop.config.settings_file import Known, load
from bpftop.errors import UsageError
from bpftop.hooks.attach_facts import LoadLimits

ACTIONS = {"pause": "p", "mark": "m", "quit": "q,ctrl+c", "filter": "slash"}
RULES = {"attach": ("retreat_bits_per_sec", "retreat_softirq"), "syn-flood": ("raise", "clear")}
KNOWN = Known(keys=lambda: ACTIONS, thresholds=lambda: RULES)

GOOD = """\
interval: 0.5
attach: native
theme: light
thresholds:
  attach:
    retreat_bits_per_sec: 5e8
    retreat_softirq: 0.3
keys:
  pause: space
  quit: y
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder of config.yaml, outside of sudo."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for name in ("SUDO_USER", "SUDO_UID"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "bpftop"
    folder.mkdir()
    return folder


def test_missing_file_means_defaults(home: Path) -> None:
    loaded = load()
    assert (loaded.settings, loaded.message) == (Settings(), None)
    assert loaded.settings.load_limits == LoadLimits(None, None, 0.5)


def test_yaml_is_not_imported_without_a_file(home: Path) -> None:
    code = "import sys; from bpftop.config.settings_file import load; load(); assert 'yaml' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_good_file_is_used(home: Path) -> None:
    (home / "config.yaml").write_text(GOOD)
    loaded = load(known=Known(keys=lambda: ACTIONS))
    assert loaded.message is None
    settings = loaded.settings
    assert (settings.interval_s, settings.attach, settings.theme) == (0.5, "native", "light")
    assert settings.load_limits == LoadLimits(5e8, None, 0.3)  # YAML 1.1 would call this a string
    assert settings.keys == {"pause": "space", "quit": "y"}  # and this a boolean


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "interval:\nattach: ~\nthresholds:\nkeys:\n", "\ufeff---\n"])
def test_empty_file_means_defaults(home: Path, text: str) -> None:
    (home / "config.yaml").write_text(text)
    loaded = load()
    assert (loaded.settings, loaded.message) == (Settings(), None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("interval: 0.05", "line 1, interval: 0.05 is not between 0.1 and 3600 seconds"),
        ("interval: nan", "line 1, interval: nan is not between 0.1 and 3600 seconds"),
        ("interval: often", "line 1, interval: 'often' is not a number of seconds"),
        ("interval: [1]", "line 1, interval: a single word or number is expected here"),
        ("attach: natve", "line 1, attach: 'natve' is not one of auto, native, generic, tcx, clsact, tc, none"),
        ("\n\nintervall: 2", "line 3, intervall: no such setting (did you mean interval?)"),
        ("colour: red", "line 1, colour: no such setting"),
        ("interval: 1\ninterval: 2", "line 2, interval: given twice, the first one holds"),
        ("theme: ../../etc/passwd", "line 1, theme: '../../etc/passwd' is a path"),
        ("keys: space", "line 1, keys: a mapping is expected here, as in `name: value`"),
        ("keys:\n  puase: x", "line 2, keys.puase: no such setting (did you mean pause?)"),
        ("keys:\n  pause: x\n  mark: x", "line 3, keys.mark: the key x is given to pause already"),
        ("keys:\n  pause: a b", "line 2, keys.pause: a single word or number is expected here"),
        ("thresholds:\n  syn-flod: {}", "line 2, thresholds.syn-flod: no such setting (did you mean syn-flood?)"),
        ("thresholds:\n  syn-flood: 5", "line 2, thresholds.syn-flood: a mapping is expected here"),
        ("thresholds: {syn-flood: {rise: 5}}", "line 1, thresholds.syn-flood.rise: no such setting (did you mean"),
        ("thresholds: {syn-flood: {raise: hi}}", "line 1, thresholds.syn-flood.raise: 'hi' is not a number"),
        ("thresholds: {syn-flood: {raise: -1}}", "line 1, thresholds.syn-flood.raise: -1 is not a number from 0 up"),
        ("? [a]\n: 2", "line 1, : a name is expected here"),
        ("<<: {interval: 2}", "line 1, <<: no such setting"),
    ],
)  # fmt: skip
def test_bad_field_is_one_sentence(home: Path, text: str, message: str) -> None:
    (home / "config.yaml").write_text(text)
    loaded = load(known=KNOWN)
    assert loaded.message is not None
    assert loaded.message.startswith(f"{home / 'config.yaml'}, {message}")
    assert loaded.message.endswith("; the defaults are used there")
    assert "\n" not in loaded.message
    assert loaded.settings.attach == "auto"


def test_good_fields_of_a_bad_file_are_used(home: Path) -> None:
    (home / "config.yaml").write_text(
        "colour: red\nattach: tc\ninterval: 9999\n"
        "keys: {pause: x, mark: [y], quit: z}\n"
        "thresholds: {syn-flood: {raise: many, clear: 2}}\n"
    )
    loaded = load(known=KNOWN)
    assert loaded.settings == Settings(
        attach="tc", keys={"pause": "x", "quit": "z"}, thresholds={"syn-flood": {"clear": 2.0}}
    )
    assert loaded.message is not None
    lines = [part.split(",")[0].split()[-1] for part in loaded.message.split("line ")[1:]]
    assert lines == ["1", "3", "4", "5"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"- interval", ", line 1: a mapping is expected here, as in `name: value`; the defaults are used"),
        (b"a: b\n{", ", line 2: not YAML: "),
        (b"interval: *x", ", line 1: not YAML: found undefined alias 'x'; the defaults are used"),
        (b"a: 1\n---\nb: 2", ", line 2: not YAML: "),
        (b"\x00", ": not YAML: special characters are not allowed; the defaults are used"),
        (b"interval: \xff", ": not UTF-8 text; the defaults are used"),
        (b"[" * 200_000, ": nested too deeply; the defaults are used"),
        (b"#" * 300_000, ": larger than 256 KiB; the defaults are used"),
    ],
    ids=["list", "half", "alias", "two documents", "NUL", "not UTF-8", "deep", "large"],
)
def test_unreadable_file_means_defaults(home: Path, content: bytes, message: str) -> None:
    (home / "config.yaml").write_bytes(content)
    loaded = load()
    assert loaded.settings == Settings()
    assert (loaded.message or "").startswith(f"{home / 'config.yaml'}{message}")


def test_file_cannot_make_python_objects(home: Path) -> None:
    (home / "config.yaml").write_text("theme: !!python/object/apply:os.system ['touch made']")
    assert load().settings == Settings()
    assert not Path("made").exists()


@given(
    st.binary(max_size=200)
    | st.text(alphabet="interval:attch ykse\n\t-[]{}'\"&*!?#|>%@0.1", max_size=80).map(str.encode)
)
def test_any_content_is_loaded_without_exception(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(content)
    loaded = load(path)
    assert isinstance(loaded.settings, Settings)
    assert loaded.message is None or loaded.message.startswith(str(path))


def test_fifo_does_not_block_the_start(home: Path) -> None:
    os.mkfifo(home / "config.yaml")
    assert load().message == f"{home / 'config.yaml'}: not a regular file; the defaults are used"


def test_named_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read the configuration .*absent\.yaml: No such file or directory"):
        load(tmp_path / "absent.yaml")


def test_link_loop_is_one_sentence(home: Path) -> None:
    (home / "config.yaml").symlink_to("config.yaml")
    assert load().message == f"{home / 'config.yaml'}: Too many levels of symbolic links; the defaults are used"


def test_folder_follows_the_xdg_specification(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/of/someone")
    assert config_folder({"XDG_CONFIG_HOME": "/etc/xdg"}) == Path("/etc/xdg/bpftop")
    assert config_folder({"XDG_CONFIG_HOME": "relative"}) == Path("/home/of/someone/.config/bpftop")
    assert config_folder({}) == Path("/home/of/someone/.config/bpftop")


def test_folder_behind_sudo_is_the_callers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("HOME", "/root")
    daemon = Path(os.path.expanduser("~daemon"))
    assert config_folder({"SUDO_USER": "daemon"}) == daemon / ".config" / "bpftop"
    assert config_folder({"SUDO_USER": "daemon", "XDG_CONFIG_HOME": "/etc/xdg"}) == Path("/etc/xdg/bpftop")
    assert config_folder({"SUDO_USER": "no-such-account"}) == Path("/root/.config/bpftop")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)  # sudo -u someone: HOME is right
    assert config_folder({"SUDO_USER": "daemon"}) == Path("/root/.config/bpftop")


@pytest.mark.parametrize(("mode", "used"), [(0o644, True), (0o600, False)])
def test_sudo_reads_no_file_that_the_caller_could_not(
    home: Path, monkeypatch: pytest.MonkeyPatch, mode: int, used: bool
) -> None:
    secret = home / "config.yaml"
    secret.write_text("interval: 2")
    secret.chmod(mode)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("SUDO_UID", str(secret.stat().st_uid + 1))
    monkeypatch.setenv("SUDO_GID", "1")
    loaded = load()
    assert (loaded.settings.interval_s == 2) == used
    assert used or "not owned by the user who called sudo" in (loaded.message or "")
    assert load(secret).settings.interval_s == 2  # `--config` is the caller's own word


@pytest.mark.parametrize(("text", "seconds"), [("0.1", 0.1), ("3600", 3600.0), ("1e0", 1.0)])
def test_intervals(text: str, seconds: float) -> None:
    assert interval_s(text) == seconds


@pytest.mark.parametrize("text", ["0.09", "3600.1", "-1", "inf", "nan", "", "1s"])
def test_bad_interval_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not (a number of seconds|between 0\.1 and 3600 seconds)"):
        interval_s(text)


# Rules


def test_thresholds_and_silence_reach_the_rules(home: Path) -> None:
    (home / "config.yaml").write_text(
        "thresholds:\n  conntrack-full: {warning: 0.6}\n  tcp-retransmits: {warning: 3e-2, warning_clear: 0.02}\n"
        "silence: [packet-storm, udp-flood]\n"
    )
    loaded = load()
    assert loaded.message is None
    rules = {rule.id: rule for rule in loaded.settings.rules()}
    assert {"packet-storm", "udp-flood"} & rules.keys() == set()
    fill, again = rules["conntrack-full"].limits["warning"], rules["tcp-retransmits"].limits["warning"]
    assert fill.raised == 0.6
    assert fill.clear == pytest.approx(0.56)
    assert (again.raised, again.clear) == (0.03, 0.02)
    assert fill.source == "node-mixin 75 %; netdata 90/85 %"


def test_every_limit_of_every_rule_can_be_set(home: Path) -> None:
    from bpftop.rules.table import RULES as TABLE

    lines = [f"  {rule.id}: {{{', '.join(f'{name}: 7' for name in rule.limits)}}}" for rule in TABLE if rule.limits]
    (home / "config.yaml").write_text("\n".join(("thresholds:", *lines)))
    loaded = load()
    assert loaded.message is None
    assert {limit.raised for rule in loaded.settings.rules() for limit in rule.limits.values()} == {7.0}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("silence: packet-storm", "line 1, silence: a list of rules is expected here, as in `[packet-storm]`"),
        ("silence: [packet-stom]", "line 1, silence, entry 1: no such rule (did you mean packet-storm?)"),
        ("silence:\n- udp-flood\n- [x]", "line 3, silence, entry 2: a single word or number is expected here"),
        ("silence: [attach]", "line 1, silence, entry 1: no such rule"),
        ("thresholds: {packet-storm: {packet: 5}}", "line 1, thresholds.packet-storm.packet: no such setting (did you"),
        ("thresholds: {bond-leg-lost: {errors: 1}}", "line 1, thresholds.bond-leg-lost.errors: no such setting"),
    ],
)
def test_bad_rule_name_is_one_sentence(home: Path, text: str, message: str) -> None:
    (home / "config.yaml").write_text(text)
    loaded = load()
    assert loaded.message is not None
    assert loaded.message.startswith(f"{home / 'config.yaml'}, {message}")
    silenced = {"udp-flood"} if "udp-flood" in text else set()
    assert loaded.settings.silence == silenced


def test_empty_silence_silences_nothing(home: Path) -> None:
    (home / "config.yaml").write_text("silence: []\n")
    assert load().message is None
    assert load().settings.silence == frozenset()


@pytest.mark.parametrize("uid", ["99999999999", "4294967295", "-1", "", "x", "9" * 5000])
def test_a_caller_who_is_no_account_is_nobody(uid: str) -> None:
    assert sudo_caller({"SUDO_UID": uid, "SUDO_GID": "0"}) is None


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("link-saturated:\n    warning: 0.5\n    warning_clear: 0.9", "line 4, "
         "thresholds.link-saturated.warning_clear: it would clear at 0.9, above its raise level 0.5"),
        ("link-saturated:\n    critical: 0.2", "line 3, thresholds.link-saturated.critical: "
         "critical (0.2) would be below warning (0.85)"),
    ],
)  # fmt: skip
def test_contradictory_limits_are_refused(tmp_path: Path, lines: str, message: str) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(f"thresholds:\n  {lines}\n")
    loaded = load(file)
    assert message in (loaded.message or "")
