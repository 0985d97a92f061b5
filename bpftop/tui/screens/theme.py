"""The choice of a theme: the screen behind it shows each one as it is selected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import getters
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen
from textual.widgets import OptionList

from bpftop.tui.themed_app import ThemedApp
from bpftop.tui.themes import Theme


class ThemeScreen(ModalScreen[None]):
    """Enter keeps the selected theme, esc returns to the theme ``before``."""

    app = getters.app(ThemedApp)
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,T,q", "give_up", show=False)]
    CSS = """
    ThemeScreen { align: right top; background: transparent; }
    ThemeScreen OptionList { width: 28; height: auto; max-height: 80%; border: round $primary; }
    """

    def __init__(self, themes: Sequence[Theme], before: Theme) -> None:
        super().__init__()
        self._themes, self._before = themes, before

    def compose(self) -> ComposeResult:
        yield OptionList(*(theme.name for theme in self._themes), markup=False)

    def on_mount(self) -> None:
        names = [theme.name for theme in self._themes]
        options = self.query_one(OptionList)
        options.highlighted = names.index(self._before.name) if self._before.name in names else 0

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        self.app.use_theme(self._themes[event.option_index])

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss()

    def action_give_up(self) -> None:
        self.app.use_theme(self._before)
        self.dismiss()
