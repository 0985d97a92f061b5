"""The configuration on the screen: its faults, the form that changes it, themes that change under it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input, Select

from bpftop.cli.settings_writer import change_settings
from bpftop.render.column_tables import COLUMN_TABLES
from bpftop.tui.panes import PANES
from bpftop.tui.screens.settings import ColumnList, SettingsScreen
from bpftop.tui.themes import ROLES, ThemeWatch, all_themes
from bpftop.tui.widgets.table import Table
from tests.tui.conftest import THEMES, Stage, perform, until

PROBLEMS = [f"/home/me/config.yaml, line {n}, keys.puase: no such setting (did you mean pause?)" for n in range(1, 6)]


def test_the_screen_and_the_log_show_configuration_problems() -> None:
    async def scenario(stage: Stage) -> None:
        said = [sentence for _, sentence, is_error in stage.app.said if is_error]
        assert said == PROBLEMS
        assert stage.app.said[-1][1] == "2 more problems of the configuration: L."
        await stage.press("L")
        text = stage.app.screen_text()
        assert all(problem in " ".join(text.split()) for problem in PROBLEMS)

    perform(scenario, size=(120, 40), problems=PROBLEMS)


def test_a_table_shows_the_configured_columns() -> None:
    async def scenario(stage: Stage) -> None:
        assert "share" in stage.text()
        assert "RX bit/s" not in stage.text()
        await stage.press("2")
        assert "softirq" in stage.text()

    perform(scenario, size=(120, 40), columns={"overview": ["rx_packets_per_sec", "share"]})


def test_the_form_changes_the_file_and_keeps_its_comments(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("# mine\ntheme: dark  # at night\nkeys: {pause: space}\n")

    def save(changes: Mapping[str, Any]) -> str:
        change_settings(file, changes, named=True)
        return str(file)

    async def scenario(stage: Stage) -> None:
        await stage.press("comma")
        form = stage.app.screen
        assert isinstance(form, SettingsScreen)
        form.query_one(Select).value = "warm"
        await stage.pilot.pause()
        assert stage.app.colours.name == "warm"  # the screen behind the form
        form.query_one(ColumnList).switch("share")
        assert "[ ] share" in stage.app.screen_text()
        form.query_one("#interval", Input).value = "soon"
        await stage.press("ctrl+s")
        assert stage.app.screen is form
        assert "'soon' is not a number of seconds" in stage.app.screen_text()
        form.query_one("#interval", Input).value = "2.5"
        await stage.press("ctrl+s")
        await until(stage, lambda: "mine" in file.read_text() and "warm" in file.read_text())
        await until(stage, lambda: any("written to" in sentence for _, sentence, _ in stage.app.said))
        assert "share" not in stage.text()

    perform(scenario, size=(120, 40), actions={"save_settings": save})
    text = file.read_text()
    assert text.startswith(
        "# mine\ntheme: warm  # at night\nkeys: {pause: space}\ninterval: 2.5\ncolumns:\n  overview:\n"
    )
    assert "- rx_packets_per_sec\n" in text
    assert "share" not in text


def test_the_form_has_the_columns_of_every_pane() -> None:
    """Switched off, a column is gone from the table that it belongs to, and from no other one of the pane."""
    assert set(COLUMN_TABLES) == {name for name, pane in PANES.items() if pane.load().columns}

    async def scenario(stage: Stage) -> None:
        for name, columns in COLUMN_TABLES.items():
            await stage.app.action_open_pane(name)
            await stage.pilot.pause()
            moment = stage.app.moment()
            assert moment is not None
            tables = list(stage.app.frame.panes[name].query(Table))
            before = [[column.id for column, _ in table.fitting_columns(moment, 500)] for table in tables]
            await stage.press("comma")
            assert f"Columns of {PANES[name].title}" in stage.app.screen_text()
            stage.app.screen.query_one(ColumnList).switch(columns[1].id)
            await stage.press("ctrl+s")
            moment = stage.app.moment()
            assert moment is not None
            after = [[column.id for column, _ in table.fitting_columns(moment, 500)] for table in tables]
            lost = [set(old) - set(new) for old, new in zip(before, after, strict=True)]
            assert sorted(map(sorted, lost)) == sorted([[]] * (len(tables) - 1) + [[columns[1].id]]), name

    perform(scenario, size=(120, 40))


def test_a_new_interval_is_used_at_once() -> None:
    async def scenario(stage: Stage) -> None:
        assert stage.line(1).endswith("live 1 s")
        await stage.press("comma")
        stage.app.screen.query_one("#interval", Input).value = "2.5"
        await stage.press("ctrl+s")
        await until(stage, lambda: asked == [2.5])
        assert stage.line(1).endswith("live 2.5 s")

    asked: list[float] = []
    perform(scenario, size=(120, 40), actions={"change_interval": asked.append})


def test_a_file_that_is_no_theme_is_named_in_the_list(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text((THEMES / "dark.yaml").read_text())
    (tmp_path / "broken.yaml").write_text("text: mauve\n")

    async def scenario(stage: Stage) -> None:
        await stage.press("T")
        assert "mine" in stage.app.screen_text()
        assert stage.said().startswith(f"{tmp_path}/broken.yaml: text: 'mauve' is no colour")

    perform(scenario, actions={"themes": lambda: all_themes([tmp_path, THEMES])})


def test_esc_leaves_all_as_it_was() -> None:
    written: list[Mapping[str, Any]] = []

    async def scenario(stage: Stage) -> None:
        await stage.press("comma")
        stage.app.screen.query_one(Select).value = "light"
        await stage.pilot.pause()
        await stage.press("escape")
        assert stage.app.colours.name == "dark"
        await stage.press("comma", "ctrl+s")  # nothing has changed: nothing is written
        assert not isinstance(stage.app.screen, SettingsScreen)

    def save(changes: Mapping[str, Any]) -> str:
        written.append(changes)
        return ""

    perform(scenario, actions={"save_settings": save})
    assert written == []


def test_a_theme_is_read_again_when_its_file_changes(tmp_path: Path) -> None:
    mine = tmp_path / "dark.yaml"
    mine.write_text((THEMES / "dark.yaml").read_text())
    watch = ThemeWatch(tmp_path)

    async def scenario(stage: Stage) -> None:
        stage.app.reload_theme()
        mine.write_text(mine.read_text().replace("#d3d7de", "#ffffff"))
        await until(stage, lambda: stage.app.colours.colours["text"] == "#ffffff")
        mine.write_text("text: mauve\n")
        await until(stage, lambda: any("is no colour" in sentence for _, sentence, _ in stage.app.said))
        assert stage.app.colours.colours["text"] == "#ffffff"

    perform(scenario, actions={"changed_theme": watch.changed})


def test_a_watch_reports_each_change_once(tmp_path: Path) -> None:
    watch, path = ThemeWatch(tmp_path), tmp_path / "mine.yaml"
    assert watch.changed("mine") is None
    path.write_text("".join(f"{role}: red\n" for role in ROLES))
    assert watch.changed("mine") is not None
    assert watch.changed("mine") is None
    path.unlink()
    assert watch.changed("mine") is None


@pytest.mark.parametrize("size", [(80, 24), (60, 15), (160, 50)])
def test_the_form_fits_the_screen(size: tuple[int, int]) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.press("comma")
        assert "Theme" in stage.app.screen_text()
        await stage.press("tab", "tab")
        focused = stage.app.screen.focused
        assert focused is not None
        assert focused.region.bottom <= size[1]

    perform(scenario, size=size)
