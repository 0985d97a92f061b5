"""Terminals of all kinds: slow lines, other locales, old terminals, changes of size, job control in a shell."""

from __future__ import annotations

import fcntl
import os
import re
import select
import shlex
import struct
import subprocess
import termios
import time
from functools import partial
from pathlib import Path

import pyte
import pytest

from tests.bench.terminal import UNKNOWN_TO_PYTE
from tests.cli.running import COMMAND, Terminal, environment
from tests.waiting import until

LO = ("lo", "--attach", "none")
THEMES = Path(__file__).parents[2] / "themes"
PANES = {"2": "softirq", "3": "wire", "8": "severity", "1": "Protocol"}
"""Key of a pane -> a word of its first rows, or of the titles above them."""
COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])(?:;\d+)*m")
"""A code that chooses a colour; 39 and 49 choose the terminal's own."""
MOUSE_REPORTING = re.compile(rb"\x1b\[\?(?:9|100[0-3]|100[56]|101[56])h")
"""The modes of xterm's ctlseqs in which a terminal reports the mouse."""
CLICK_ON_PATH = "\x1b[<0;25;1M\x1b[<0;25;1m"
"""A press and a release of the left button on the tab ``3 Path``, as a terminal reports them in mode 1006."""


class AnsweringScreen(pyte.Screen):
    """An emulated terminal that keeps what it answers to the program."""

    def __init__(self, columns: int, rows: int) -> None:
        super().__init__(columns, rows)
        self.answers = ""

    def write_process_input(self, data: str) -> None:
        self.answers += data


class Picture:
    """Return the cells of a terminal of a size after some output."""

    def __init__(self, columns: int, rows: int) -> None:
        self.screen = AnsweringScreen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)

    def feed(self, output: bytes) -> None:
        self._stream.feed(UNKNOWN_TO_PYTE.sub(b"", output))

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.screen.display)


class SlowLine(Picture):
    """A line of 1 200 bytes a second, or fewer on a busy machine, with a terminal at its end that answers."""

    def __init__(self, terminal: Terminal, columns: int, rows: int) -> None:
        super().__init__(columns, rows)
        self._terminal = terminal
        self.carried = 0

    def carry(self) -> None:
        """Carry what the line carries in 0.05 s."""
        time.sleep(0.05)
        if select.select([self._terminal.master], [], [], 0)[0]:
            self.feed(output := os.read(self._terminal.master, 60))
            self.carried += len(output)
            self._terminal.type(self.screen.answers)
            self.screen.answers = ""

    def shows(self, text: str) -> bool:
        self.carry()
        return text in self.text

    def has_ended(self) -> bool:
        self.carry()
        return self._terminal.process.poll() is not None


def resize(terminal: Terminal, columns: int, rows: int) -> None:
    """Change the size of the terminal; the kernel sends SIGWINCH."""
    fcntl.ioctl(terminal._slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def shown(terminal: Terminal, columns: int, rows: int) -> str:
    picture = Picture(columns, rows)
    picture.feed(terminal.written)
    return picture.text


def await_screen(terminal: Terminal, columns: int = 100, rows: int = 30, text: str = "checks active") -> None:
    """Read output until the text is on the screen."""

    def there() -> bool:
        terminal.read(0.2)
        return text in shown(terminal, columns, rows)

    until(there, lambda: shown(terminal, columns, rows))


@pytest.mark.parametrize("options", [(), ("--low-bandwidth",)], ids=["all colours", "low bandwidth"])
def test_a_slow_line_carries_the_first_rows_in_two_seconds(options: tuple[str, ...]) -> None:
    """1 200 bytes a second: what comes before the first rows is at most 2 400 bytes."""
    with Terminal(*LO, *options, env=environment(COLORTERM="truecolor")) as terminal:
        resize(terminal, 80, 24)
        picture, taken = Picture(80, 24), 0
        await_screen(terminal, 80, 24)
        for key, word in PANES.items():
            terminal.read(0.5)
            picture.feed(terminal.written[taken:])
            taken = len(terminal.written)
            terminal.type(key)
            await_screen(terminal, 80, 24, word)
            needed = 0
            while word not in picture.text:
                picture.feed(terminal.written[taken : taken + 20])
                taken += 20
                needed += 20
            assert needed <= 2400, key


@pytest.mark.parametrize("size", [(80, 24), (160, 50)], ids=["80x24", "160x50"])
def test_a_slow_line_is_noticed_and_carries_the_first_rows(size: tuple[int, int]) -> None:
    """The screen runs without --low-bandwidth. Bytes under way when the key is pressed count, too."""
    with Terminal(*LO, env=environment(COLORTERM="truecolor"), size=size) as terminal:
        line = SlowLine(terminal, *size)
        until(lambda: line.shows("line is slow"), lambda: line.text)
        until(lambda: not line.shows("line is slow") and line.shows("checks active"), lambda: line.text)
        for key, word in PANES.items():
            before = line.carried
            terminal.type(key)
            until(partial(line.shows, word), lambda: line.text)
            assert line.carried - before <= 2400, key
        terminal.type("q")
        until(line.has_ended, lambda: line.text)
        assert terminal.process.returncode == 0
        assert termios.tcgetattr(terminal._slave) == terminal.before
        assert not select.select([terminal._slave], [], [], 0)[0]  # no answer is left for the shell


@pytest.mark.parametrize(
    ("term", "colours"),
    [("linux", True), ("vt100", False), ("screen", True), ("tmux-256color", True), ("xterm-mono", False)],
)
def test_each_terminal_gets_what_it_can_show(term: str, colours: bool) -> None:
    plain = {name: value for name, value in environment(TERM=term).items() if name != "COLORTERM"}
    with Terminal(*LO, env=plain) as terminal:
        await_screen(terminal)
        text = terminal.written.decode()
        assert (COLOUR.search(text) is not None) == colours
        assert text.isascii() == (term in ("linux", "vt100"))
        terminal.type("q")
        assert terminal.await_end() == 0
        assert terminal.as_it_was()


def test_a_click_opens_the_pane_of_a_tab() -> None:
    with Terminal(*LO) as terminal:
        await_screen(terminal)
        assert MOUSE_REPORTING.search(terminal.written)
        terminal.type(CLICK_ON_PATH)
        await_screen(terminal, text=PANES["3"])


def test_without_a_mouse_the_terminal_keeps_it() -> None:
    """The terminal reports nothing; a report that comes all the same, of another program, does nothing."""
    with Terminal(*LO, "--no-mouse") as terminal:
        await_screen(terminal)
        terminal.type(CLICK_ON_PATH + "2")
        await_screen(terminal, text=PANES["2"])
        assert PANES["3"] not in terminal.written.decode()
        terminal.type("q")
        assert terminal.await_end() == 0
        assert terminal.as_it_was()
        assert not MOUSE_REPORTING.search(terminal.written)


@pytest.fixture(scope="module")
def latin1(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the variables of a locale with ISO-8859-1, which is made here."""
    folder = tmp_path_factory.mktemp("locales")
    made = ["localedef", "-i", "en_US", "-f", "ISO-8859-1", str(folder / "en_US.ISO-8859-1")]
    subprocess.run(made, check=True, capture_output=True)
    return {"LOCPATH": str(folder), "LC_ALL": "en_US.ISO-8859-1"}


@pytest.mark.needs("localedef")
def test_a_locale_that_is_not_utf8_gets_ascii(latin1: dict[str, str]) -> None:
    for locale in ({"LC_ALL": "C"}, latin1):
        with Terminal(*LO, env=environment(**locale)) as terminal:
            await_screen(terminal)
            assert terminal.written.isascii()
            assert all(len(line) <= 100 for line in shown(terminal, 100, 30).splitlines())


@pytest.mark.parametrize("variables", [{"NO_COLOR": "1"}, {"TERM": "xterm-mono"}], ids=["NO_COLOR", "monochrome"])
def test_the_same_text_without_colours(variables: dict[str, str]) -> None:
    with Terminal(*LO, env=environment(**variables)) as terminal:
        await_screen(terminal)
        assert COLOUR.search(terminal.written.decode()) is None
        assert "1 Overview" in shown(terminal, 100, 30)


@pytest.mark.needs("screen")
def test_gnu_screen_shows_all_and_gets_its_prompt_back(tmp_path: Path) -> None:
    """Eight colours, bold for the bright ones, and no alternate screen: the prompt comes below the last picture."""
    tmp_path.chmod(0o700)
    plain = {name: value for name, value in environment(TERM="xterm").items() if name not in ("COLORTERM", "STY")}
    shell = ("env", "TERM=screen", "PS1=shell> ", "bash", "--norc", "--noprofile", "-i")
    command = ["screen", "-U", "-c", "/dev/null", "-e", "^Oo", "-S", "test", *shell]  # ctrl+a goes to the shell
    with Terminal(command=command, env={**plain, "SCREENDIR": str(tmp_path), "LC_ALL": "C.UTF-8"}) as terminal:
        await_screen(terminal, text="shell>")
        terminal.type(shlex.join([*COMMAND, *LO]) + "\n")
        await_screen(terminal)
        await_screen(terminal, text="q quit")  # GNU screen answers, so the bottom may come later than the top
        picture = Picture(100, 30)
        picture.feed(terminal.written)
        lines = picture.text.splitlines()
        assert lines[0].startswith(" 1 Overview")
        assert lines[-1].endswith("q quit")
        assert picture.screen.buffer[0][1].reverse  # the open tab
        y, x = next((y, line.index("live")) for y, line in enumerate(lines) if "live" in line)
        assert (picture.screen.buffer[y][x].fg, picture.screen.buffer[y][x].bold) == ("green", True)
        for key, word in PANES.items():
            terminal.type(key)
            await_screen(terminal, text=word)
        terminal.type("q")

        def at_the_end() -> bool:
            terminal.read(0.2)
            last = shown(terminal, 100, 30).splitlines()[-1]
            return last.strip() == "shell>"

        until(at_the_end, lambda: shown(terminal, 100, 30))
        terminal.type("exit\n")
        assert terminal.await_end() == 0


def test_a_storm_of_changes_of_size_ends_in_a_whole_screen() -> None:
    with Terminal(*LO) as terminal:
        await_screen(terminal)
        for number in range(120):
            resize(terminal, 1 + number * 37 % 300, 1 + number * 13 % 90)
            terminal.read(0.005)
        resize(terminal, 80, 24)
        terminal.read(0.2)
        taken = len(terminal.written)
        terminal.type("\x0c")  # ctrl+l: everything is written again
        picture = Picture(80, 24)

        def whole() -> bool:
            nonlocal taken
            terminal.read(0.2)
            picture.feed(terminal.written[taken:])
            taken = len(terminal.written)
            lines = picture.text.splitlines()
            return lines[0].startswith(" 1 Overview") and "checks active" in picture.text and "quit" in lines[-1]

        until(whole, lambda: picture.text)
        terminal.type("q")
        assert terminal.await_end() == 0
        assert terminal.as_it_was()


def test_themes_beside_a_named_configuration_can_be_chosen(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("theme: evening\n")
    (tmp_path / "themes").mkdir()
    (tmp_path / "themes" / "evening.yaml").write_text((THEMES / "dark.yaml").read_text())
    with Terminal(*LO, "--config", str(tmp_path / "c.yaml")) as terminal:
        await_screen(terminal)
        terminal.type("T")
        await_screen(terminal, text="evening")
        terminal.type("q")  # ends the choice
        await_screen(terminal, text="8 Findings")
        terminal.type("q")
        assert terminal.await_end() == 0


@pytest.mark.needs("tmux")
def test_ctrl_z_gives_the_shell_back_and_fg_the_screen(tmp_path: Path) -> None:
    socket = str(tmp_path / "tmux")

    def tmux(*words: str) -> str:
        done = subprocess.run(["tmux", "-S", socket, *words], capture_output=True, text=True, env=environment())
        return done.stdout

    def pane() -> str:
        return tmux("capture-pane", "-p")

    shell = ["env", "PS1=shell> ", "bash", "--norc", "--noprofile", "-i"]
    tmux("-f", "/dev/null", "new-session", "-d", "-x", "100", "-y", "30", *shell)
    try:
        until(lambda: "shell>" in pane(), pane)
        tmux("send-keys", shlex.join([*COMMAND, *LO]), "Enter")
        until(lambda: "checks active" in pane(), pane)
        tmux("send-keys", "C-z")
        until(lambda: "Stopped" in pane() and "shell>" in pane().rstrip().splitlines()[-1], pane)
        assert tmux("display-message", "-p", "#{alternate_on} #{mouse_any_flag} #{cursor_flag}").strip() == "0 0 1"
        tmux("send-keys", "stty -a | tr '\\n' ' '; echo", "Enter")
        until(lambda: "icanon" in pane(), pane)
        assert not {"-icanon", "-echo", "-isig", "-icrnl", "-opost"} & set(re.split(r"[\s;]+", pane()))
        tmux("send-keys", "fg", "Enter")
        until(lambda: "checks active" in pane() and pane().startswith(" 1 Overview"), pane)
        tmux("send-keys", "q")
        until(lambda: "shell>" in pane().rstrip().splitlines()[-1], pane)
    finally:
        tmux("kill-server")
