"""The first frame of the live screen: where there are rates by then, it has them in their final places."""

from __future__ import annotations

from typing import Any

import pytest

from bpftop.tui.app import BpftopApp
from tests.bench.programs import RATES
from tests.tui.conftest import Stage, perform, until


class FramesApp(BpftopApp):
    """Keeps the text of the screen after each update."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        self.frames: list[str] = []
        super().__init__(*arguments, **more)

    def _display(self, screen: Any, renderable: Any) -> None:
        super()._display(screen, renderable)
        if text := self.screen_text().strip():
            self.frames.append(text)


def frames(samples: int, size: tuple[int, int]) -> list[str]:
    """Return the frames of a start for which there are so many samples, until the screen comes to rest."""
    shown: list[str] = []

    async def scenario(stage: Stage) -> None:
        app = stage.app
        assert isinstance(app, FramesApp)
        await until(stage, lambda: bool(app.frames))
        shown.extend(app.frames)

    perform(scenario, size=size, ticks=0, before=samples, app_class=FramesApp)
    return shown


@pytest.mark.parametrize("size", [(160, 50), (80, 24), (60, 12)])
def test_the_first_frame_has_the_rates_and_the_final_layout(size: tuple[int, int]) -> None:
    shown = frames(2, size)
    assert "TCP" in shown[0]
    assert RATES.search(shown[0])
    assert set(shown) == {shown[0]}


def test_without_a_sample_the_first_frame_says_so() -> None:
    assert frames(0, (80, 24))[0] == "waiting for the first sample"
