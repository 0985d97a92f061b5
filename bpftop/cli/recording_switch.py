"""Recording from the live screen, and the words about a recording that has ended."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from bpftop.errors import BpftopError
from bpftop.model.timestamps import file_stamp

if TYPE_CHECKING:
    from bpftop.store.recorder import RecordingProgress
    from bpftop.tui.sampling_thread import SamplingThread


class RecordingSwitch:
    """Begins and ends the recording of what a feed takes. The file is made in the current directory."""

    def __init__(self, feed: SamplingThread) -> None:
        self._feed = feed

    def turn(self) -> str:
        """What was done, as the rest of a sentence that begins with ``recording``. Raises BpftopError."""
        recorder, self._feed.recorder = self._feed.recorder, None
        if recorder is not None:
            return ended(recorder.close())
        from bpftop.store.recorder import Recorder

        latest = self._feed.latest
        host = re.sub(r"[^A-Za-z0-9.-]", "_", latest.host if latest else "")
        path = f"bpftop-{host}-{file_stamp(time.time_ns())}.bpftop"
        try:
            self._feed.recorder = Recorder(path)
        except BpftopError as error:  # there is no -o here
            said = str(error).rpartition("; ")[0] or str(error)
            raise BpftopError(f"{said}; start bpftop in a directory that you may write to") from error
        return f"to {path}; the same key ends it"


def ended(progress: RecordingProgress) -> str:
    """``ended: 120 ticks in FILE, 3 were lost``, and why where the last ones were."""
    lost = f"{progress.lost} were lost" if progress.lost else "none was lost"
    why = f" ({progress.trouble})" if progress.trouble else ""
    return f"ended: {progress.ticks} ticks in {progress.path}, {lost}{why}"
