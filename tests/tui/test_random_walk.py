"""A walk through dialogues, toasts and sizes of the terminal: the terminal always shows what the screen is."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Mapping

import pyte
import pytest
from textual.command import CommandPalette

from tests.tui.conftest import Stage, perform, until
from tests.tui.test_terminal_diff import Taped

STEPS = 70
SIZES = [(100, 30), (80, 24), (120, 40), (160, 50), (60, 15), (90, 28)]


@pytest.mark.parametrize("seed", [1, 11])
def test_terminal_shows_the_screen_after_every_event(seed: int) -> None:
    choose = random.Random(seed)
    first = SIZES[0]

    async def scenario(stage: Stage) -> None:
        app = stage.app
        assert isinstance(app, Taped)
        terminal = pyte.Screen(*first)
        stream = pyte.Stream(terminal)

        async def resize() -> None:
            columns, rows = choose.choice(SIZES)
            terminal.resize(rows, columns)
            await stage.pilot.resize_terminal(columns, rows)
            await until(stage, lambda: app.screen.size == (columns, rows) and app._resize_event is None)

        async def say() -> None:
            for number in range(choose.randint(1, 3)):
                app.say(f"message {number} {'word ' * choose.randint(1, 30)}")

        def press(*keys: str) -> Callable[[], Awaitable[None]]:
            return lambda: stage.press(choose.choice(keys))

        events: Mapping[str, Callable[[], Awaitable[None]]] = {
            "tick": stage.tick,
            "toasts": say,
            "palette": press("ctrl+p"),
            "dialogue": press("question_mark", "T", "L", "comma"),
            "typed": press("t", "f", "a", "down"),
            "escape": press("escape"),
            "pane": press(*"1234568"),
            "resize": resize,
        }
        trail = []
        for _ in range(STEPS):
            trail.append(choose.choice([*events]))
            await events[trail[-1]]()

            def is_shown() -> bool:
                for part in app.tape:
                    stream.feed(part)
                app.tape.clear()
                return [line.rstrip() for line in terminal.display] == app.screen_text().split("\n")

            await stage.pilot.pause()
            await until(stage, is_shown)

    perform(scenario, size=first, app_class=Taped, toasts=True, ticks=20)


def test_palette_opens_again_while_it_closes() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.press("ctrl+p")
        stage.app.pop_screen()
        stage.app.action_command_palette()
        await stage.pilot.pause()
        assert isinstance(stage.app.screen, CommandPalette)
        stage.app.action_theme()
        await stage.pilot.pause()
        stage.app.action_command_palette()
        assert sum(isinstance(screen, CommandPalette) for screen in stage.app.screen_stack) == 1

    perform(scenario, ticks=5)
