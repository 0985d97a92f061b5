"""The command palette: panes, interfaces, CPUs, themes and actions, all found by their names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

from textual.command import DiscoveryHit, Hit, Hits, Provider

from bpftop.model.snapshot import TOTAL
from bpftop.tui.messages import ActionRequested, GoTo, InterfaceRequested
from bpftop.tui.moment import Place, listed
from bpftop.tui.moment_app import MomentApp
from bpftop.tui.widgets.line import clean


class PaletteEntry(NamedTuple):
    """A line of the palette."""

    title: str
    help: str
    run: Callable[[], Any]


class Everything(Provider):
    """Everything that the screen can do now."""

    async def discover(self) -> Hits:
        """Yield the panes and actions, before anything is typed."""
        for entry in self._actions():
            yield DiscoveryHit(entry.title, entry.run, help=entry.help)

    async def search(self, query: str) -> Hits:
        """Yield what matches."""
        matcher = self.matcher(query)
        for entry in (*self._actions(), *self._interfaces(), *self._cpus(), *self._themes()):
            score = matcher.match(entry.title)
            if score > 0:
                yield Hit(score, matcher.highlight(entry.title), entry.run, help=entry.help)

    @property
    def _bpftop(self) -> MomentApp:
        assert isinstance(self.app, MomentApp)
        return self.app

    def _actions(self) -> Iterator[PaletteEntry]:
        app = self._bpftop
        for action in app.configured_actions:
            if action.id != "palette":
                yield PaletteEntry(
                    f"{action.title}  ({action.first_key})",
                    action.help,
                    partial(app.post_message, ActionRequested(action.id)),
                )

    def _interfaces(self) -> Iterator[PaletteEntry]:
        app = self._bpftop
        if app.snapshot is None or len(app.snapshot.interfaces) < 2:
            return
        yield PaletteEntry(
            "Interface: total", "All interfaces together.", partial(app.post_message, InterfaceRequested(TOTAL))
        )
        for interface in listed(app.snapshot.interfaces):
            yield PaletteEntry(
                f"Interface: {clean(interface.label)}",
                "Everything is about this interface.",
                partial(app.post_message, InterfaceRequested(interface.label)),
            )

    def _cpus(self) -> Iterator[PaletteEntry]:
        app = self._bpftop
        for cpu in app.snapshot.online_cpus if app.snapshot else ():
            place = Place("cpus", f"CPU {cpu}", row=str(cpu))
            run = partial(app.post_message, GoTo(place))
            yield PaletteEntry(f"CPU {cpu}", "Its protocols and interrupts over time.", run)

    def _themes(self) -> Iterator[PaletteEntry]:
        app = self._bpftop
        for theme in app.actions.themes().themes:
            run = partial(app.use_theme, theme)
            yield PaletteEntry(f"Theme: {theme.name}", "Show everything in these colours.", run)
