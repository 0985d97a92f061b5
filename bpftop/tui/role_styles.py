"""Styles of the roles: the theme's colours, with attributes that carry the same meaning without colours."""

from __future__ import annotations

from rich.color import Color
from rich.style import Style

from bpftop.tui.themes import BOLD, Theme


class RoleStyles(dict[str, Style]):
    """Role -> style. A role that ends in ``!`` is on the selected row, a role that ends in ``~`` is reversed."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._colours = theme.colours

    def __missing__(self, role: str) -> Style:
        """Make the style of a role at its first use."""
        style = self[role] = self._make(role.rstrip("!~"), role.endswith("!"), role.endswith("~"))
        return style

    def _make(self, role: str, selected: bool, reversed_: bool) -> Style:
        colour, cursor = self._colours[role], self._colours["cursor"]
        return Style(
            color=Color.parse(colour),
            bgcolor=Color.parse(cursor if selected else self._colours["background"]),
            bold=True if role in BOLD else None,
            dim=True if role == "muted" and colour == "default" and not selected else None,
            reverse=True if reversed_ or (selected and cursor == "default") or role == "alarm" else None,
        )
