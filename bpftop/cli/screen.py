"""The live screen on a source of samples."""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from bpftop.cli import shutdown
from bpftop.cli.garbage_collection import garbage_kept
from bpftop.cli.output import complain
from bpftop.cli.recording_switch import RecordingSwitch
from bpftop.cli.saved_files import current_directory_errors, host_part
from bpftop.cli.screen_captures import ScreenCaptures
from bpftop.cli.terminal import terminal_restorer
from bpftop.errors import BpftopError
from bpftop.model.snapshot import Snapshot
from bpftop.model.source import SampleSource
from bpftop.model.timestamps import file_stamp, rfc3339

if TYPE_CHECKING:
    from bpftop.cli.screen_setup import ScreenSetup
    from bpftop.fleet.host_state import HostState
    from bpftop.store.replay import Replay
    from bpftop.tui.app import BpftopApp
    from bpftop.tui.sampling_thread import SamplingThread
    from bpftop.tui.seams import SeamedApp

FIRST_SAMPLE_TIMEOUT_S = 3.0
"""Time to wait for the first sample or an error before the screen opens."""


def require_terminal(instead: str) -> None:
    """Raise BpftopError where no terminal can show the screen; ``instead`` is the remedy."""
    for stream, name in ((sys.stdin, "input"), (sys.stdout, "output"), (sys.stderr, "error")):
        if stream is None or not stream.isatty():
            raise BpftopError(f"the live screen needs a terminal, and standard {name} is none; {instead}")
    term = os.environ.get("TERM", "")
    if term in ("", "dumb", "unknown"):
        raise BpftopError(f"the live screen needs a terminal that moves its cursor, and TERM is {term!r}; {instead}")


def show(
    source: SampleSource,
    setup: ScreenSetup,
    *,
    live: bool = True,
    replay: Replay | None = None,
    remarks: Callable[[], Iterable[str]] = tuple,
    netns: str | None = None,
) -> int:
    """Show the samples until the person quits or a signal comes. Return the exit code.

    The source starts in its own thread before Textual is imported: attaching and importing take about the same time,
    and an error of the source (BpftopError) is raised before the terminal is touched. ``live``, ``replay`` and
    ``remarks``: see bpftop.tui.sampling_thread.SamplingThread. ``netns``: path of the namespace of a live source.
    """
    with garbage_kept():
        from bpftop.tui.sampling_thread import SamplingThread

        rules = setup.settings.rules()
    for name in ("COLUMNS", "LINES"):  # Textual would prefer them to the real size and ignore a resize
        os.environ.pop(name, None)
    sampling_thread = SamplingThread(
        source,
        live=live,
        rules=rules,
        replay=replay,
        remarks=remarks,
        flows_on_finding=setup.settings.flows_on_finding == "auto",
    )
    recording = RecordingSwitch(sampling_thread)
    captures = ScreenCaptures(netns) if sampling_thread.live else None
    started = threading.Event()
    sampling_thread.listen(lambda _: started.set())  # the first sample, or the end: an error
    with (
        shutdown.before_forced_exit(terminal_restorer()),
        shutdown.before_forced_exit(partial(sampling_thread.stop, 0.5)),
    ):
        sampling_thread.start()
        try:
            with garbage_kept():
                app = _app(sampling_thread, setup, recording, captures)
            with shutdown.interruptible():
                started.wait(FIRST_SAMPLE_TIMEOUT_S)
            if sampling_thread.error is None:
                _run(app, setup.settings.mouse)
        finally:
            sampling_thread.stop()
            if sampling_thread.recorder is not None:
                complain(f"recording {recording.toggle()}")
            if captures is not None and captures.unsaid:
                complain(f"captured {captures.unsaid}")
    if sampling_thread.error is not None:
        raise sampling_thread.error
    return 0


def _app(
    sampling_thread: SamplingThread, setup: ScreenSetup, recording: RecordingSwitch, captures: ScreenCaptures | None
) -> BpftopApp:
    from bpftop.tui.actions import Actions
    from bpftop.tui.app import BpftopApp
    from bpftop.tui.themes import ThemeWatch

    source, settings = sampling_thread.source, setup.settings
    actions = Actions(
        save_snapshot=save_snapshot,
        save_picture=save_picture,
        accept_offer=source.accept_offer,
        watch_flows=source.watch_flows,
        watch_top_flows=source.watch_top_flows,
        watch_bpf=source.watch_bpf,
        themes=setup.themes,
        changed_theme=ThemeWatch(setup.theme_folders[0]).changed,
        save_settings=setup.save,
        change_interval=source.change_interval,
        captures=captures,
        record=recording.toggle if sampling_thread.live else None,
    )
    return BpftopApp(
        sampling_thread,
        theme=setup.theme,
        interval_s=settings.interval_s,
        actions=actions,
        keys=settings.keys,
        columns=settings.columns,
        traits=setup.traits,
        problems=setup.problems,
    )


def show_fleet(states: Callable[[], Sequence[HostState]], setup: ScreenSetup, cursor: str) -> str:
    """Show the hosts of a fleet. Return the host whose live screen the person asked for; empty: the person quit."""
    with garbage_kept():
        import bpftop.tui.import_without_ssl  # noqa: F401 it imports asyncio, without TLS
        from bpftop.tui.fleet_app import FleetApp
    interval_s = setup.settings.interval_s
    app = FleetApp(states, theme=setup.theme, traits=setup.traits, interval_s=interval_s, cursor=cursor)
    with shutdown.before_forced_exit(terminal_restorer()):
        _run(app, setup.settings.mouse)
    return app.chosen


def _run(app: SeamedApp, mouse: bool) -> None:
    """Run the app to its end. Raises its exception, and OSError where too few files may be open."""
    import asyncio  # after bpftop.tui.import_without_ssl, which imports asyncio without TLS and saves 4 MiB

    asyncio.new_event_loop().close()  # asyncio.run would complain about its coroutine where this fails
    with ExitStack() as start:
        # Textual's thread writes the first frame as soon as it is there, not when the main thread is idle 5 ms later
        start.enter_context(garbage_kept())
        app.after_first_paint(start.close)
        asyncio.run(_run_async(app, mouse))


async def _run_async(app: SeamedApp, mouse: bool) -> None:
    """Run the app; ending signals quit the app, so that the terminal is restored. Raises the exception of the app."""
    import asyncio

    loop = asyncio.get_running_loop()
    try:
        with shutdown.quitting(lambda: loop.call_soon_threadsafe(app.quit_once_built)):
            await app.run_async(mouse=mouse)
    finally:
        if app.failure is not None:  # also the cause of another error, such as the join of a thread that never began
            raise app.failure


def save_snapshot(snapshot: Snapshot) -> str:
    """Write the document into the current directory and return its path. Raises BpftopError."""
    from bpftop.export.snapshot.document import json_text

    when = re.sub(r"[-:.]", "", rfc3339(snapshot.wall_ns))
    return _save(f"bpftop-{host_part(snapshot.host)}-{when}.json", json_text(snapshot))


def save_picture(svg: str) -> str:
    """Write a picture of the screen into the current directory and return its path. Raises BpftopError."""
    return _save(f"bpftop-{file_stamp(time.time_ns())}.svg", svg)


def _save(path: str, text: str) -> str:
    from bpftop.cli.output import opened

    with current_directory_errors(), opened(path) as output:
        output.write(text)
    return os.path.abspath(path)  # the person may not remember the current directory
