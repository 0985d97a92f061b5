"""The part of the app that has to do with the configuration: its problems, the settings form, themes that change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bpftop.errors import BpftopError
from bpftop.tui.messages import Said
from bpftop.tui.moment_app import MomentApp
from bpftop.tui.themes import Theme

THEME_EVERY_S = 1.0
"""Time between two looks at the file of the theme."""
SAID_PROBLEMS = 3
"""Problems that are toasts of their own; the log of messages has all of them."""


class ConfiguredApp(MomentApp):
    """An app whose configuration can be wrong, and can be changed on the screen."""

    def say_problems(self, problems: Sequence[str]) -> None:
        """Show what cannot be used of the configuration, each problem with its file, line and field."""
        for problem in problems[:SAID_PROBLEMS]:
            self.say(problem, is_error=True)
        self.said += [(0, problem, True) for problem in problems[SAID_PROBLEMS:]]
        if len(problems) > SAID_PROBLEMS:
            self.say(f"{len(problems) - SAID_PROBLEMS} more problems of the configuration: {self.key_of('log')}.")

    def reload_theme(self) -> None:
        """Show the theme anew if the person has changed its file."""
        try:
            theme = self.actions.changed_theme(self.colours.name)
        except BpftopError as error:
            self.say(str(error), is_error=True)
            return
        if theme is not None:
            self.use_theme(theme)

    def found_themes(self) -> Sequence[Theme]:
        """Return the themes that can be chosen; say which files are none, and why."""
        found = self.actions.themes()
        for problem in found.problems:
            self.say(problem, is_error=True)
        return found.themes

    def edit_settings(self, pane: str) -> None:
        """Let the person change settings, and write them."""
        from bpftop.render.column_tables import COLUMN_TABLES
        from bpftop.tui.panes import PANES
        from bpftop.tui.screens.settings import SettingsScreen

        columns = COLUMN_TABLES.get(pane, ())[1:]
        chosen = self.choices.columns.get(pane, [column.id for column in columns])
        form = SettingsScreen(
            self.found_themes(),
            self.colours,
            self.interval_s,
            (pane, PANES[pane].title),
            columns,
            chosen,
            live=self.sampling_thread.live,
        )

        def answered(changes: Mapping[str, Any] | None) -> None:
            if changes:
                self._keep(dict(changes))

        self.push_screen(form, answered)

    def _keep(self, changes: dict[str, Any]) -> None:
        if "interval" in changes:
            self.interval_s = changes["interval"]
            self.actions.change_interval(self.interval_s)
        if "columns" in changes:
            columns = {**self.choices.columns, **changes["columns"]}
            self.choose(columns=columns)
            changes["columns"] = {pane: list(ids) for pane, ids in columns.items()}

        def write() -> None:
            try:
                path = self.actions.save_settings(changes)
            except BpftopError as error:
                self.post_message(Said(str(error), is_error=True))
            else:
                self.post_message(Said(f"{', '.join(changes)} written to {path}"))

        self.run_worker(write, thread=True, exit_on_error=False)
