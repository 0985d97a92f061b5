"""The first frame of the live screen: where there are rates by then, it has them in their final places."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from textual._styles_cache import StylesCache
from textual.css.parse import parse
from textual.css.stylesheet import Stylesheet

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


def test_each_widget_is_styled_once_before_the_first_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    styled: Counter[Any] = Counter()
    apply = Stylesheet.apply

    def counted(sheet: Stylesheet, node: Any, **more: Any) -> None:
        styled[node] += 1
        apply(sheet, node, **more)

    class FirstPaintApp(BpftopApp):
        def _display(self, screen: Any, renderable: Any) -> None:
            super()._display(screen, renderable)
            monkeypatch.setattr(Stylesheet, "apply", apply)

    async def scenario(stage: Stage) -> None:
        frame, pane = stage.app.frame, stage.app.frame.pane
        assert pane is not None
        regions = [*frame.children, *pane.walk_children()]
        assert {each: styled[each] for each in regions} == dict.fromkeys(regions, 1)

    monkeypatch.setattr(Stylesheet, "apply", counted)
    perform(scenario, ticks=0, before=2, app_class=FirstPaintApp)


def test_textual_renders_no_container_that_regions_cover(monkeypatch: pytest.MonkeyPatch) -> None:
    rendered: list[str] = []
    render = StylesCache.render_widget

    def noted(cache: StylesCache, widget: Any, crop: Any) -> Any:
        rendered.append(type(widget).__name__)
        return render(cache, widget, crop)

    async def scenario(stage: Stage) -> None:
        frame = stage.app.frame
        assert [strip.cell_length for strip in frame.render_lines(frame.region)] == [160] * 50
        assert rendered == []

    monkeypatch.setattr(StylesCache, "render_widget", noted)
    perform(scenario, size=(160, 50), ticks=0, before=2)


def test_a_start_parses_each_style_sheet_once(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: Counter[tuple[str, int]] = Counter()

    def counted(scope: str, css: str, read_from: tuple[str, str], *, tie_breaker: int, **more: Any) -> Any:
        parsed[read_from[1], tie_breaker] += 1
        return parse(scope, css, read_from, tie_breaker=tie_breaker, **more)

    async def scenario(stage: Stage) -> None:
        assert {each: count for each, count in parsed.items() if count > 1} == {}
        assert any(name.endswith("FrameScreen.DEFAULT_CSS") for name, _ in parsed)

    monkeypatch.setattr("textual.css.stylesheet.parse", counted)
    perform(scenario, ticks=0, before=2)


def test_what_waits_for_the_first_paint_runs_after_it() -> None:
    events: list[str] = []

    class PaintedApp(BpftopApp):
        def __init__(self, *arguments: Any, **more: Any) -> None:
            super().__init__(*arguments, **more)
            self.after_first_paint(lambda: events.append("start is over"))

        def _display(self, screen: Any, renderable: Any) -> None:
            super()._display(screen, renderable)
            if "TCP" in self.screen_text():
                events.append("rates")

    async def scenario(stage: Stage) -> None:
        await until(stage, lambda: "start is over" in events)
        await stage.tick()

    perform(scenario, ticks=0, before=2, app_class=PaintedApp)
    assert events[0] == "rates"
    assert events.count("start is over") == 1
