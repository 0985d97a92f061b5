"""The app's colours: our themes, as the styles of regions and as the theme of Textual's own widgets."""

from __future__ import annotations

from textual.theme import Theme as TextualTheme

from bpftop.tui.role_styles import RoleStyles
from bpftop.tui.seams import SeamedApp
from bpftop.tui.terminal.writer import TerminalWriter
from bpftop.tui.themes import Theme


class ThemedApp(SeamedApp):
    """An app in the colours of one theme at a time. With a writer without colours, all themes become one without."""

    # If a theme has the terminal's own ground, Textual draws its widgets in the terminal's own colours, whatever the
    # theme says: white on white in a light theme on a dark terminal.
    CSS = """
    Screen, Input, OptionList, Static, Label { color: $foreground; }
    Input > .input--placeholder, Input > .input--suggestion { color: $secondary; text-style: none; }
    CommandPalette > Vertical, CommandPalette #--input, CommandPalette Input, CommandPalette OptionList {
        background: $surface; color: $foreground;
    }
    CommandPalette SearchIcon { display: none; }
    CommandPalette > .command-palette--help-text { color: $secondary; text-style: none; }
    Toast { margin-top: 0; padding: 0 1; }
    .-two-lines-below ToastRack { margin-bottom: 2; }
    LogScreen, LogScreen Static { background: $background; color: $foreground; }
    """

    def __init__(self, theme: Theme, writer: TerminalWriter) -> None:
        super().__init__(writer)
        self.colours = self._chosen = theme
        self.role_styles = RoleStyles(theme)
        self.use_theme(theme)

    def refresh_css(self, animate: bool = True) -> None:
        """Take over the colours of a new theme. Before the first screen there is nothing yet that has any.

        Textual would parse its own style sheet twice then, 3 ms of a start.
        """
        if self.screen_stack:
            super().refresh_css(animate)
        else:
            self.stylesheet.set_variables(self.get_css_variables())

    def use_theme(self, theme: Theme) -> None:
        """Draw everything in the colours of the theme."""
        self._chosen = theme
        self.colours = theme if self.writer.traits.colours else theme.without_colour()
        self.role_styles = RoleStyles(self.colours)
        self.register_theme(_for_textual(self.colours))
        self.theme = f"bpftop-{self.colours.name}"
        if self.is_running:
            self.refresh_css(animate=False)
            self.screen.refresh(layout=True)

    def line_changed(self) -> None:
        """Draw everything again, with the traits of now."""
        self.use_theme(self._chosen)


def _for_textual(theme: Theme) -> TextualTheme:
    """Return the theme for Textual's own widgets: input, palette, toasts, dialogues."""
    colours = {role: colour if colour.startswith("#") else f"ansi_{colour}" for role, colour in theme.colours.items()}
    text, ground, cursor = colours["text"], colours["background"], colours["cursor"]
    selected = {"background": cursor, "foreground": text, "text-style": "none" if cursor != ground else "reverse"}
    variables = {f"block-cursor-{name}": value for name, value in selected.items()}
    variables |= {"ansi-background": ground, "ansi-foreground": text}
    return TextualTheme(
        f"bpftop-{theme.name}",
        primary=colours["key"],
        secondary=colours["title"],
        warning=colours["notice"],
        error=colours["alarm"],
        success=colours["good"],
        accent=colours["factor"],
        foreground=text,
        background=ground,
        surface=ground,
        panel=ground if cursor == ground else cursor,
        boost=ground,
        dark=theme.is_dark,
        variables={
            **variables,
            "block-cursor-blurred-background": cursor,
            "block-cursor-blurred-foreground": text,
            "block-cursor-blurred-text-style": selected["text-style"],
            "input-cursor-text-style": "reverse",
            "scrollbar": colours["muted"],
            "scrollbar-hover": colours["key"],
            "scrollbar-active": colours["key"],
            "scrollbar-background": ground,
            "scrollbar-background-hover": ground,
            "scrollbar-background-active": ground,
            "scrollbar-corner-color": ground,
        },
        ansi=not theme.colours["background"].startswith("#"),
    )
