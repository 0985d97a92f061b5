"""From roles to styles: a theme's colours, with the attributes that carry the same meaning where there is no colour."""

from __future__ import annotations

from rich.color import Color
from rich.style import Style

from bpftop.tui.themes import BOLD, Theme


class Palette:
    """Role -> style. A role that ends in ``!`` is on the selected row."""

    def __init__(self, theme: Theme) -> None:
        self._styles: dict[str, Style] = {}
        self._colours = theme.colours

    def style(self, role: str) -> Style:
        found = self._styles.get(role)
        if found is None:
            found = self._styles[role] = self._make(role.removesuffix("!"), role.endswith("!"))
        return found

    def _make(self, role: str, chosen: bool) -> Style:
        colour, cursor = self._colours[role], self._colours["cursor"]
        return Style(
            color=Color.parse(colour),
            bgcolor=Color.parse(cursor if chosen else self._colours["background"]),
            bold=True if role in BOLD else None,
            dim=True if role == "muted" and colour == "default" and not chosen else None,
            reverse=True if (chosen and cursor == "default") or role == "alarm" else None,
        )
