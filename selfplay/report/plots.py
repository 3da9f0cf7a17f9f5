"""Plots as SVG: bars, histograms and curves, each with its title and axes. Colours are the page's style."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from selfplay.batch.progress.figures import format_count, outcome_label
from selfplay.batch.progress.results import Outcomes
from selfplay.report.markup import Html, escape, join, tag, text_tag

WIDTH = 460.0
WIDE = 940.0
LABEL = 130.0
LABEL_CHARS = 19
ROW = 24.0
VALUE = 104.0
HEIGHT = 190.0
LEFT, RIGHT, TOP, BOTTOM = 64.0, 12.0, 10.0, 40.0
BINS = 24
"""Of a histogram, at most, and one at its edge."""
LABEL_WIDTH = 34.0
LARGE = 100_000
TICKS = 5
BAR = "bar"


@dataclass(frozen=True, slots=True)
class BarPart:
    """A stretch of a bar."""

    value: float
    kind: str = BAR
    """Its class in the style."""
    about: str = ""


@dataclass(frozen=True, slots=True)
class PlotBar:
    """A bar of one stretch or of several."""

    label: str
    parts: tuple[BarPart, ...]
    note: str
    """What stands behind it."""

    @property
    def total(self) -> float:
        """Its length."""
        return sum(part.value for part in self.parts)


def make_figure(title: str, plot: Html) -> Html:
    """A plot under its title."""
    return tag("figure", text_tag("figcaption", title), plot)


def draw_bars(title: str, rows: Sequence[PlotBar], axis: str, *, is_wide: bool = False, is_share: bool = False) -> Html:
    """Bars one under the other. With `is_share` each is as long as the others, and its parts are shares of it."""
    width = WIDE if is_wide else WIDTH
    label = LABEL * 1.6 if is_wide else LABEL
    room = width - label - VALUE
    longest = max((row.total for row in rows), default=0) or 1
    height = ROW * len(rows) + BOTTOM
    shapes = [
        _draw_bar(row, i * ROW + 2, label, room, row.total or 1 if is_share else longest, is_wide=is_wide)
        for i, row in enumerate(rows)
    ]
    most = 100.0 if is_share else longest
    ends = _draw_bottom_axis(label, ROW * len(rows), room, most, axis, unit="%" if is_share else "")
    return make_figure(title, _make_svg(title, width, height, join(ends, *shapes)))


def make_outcome_parts(outcomes: Outcomes) -> tuple[BarPart, ...]:
    """Units by outcome as stretches of a bar."""
    return tuple(BarPart(n, str(reason), f"{outcome_label(reason)}: {n:,}") for reason, n in outcomes.items())


def _draw_bar(row: PlotBar, y: float, x: float, room: float, full: float, *, is_wide: bool) -> Html:
    shapes = [_draw_label(row.label, x, y, LABEL_CHARS * (2 if is_wide else 1))]
    at = x
    for part in row.parts:
        width = room * part.value / full
        shape = tag("rect", x=at, y=y, width=max(width, 0.5), height=ROW - 6, class_=part.kind)
        shapes.append(tag("g", text_tag("title", part.about or row.label), shape))
        at += width
    shapes.append(tag("text", escape(row.note), x=at + 6, y=y + 13, class_="soft"))
    return join(*shapes)


def _draw_label(label: str, x: float, y: float, most: int) -> Html:
    shown = label if len(label) <= most else "…" + label[1 - most :]
    return tag("text", text_tag("title", label), escape(shown), x=x - 8, y=y + 13, text_anchor="end")


def draw_histogram(title: str, counts: Mapping[int, int], axis: str, across: str = "episodes") -> Html:
    """How often each whole number came; neighbours are put together where there are too many."""
    step = max(1, math.ceil(_round_up((max(counts) - min(counts) + 1) / BINS)))
    low, high = min(counts) // step * step, max(counts)
    bins = [0] * ((high - low) // step + 1)
    for value, number in counts.items():
        bins[(value - low) // step] += number
    room, most = WIDTH - LEFT - RIGHT, max(bins)
    each = room / max(len(bins), 6)
    tall = HEIGHT - TOP - BOTTOM
    shapes: list[Html] = [_draw_left_axis(most, across)]
    every = max(1, math.ceil(LABEL_WIDTH / each))
    for i, number in enumerate(bins):
        first = low + i * step
        x, height = LEFT + i * each, tall * number / _top_tick(most)
        about = f"{first}" if step == 1 else f"{first} to {first + step - 1}"
        bar = tag("rect", x=x + 1, y=TOP + tall - height, width=max(each - 2, 1.0), height=height, class_=BAR)
        shapes.append(tag("g", text_tag("title", f"{about}: {number:,}"), bar))
        if i % every == 0:
            shapes.append(
                tag("text", escape(_format_tick(first)), x=x + each / 2, y=TOP + tall + 15, text_anchor="middle")
            )
    note = axis if step == 1 else f"{axis} (each bar: {step})"
    shapes.append(_draw_axis_name(note, LEFT + room / 2, HEIGHT - 6))
    return make_figure(title, _make_svg(title, WIDTH, HEIGHT, join(*shapes)))


def draw_curves(title: str, lines: Mapping[str, Sequence[tuple[float, float]]], axis: str, up: str) -> Html:
    """Curves over one axis each way; each is named at its end. Keys are their classes in the style."""
    points = [point for line in lines.values() for point in line]
    far, most = max((x for x, _ in points), default=1) or 1, max((y for _, y in points), default=1) or 1
    room, tall = WIDE - LEFT - RIGHT - 90, HEIGHT - TOP - BOTTOM
    shapes: list[Html] = [_draw_left_axis(most, up, WIDE - 90)]
    lowest = -math.inf
    for name, line in lines.items():
        drawn = [(LEFT + room * x / far, TOP + tall - tall * y / _top_tick(most)) for x, y in line]
        shapes.append(tag("polyline", points=" ".join(f"{x:.1f},{y:.1f}" for x, y in drawn), class_=f"curve {name}"))
        if drawn:
            lowest = max(lowest + 14, drawn[-1][1] + 4)
            shapes.append(tag("text", escape(name), x=drawn[-1][0] + 6, y=lowest))
    for value in _tick_values(far):
        x = LEFT + room * value / far
        shapes.append(tag("text", escape(_format_tick(value)), x=x, y=TOP + tall + 15, text_anchor="middle"))
    shapes.append(_draw_axis_name(axis, LEFT + room / 2, HEIGHT - 6))
    return make_figure(title, _make_svg(title, WIDE, HEIGHT, join(*shapes)))


def _draw_bottom_axis(x: float, y: float, room: float, most: float, axis: str, *, unit: str = "") -> Html:
    """The axis under bars."""
    shapes: list[Html] = [tag("line", x1=x, y1=y, x2=x + room, y2=y, class_="axis")]
    for value in _tick_values(most):
        at = x + room * value / most
        shapes.append(tag("line", x1=at, y1=0, x2=at, y2=y, class_="grid"))
        shapes.append(
            tag("text", escape(_format_tick(value) + unit), x=at, y=y + 15, text_anchor="middle", class_="soft")
        )
    return join(*shapes, _draw_axis_name(axis, x + room / 2, y + 33))


def _draw_left_axis(most: float, name: str, width: float = WIDTH) -> Html:
    """The axis at the left, with its lines across."""
    tall = HEIGHT - TOP - BOTTOM
    shapes: list[Html] = []
    for value in _tick_values(_top_tick(most)):
        y = TOP + tall - tall * value / _top_tick(most)
        shapes.append(tag("line", x1=LEFT, y1=y, x2=width - RIGHT, y2=y, class_="grid" if value else "axis"))
        shapes.append(tag("text", escape(_format_tick(value)), x=LEFT - 6, y=y + 4, text_anchor="end", class_="soft"))
    middle = TOP + tall / 2
    rotation = f"rotate(-90 11 {middle:.0f})"
    shapes.append(tag("text", escape(name), x=11, y=middle, text_anchor="middle", class_="soft", transform=rotation))
    return join(*shapes)


def _draw_axis_name(name: str, x: float, y: float) -> Html:
    return tag("text", escape(name), x=x, y=y, text_anchor="middle", class_="soft")


def _tick_values(most: float) -> list[float]:
    """Round numbers from 0 to `most`, at most so many."""
    step = _round_step(most)
    return [i * step for i in range(int(most / step + 1e-9) + 1)]


def _top_tick(most: float) -> float:
    """The first tick that is not below `most`."""
    step = _round_step(most)
    return math.ceil(most / step - 1e-9) * step


def _round_step(most: float) -> float:
    """A fifth, rounded up to 1, 2 or 5 times a power of ten; at least 1 where `most` is."""
    step = _round_up(most / TICKS)
    return max(step, 1.0) if most >= 1 else step


def _round_up(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough)) if rough > 0 else 1.0
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))


def _format_tick(value: float) -> str:
    if value >= LARGE:
        return format_count(value)
    return f"{value:,.0f}" if value >= 1 or not value else f"{value:.3g}"


def _make_svg(title: str, width: float, height: float, content: Html) -> Html:
    box = f"0 0 {width:g} {height:g}"
    return tag("svg", content, viewBox=box, width=width, height=height, role="img", aria_label=title)
