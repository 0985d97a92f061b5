"""The command palette: panes, actions, interfaces, CPUs, moments and themes, all found by their names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

from textual.command import DiscoveryHit, Hit, Hits, Provider

from bpftop.errors import UsageError
from bpftop.model.snapshot import TOTAL
from bpftop.model.timestamps import clock_time
from bpftop.tui.messages import ActionRequested, GoTo, InterfaceRequested, MomentRequested, WallTimeRequested
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
        typed = self._typed_moment(query)
        if typed is not None:
            yield Hit(1.0, typed.title, typed.run, help=typed.help)
        for entry in (*self._actions(), *self._interfaces(), *self._cpus(), *self._moments(), *self._themes()):
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

    def _moments(self) -> Iterator[PaletteEntry]:
        """Yield begin, end and findings of a recording; of a live screen the findings of the last ten minutes."""
        app = self._bpftop
        times = app.recorded_times()
        if times is None:
            yield from self._live_moments()
            return
        for wall_ns, what in (
            (times.begin_ns, "the recording begins"),
            (times.end_ns, "the recording ends"),
            *((wall_ns, clean(title)) for wall_ns, _, title in times.findings),
        ):
            go = partial(app.post_message, WallTimeRequested(wall_ns))
            yield PaletteEntry(f"Moment {clock_time(wall_ns)}: {what}", "Go to this moment of the recording.", go)

    def _live_moments(self) -> Iterator[PaletteEntry]:
        app, moment = self._bpftop, self._bpftop.moment()
        if moment is None:
            return
        with moment.lock:
            for episode in moment.history.episodes:
                at = clock_time(moment.snapshot.wall_time_ns(episode.raised_ns))
                title = f"Moment {at}: {clean(episode.finding.title)}"
                go = partial(app.post_message, MomentRequested(episode.raised_ns))
                yield PaletteEntry(title, "Pause at the moment when this finding was raised.", go)

    def _typed_moment(self, query: str) -> PaletteEntry | None:
        """Return the moment of a recording that is typed as for `@`, such as ``03:12``; None if it is none."""
        app = self._bpftop
        times = app.recorded_times()
        if times is None or app.snapshot is None:
            return None
        from bpftop.store.time_expressions import moment

        try:
            wall_ns = moment(query, times.begin_ns, times.end_ns, app.snapshot.wall_ns)
        except UsageError:
            return None
        go = partial(app.post_message, WallTimeRequested(wall_ns))
        return PaletteEntry(f"Moment {clock_time(wall_ns)}", "Go to this moment of the recording.", go)

    def _themes(self) -> Iterator[PaletteEntry]:
        app = self._bpftop
        for theme in app.actions.themes().themes:
            run = partial(app.use_theme, theme)
            yield PaletteEntry(f"Theme: {theme.name}", "Show everything in these colours.", run)
