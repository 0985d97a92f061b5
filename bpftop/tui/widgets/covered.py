"""Containers that the regions in them cover."""

from __future__ import annotations

from textual.containers import Container, Horizontal, Vertical
from textual.geometry import Region as Cells
from textual.strip import Strip
from textual.widget import Widget

from bpftop.tui.themed_app import ThemedApp


def blank_lines(self: Widget, crop: Cells) -> list[Strip]:
    """Return the lines of a container: the same blank line each, without borders and filters.

    Textual would render every line of each container, 236 of a screen of 50 lines, before the regions cover nearly all
    of their cells: a quarter of the time that the first frame takes. The cells between regions have the ground of the
    regions; Textual's style for a container has the terminal's.
    """
    style = self.app.role_styles["text"] if isinstance(self.app, ThemedApp) else self.rich_style
    return [Strip.blank(crop.width, style)] * crop.height


class CoveredContainer(Container):
    """A container in which one of several widgets is displayed."""

    render_lines = blank_lines


class CoveredVertical(Vertical):
    """A container of widgets below each other."""

    render_lines = blank_lines


class CoveredHorizontal(Horizontal):
    """A container of widgets beside each other."""

    render_lines = blank_lines
