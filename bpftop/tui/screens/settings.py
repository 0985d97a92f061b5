"""The settings that a person changes on the screen: theme, interval, mouse, and the columns of the open pane."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from textual import getters, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label, OptionList, Select, Static

from bpftop.config.settings import interval_s
from bpftop.render.columns import Column
from bpftop.tui.themed_app import ThemedApp
from bpftop.tui.themes import Theme

Changes = Mapping[str, Any]


class ColumnList(OptionList):
    """Columns that can be switched on and off (``chosen``: ids of those on); the mark is text, for no colours."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("space", "select", show=False)]

    def __init__(self, columns: Sequence[Column[Any]], chosen: Sequence[str]) -> None:
        self._columns, self.chosen = columns, list(chosen)
        super().__init__(*(self._prompt(column) for column in columns), id="columns", markup=False)

    def _prompt(self, column: Column[Any]) -> str:
        return f"[{'x' if column.id in self.chosen else ' '}] {_name(column)}"

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.switch(self._columns[event.option_index].id)

    def switch(self, column_id: str) -> None:
        """Switch a column on or off; the columns keep their order."""
        on = {*self.chosen} ^ {column_id}
        self.chosen = [column.id for column in self._columns if column.id in on]
        at = next(i for i, column in enumerate(self._columns) if column.id == column_id)
        self.replace_option_prompt_at_index(at, self._prompt(self._columns[at]))


class SettingsScreen(ModalScreen[Changes | None]):
    """A form. Its result is the changes: field of ``config.yaml`` -> new value; None after esc.

    Each theme is shown as it is chosen. ``pane`` is id and title of the open pane, ``columns`` are all columns of its
    table, and ``chosen`` the ids of those that the table shows. ``live``: False where a recording has its own pace.
    """

    app = getters.app(ThemedApp)
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "give_up", show=False), Binding("ctrl+s", "save", show=False)
    ]  # fmt: skip
    CSS = """
    SettingsScreen { align: center middle; background: transparent; }
    SettingsScreen #form {
        width: 64; max-width: 100%; height: auto; max-height: 100%; padding: 0 1;
        border: round $primary; background: $surface;
    }
    SettingsScreen Label { height: 1; color: $foreground; }
    SettingsScreen Static { height: auto; color: $foreground; }
    SettingsScreen #wrong { color: $error; }
    SettingsScreen Input, SettingsScreen Select > SelectCurrent {
        border: none; height: 1; padding: 0 1; background: $surface;
    }
    SettingsScreen Input:focus { background: $panel; }
    SettingsScreen Select:focus > SelectCurrent { border: none; background: $panel; }
    SettingsScreen ColumnList { height: auto; max-height: 12; border: none; padding: 0; }
    SettingsScreen Horizontal { height: 1; }
    SettingsScreen Button {
        height: 1; min-width: 14; border: none; margin-right: 2; text-style: none;
        background: $surface; color: $foreground;
    }
    SettingsScreen Button:focus { text-style: reverse; }
    """

    def __init__(
        self,
        themes: Sequence[Theme],
        theme: Theme,
        interval: float,
        pane: tuple[str, str],
        columns: Sequence[Column[Any]],
        chosen: Sequence[str],
        *,
        live: bool = True,
    ) -> None:
        super().__init__()
        self._live = live
        self._themes, self._theme, self._interval = {t.name: t for t in themes}, theme, interval
        self._pane, self._columns, self._chosen = pane, columns, list(chosen)

    def compose(self) -> ComposeResult:
        names = list(dict.fromkeys((*self._themes, self._theme.name)))
        with VerticalScroll(id="form", can_focus=False):
            yield Label("Theme")
            yield Select([(name, name) for name in names], value=self._theme.name, allow_blank=False, id="theme")
            yield Label(f"Interval: seconds between two samples{'' if self._live else ', of a live screen'}")
            yield Input(f"{self._interval:g}", id="interval")
            if self._columns:
                yield Label(f"Columns of {self._pane[1]} (space switches one)")
                yield ColumnList(self._columns, self._chosen)
            yield Static("", id="wrong", markup=False)
            with Horizontal():
                yield Button("save  ^s", id="save")
                yield Button("cancel  esc", id="cancel")
            yield Static("Kept in config.yaml; its comments stay.", markup=False)

    @on(Select.Changed, "#theme")
    def show_theme(self, event: Select.Changed) -> None:
        """Show the chosen theme on the screen behind the form."""
        if (theme := self._themes.get(str(event.value))) is not None:
            self.app.use_theme(theme)

    @on(Button.Pressed, "#save")
    @on(Input.Submitted)
    def action_save(self) -> None:
        """End the form with the changes; a value that is not possible keeps the form open, with the reason."""
        text = self.query_one("#interval", Input).value
        try:
            seconds = interval_s(text)
        except ValueError as error:
            self.query_one("#wrong", Static).update(str(error))
            return
        changes: dict[str, Any] = {}
        theme = str(self.query_one("#theme", Select).value)
        if theme != self._theme.name:
            changes["theme"] = theme
        if seconds != self._interval:
            changes["interval"] = seconds
        if self._columns:
            chosen = self.query_one(ColumnList).chosen
            if chosen != self._chosen:
                changes["columns"] = {self._pane[0]: chosen}
        self.dismiss(changes)

    @on(Button.Pressed, "#cancel")
    def action_give_up(self) -> None:
        """End the form, and return to the theme before."""
        self.app.use_theme(self._theme)
        self.dismiss(None)


def _name(column: Column[Any]) -> str:
    """Return the title of a column, with its id where the title says less."""
    title = column.title.strip()
    return title if title.lower() == column.id else f"{title} ({column.id})" if title else column.id
