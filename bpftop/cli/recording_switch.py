"""Recording from the live screen, and the sentence about an ended recording."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from bpftop.cli.saved_files import current_directory_errors, host_part
from bpftop.model.timestamps import file_stamp

if TYPE_CHECKING:
    from bpftop.store.recorder import RecordingProgress
    from bpftop.tui.sampling_thread import SamplingThread


class RecordingSwitch:
    """Starts and ends a recording of the samples of a thread, in the current directory."""

    def __init__(self, sampling_thread: SamplingThread) -> None:
        self._sampling_thread = sampling_thread

    def toggle(self) -> str:
        """Start or end the recording. Return the end of a sentence after ``recording``. Raises BpftopError."""
        recorder, self._sampling_thread.recorder = self._sampling_thread.recorder, None
        if recorder is not None:
            return ended(recorder.close())
        from bpftop.store.recorder import Recorder, free_space

        snapshot = self._sampling_thread.latest
        path = f"bpftop-{host_part(snapshot.host if snapshot else '')}-{file_stamp(time.time_ns())}.bpftop"
        with current_directory_errors():
            self._sampling_thread.recorder = Recorder(path)
        space = free_space(path)
        return f"to {os.path.abspath(path)}{f', {space}' if space else ''}; the same key ends it"


def ended(progress: RecordingProgress) -> str:
    """Return ``ended: 120 ticks in FILE, 3 lost``, with the trouble of the disk if there was any."""
    lost = f"{progress.lost} lost" if progress.lost else "none was lost"
    trouble = f" ({progress.trouble})" if progress.trouble else ""
    return f"ended: {progress.ticks} ticks in {progress.path}, {lost}{trouble}"
