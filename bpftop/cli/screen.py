"""The live screen on a source: started, shown, and closed again, whatever ends it."""

from __future__ import annotations

import argparse
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import bpftop
from bpftop.cli import shutdown
from bpftop.cli.options import settings_of
from bpftop.cli.output import complain
from bpftop.cli.recording_switch import RecordingSwitch
from bpftop.config.folders import config_folder
from bpftop.config.settings import Settings
from bpftop.errors import BpftopError, UsageError
from bpftop.model.snapshot import Snapshot
from bpftop.model.source import SampleSource
from bpftop.model.timestamps import file_stamp, rfc3339

if TYPE_CHECKING:
    from bpftop.store.replay import Replay
    from bpftop.tui.app import BpftopApp
    from bpftop.tui.sampling_thread import SamplingThread
    from bpftop.tui.themes import Theme

DEFAULT_THEME = "dark"
FIRST_SAMPLE_TIMEOUT_S = 3.0
"""How long the terminal is left alone while the source has neither a sample nor an error; then the screen waits."""


def require_terminal(instead: str) -> None:
    """Raises BpftopError unless keys can be read and the screen be drawn; ``instead`` says what to do then."""
    for stream, what in ((sys.stdin, "input"), (sys.stdout, "output"), (sys.stderr, "error")):
        if stream is None or not stream.isatty():
            raise BpftopError(f"the live screen needs a terminal, and standard {what} is none; {instead}")
    term = os.environ.get("TERM", "")
    if term in ("", "dumb", "unknown"):
        raise BpftopError(f"the live screen needs a terminal that moves its cursor, and TERM is {term!r}; {instead}")


def screen_settings(arguments: argparse.Namespace) -> Settings:
    """The configuration, checked against what the screen can do."""
    from bpftop.tui.actions import ACTION_IDS

    return settings_of(arguments, actions=ACTION_IDS)


def theme_of(arguments: argparse.Namespace, settings: Settings) -> Theme:
    """The theme that was asked for; a configured one that is not there or not right is said, and the default holds."""
    from bpftop.tui.themes import find_theme

    beside = config_folder() if arguments.config is None else Path(arguments.config).parent
    own, shipped = beside / "themes", Path(bpftop.__file__).parent / "themes"
    if arguments.theme is not None:
        return find_theme(arguments.theme, (own, shipped))
    try:
        return find_theme(settings.theme or DEFAULT_THEME, (own, shipped))
    except UsageError as error:
        complain(f"{error}; {DEFAULT_THEME} is used")
        return find_theme(DEFAULT_THEME, (shipped,))


def show(
    source: SampleSource,
    settings: Settings,
    theme: Theme,
    *,
    live: bool = True,
    replay: Replay | None = None,
    remarks: Callable[[], Iterable[str]] = tuple,
) -> int:
    """Show the source's samples until the person quits or a signal ends it; the exit code.

    ``live``, ``replay`` and ``remarks`` are those of bpftop.tui.sampling_thread.SamplingThread.

    The source begins in its own thread before Textual is imported: attaching and importing take about as long, and an
    error of the source comes before the terminal is touched. Raises the source's BpftopError.
    """
    from bpftop.tui.sampling_thread import SamplingThread

    for name in ("COLUMNS", "LINES"):  # Textual believes them before the terminal, and then follows no resize
        os.environ.pop(name, None)
    feed = SamplingThread(source, live=live, rules=settings.rules(), replay=replay, remarks=remarks)
    recording = RecordingSwitch(feed)
    begun = threading.Event()
    feed.listen(lambda _: begun.set())  # the first sample, or the end: an error
    feed.start()
    try:
        app = _app(feed, settings, theme, recording)
        import asyncio  # not before the app: bpftop.tui.import_without_ssl imports it without TLS, which saves 4 MiB

        with shutdown.interruptible():
            begun.wait(FIRST_SAMPLE_TIMEOUT_S)
        if feed.error is None:
            asyncio.run(_run(app))
    finally:
        shutdown.ignore()
        feed.stop()
        if feed.recorder is not None:
            complain(f"recording {recording.turn()}")
    if feed.error is not None:
        raise feed.error
    return 0


def _app(feed: SamplingThread, settings: Settings, theme: Theme, recording: RecordingSwitch) -> BpftopApp:
    from bpftop.tui.actions import Actions
    from bpftop.tui.app import BpftopApp

    source = feed.source
    actions = Actions(
        save_snapshot=save_snapshot,
        save_picture=save_picture,
        accept_offer=source.accept_offer,
        watch_flows=source.watch_flows,
        record=recording.turn if feed.live else None,
    )
    return BpftopApp(feed, theme=theme, interval_s=settings.interval_s, actions=actions, keys=settings.keys)


async def _run(app: BpftopApp) -> None:
    """The app with the ending signals as one more way to quit, so that it gives the terminal back as it was.

    Raises what the app failed with. Textual 8 has no public way to this: it would print a traceback and return.
    """
    import asyncio

    loop = asyncio.get_running_loop()
    for number in shutdown.wanted():
        loop.add_signal_handler(number, app.exit)
    with shutdown.interruptible():  # one that came before the loop had its handlers
        pass
    app._fatal_error = app._close_messages_no_wait  # type: ignore[method-assign]
    await app.run_async(mouse=False)  # the mouse is the terminal's, to select text with
    if app._exception is not None:
        raise app._exception


def save_snapshot(snapshot: Snapshot) -> str:
    """Write the document into the current directory; returns its path. Raises BpftopError."""
    from bpftop.export.snapshot.document import json_text

    when = re.sub(r"[-:.]", "", rfc3339(snapshot.wall_ns))
    return _save(f"bpftop-{re.sub(r'[^A-Za-z0-9.-]', '_', snapshot.host)}-{when}.json", json_text(snapshot))


def save_picture(svg: str) -> str:
    """The same for a picture of the screen."""
    return _save(f"bpftop-{file_stamp(time.time_ns())}.svg", svg)


def _save(path: str, text: str) -> str:
    from bpftop.cli.output import opened

    try:
        with opened(path) as output:
            output.write(text)
    except BpftopError as error:  # there is no -o here
        said = str(error).partition("; ")[0]
        raise BpftopError(f"{said}; start bpftop in a directory that you may write to") from error
    return os.path.abspath(path)  # the person may have forgotten where they started it
