"""Load the settings and the theme of a live screen, and remember the files that both come from."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import bpftop
from bpftop.cli.options import settings_of
from bpftop.config.folders import config_folder
from bpftop.config.settings import Settings
from bpftop.errors import UsageError
from bpftop.fields import replace

if TYPE_CHECKING:
    from bpftop.cli.settings_writer import SettingValue
    from bpftop.tui.terminal.traits import TerminalTraits
    from bpftop.tui.themes import FoundThemes, Theme

DEFAULT_THEME, FEW_COLOURS_THEME = "dark", "ansi16"


class ScreenSetup(NamedTuple):
    """``problems``: sentences about what cannot be used of the configuration, for the screen to show."""

    settings: Settings
    traits: TerminalTraits
    theme: Theme
    file: Path
    is_named: bool
    problems: tuple[str, ...]

    @property
    def theme_folders(self) -> tuple[Path, Path]:
        """Return the folders of the person's own themes, beside the configuration, and of the shipped themes."""
        return _theme_folders(self.file)

    def themes(self) -> FoundThemes:
        """Return all themes that can be chosen now."""
        from bpftop.tui.themes import all_themes

        return all_themes(self.theme_folders)

    def save(self, changes: Mapping[str, SettingValue | None]) -> str:
        """Write changed settings and return the path of the file. Raises BpftopError."""
        from bpftop.cli.settings_writer import change_settings

        change_settings(self.file, changes, named=self.is_named)
        return str(self.file)


def screen_setup(arguments: argparse.Namespace) -> ScreenSetup:
    """Return the setup by the command line and the configuration.

    Raises UsageError: the theme of ``--theme`` does not exist. A bad theme of the configuration is a problem.
    """
    from bpftop.tui.terminal.traits import terminal_traits

    names = ("mouse", "ascii", "low_bandwidth")
    settings = replace(settings_of(arguments), **{name: getattr(arguments, name) for name in names})
    traits = terminal_traits(os.environ, ascii_only=settings.ascii, low_bandwidth=settings.low_bandwidth)
    file = config_folder() / "config.yaml" if arguments.config is None else Path(arguments.config)
    theme, problems = _theme(arguments.theme, settings.theme, file, traits)
    problems = (*arguments.loaded.problems, *problems)
    return ScreenSetup(settings, traits, theme, file, arguments.config is not None, problems)


def _theme(
    named: str | None, configured: str | None, file: Path, traits: TerminalTraits
) -> tuple[Theme, tuple[str, ...]]:
    from bpftop.tui.themes import find_theme

    own, shipped = _theme_folders(file)
    if named is not None:
        return find_theme(named, (own, shipped)), ()
    default = FEW_COLOURS_THEME if 0 < traits.colours <= 16 else DEFAULT_THEME
    try:
        return find_theme(configured or default, (own, shipped)), ()
    except UsageError as error:
        return find_theme(default, (shipped,)), (f"{error}; {default} is used",)


def _theme_folders(file: Path) -> tuple[Path, Path]:
    return file.parent / "themes", Path(bpftop.__file__).parent / "themes"
