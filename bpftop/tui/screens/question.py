"""A question with yes and no, above the screen."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Static


class YesNoQuestion(ModalScreen[bool]):
    """Shows a text and a question below it. Returns True for yes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y,Y", "answer(True)", show=False),
        Binding("escape,n,N,q,x", "answer(False)", show=False),
    ]
    CSS = """
    YesNoQuestion { align: center middle; }
    YesNoQuestion Vertical { width: 80%; max-width: 100; height: auto; border: round $primary; padding: 0 1; }
    YesNoQuestion Static { height: auto; }
    YesNoQuestion Horizontal { height: auto; align-horizontal: right; }
    """

    def __init__(self, text: str, question: str) -> None:
        super().__init__()
        self._text, self._question = text, question

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(f"{self._text}\n\n{self._question}", markup=False)
            with Horizontal():
                yield Button("y: yes", id="yes", compact=True)
                yield Button("n: no", id="no", compact=True)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "yes")

    def action_answer(self, yes: bool) -> None:
        self.dismiss(yes)
