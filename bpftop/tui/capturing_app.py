"""The part of the app that asks for dropped packets, and that does what may block in threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bpftop.errors import BpftopError
from bpftop.model.captured_packet import DroppedPackets
from bpftop.tui.configured_app import ConfiguredApp
from bpftop.tui.messages import CaptureToggled, DropsWanted, Said


class CapturingApp(ConfiguredApp):
    """An app whose panes can have dropped packets copied; see BpftopApp for the arguments."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._dropped: DroppedPackets | None = None

    def dropped_packets(self) -> DroppedPackets | None:
        """Return the latest dropped packets; while the screen is paused, the packets from before the pause."""
        captures = self.actions.captures
        if captures is not None and self.choices.paused is None:
            self._dropped = captures.latest()
        return self._dropped

    def capture_progress(self) -> str:
        """Return the size of the file of packets that is being written; empty: there is none."""
        return "" if self.actions.captures is None else self.actions.captures.progress()

    def end_captures(self) -> None:
        """End the copies and the file of packets."""
        if self.actions.captures is not None:
            self.actions.captures.close()

    def on_drops_wanted(self, event: DropsWanted) -> None:
        if self.actions.captures is not None:
            try:
                self.actions.captures.watch(event.wanted, event.names)
            except BpftopError as error:
                self.say(str(error), is_error=True)

    def on_capture_toggled(self, event: CaptureToggled) -> None:
        captures = self.actions.captures
        if captures is None:
            self.say("Cannot capture here: these samples come from a recording or from another program.")
        elif not captures.end_file():
            begun = self._announce_capture
            self.run_in_thread("captured", lambda: captures.to_file(event.wanted, event.names, event.title, begun))

    def _announce_capture(self, sentence: str) -> None:
        """Say where a capture goes. Called in the thread that writes the file."""
        self.post_message(Said(f"capturing to {sentence}"))

    def run_in_thread(self, verb: str, task: Callable[[], str | None]) -> None:
        """Run a task that may block; its result, or the reason of its failure, becomes a message."""

        def run() -> None:
            try:
                result = task()
            except BpftopError as error:
                self.post_message(Said(str(error), is_error=True))
            else:
                self.post_message(Said(f"{verb} {result}" if result else verb))

        self.run_worker(run, thread=True, exit_on_error=False)
