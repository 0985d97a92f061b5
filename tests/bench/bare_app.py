"""The least that Textual can be: one screen of 80 characters. What it takes is not bpftop's doing."""

from textual.app import App, ComposeResult
from textual.widgets import Static


class Bare(App[None]):
    def compose(self) -> ComposeResult:
        yield Static("x" * 80)


if __name__ == "__main__":
    Bare().run()
