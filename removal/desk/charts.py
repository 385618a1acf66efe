"""Charts as SVG, drawn on the server: shapes and words alone, for pages that allow no inline style.

Colors come from `removal/charts.css` by class. A chart is never the only way to a figure: whoever
shows one puts `Chart.cells` beside it as a table. Drawings are narrow, so that their words can be
read on the smallest screen without magnifying; numbers in them are written without a locale's
signs where they are coordinates.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from django.utils.formats import number_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

WIDTH: Final = 320
_TOP, _BOTTOM, _PLOT = 16, 20, 120
_ROW, _BAR = 38, 14
_STEPS: Final = (1, 2, 3, 4, 5, 6, 8)


@dataclass(frozen=True, slots=True)
class Series:
    """One kind of thing that is counted, with a value for each label of its chart."""

    name: str
    values: Sequence[float]
    words: Sequence[str] = ()
    """How the table writes the values; as numbers where nothing is said."""

    def written(self, place: int) -> str:
        """Return one value as the table writes it."""
        return self.words[place] if self.words else _number(self.values[place])


@dataclass(frozen=True, slots=True)
class Chart:
    """Counts by label, one series on top of the other (columns) or beside it (bars).

    Attributes:
        title: what it shows, for the table's caption and for who hears the picture.
        head: what the labels are.
        labels: one for each column or bar.
        series: at most four.
        shape: columns for time, bars for what has a name.
        full: the value of a whole bar, where that is known: 100 for shares.
        long_labels: the labels as the table has them, where the drawing has room for less.
    """

    title: str
    head: str
    labels: Sequence[str]
    series: Sequence[Series]
    shape: Literal["columns", "bars"] = "columns"
    full: float = 0
    long_labels: Sequence[str] = ()

    @property
    def cells(self) -> list[tuple[str, list[tuple[str, str]]]]:
        """The figures as the table shows them: by label, each with the name of its series."""
        return [
            (label, [(one.name, one.written(place)) for one in self.series])
            for place, label in enumerate(self.long_labels or self.labels)
        ]

    @property
    def legend(self) -> list[tuple[SafeString, str]]:
        """A patch of color and a name for each series; nothing where there is but one."""
        if len(self.series) < 2:
            return []
        return [(_patch(n), one.name) for n, one in enumerate(self.series, 1)]

    @property
    def empty(self) -> bool:
        """Whether there is nothing to draw."""
        return not any(any(one.values) for one in self.series)

    @property
    def svg(self) -> SafeString:
        """The drawing."""
        return _columns(self) if self.shape == "columns" else _bars(self)

    def tops(self) -> list[float]:
        """Return the sum of the series for each label."""
        return [sum(one.values[n] for one in self.series) for n in range(len(self.labels))]


def scale_top(most: float) -> int:
    """Return the least of 1, 2, 3, 4, 5, 6, 8, 10, 20 ... that is no less than a value."""
    size = 1
    while True:
        for step in _STEPS:
            if step * size >= most:
                return step * size
        size *= 10


def _columns(chart: Chart) -> SafeString:
    tops = chart.tops()
    top = scale_top(max(tops, default=0))
    wide = WIDTH / max(len(tops), 1)
    floor = _TOP + _PLOT
    shapes = [
        (n, x, floor - (below + value) * _PLOT / top, wide * 0.72, value * _PLOT / top)
        for place in range(len(tops))
        for n, below, value in _stacked(chart, place)
        for x in [place * wide + wide * 0.14]
    ]
    marks = [
        (place * wide + wide / 2, floor + 15, chart.labels[place])
        for place in _few(len(tops), wide)
    ]
    lines = format_html_join(
        "",
        '<path class="chart-line" d="M0 {}H{}"/>',
        ((_at(y), WIDTH) for y in (_TOP, _TOP + _PLOT / 2, floor)),
    )
    return _svg(
        chart,
        floor + _BOTTOM,
        lines,
        _rects(shapes),
        _texts([(2, _TOP - 4, _number(top))], "start"),
        _texts(marks, "middle"),
    )


def _bars(chart: Chart) -> SafeString:
    top = chart.full or max(chart.tops(), default=0) or 1
    shapes = [
        (n, below * WIDTH / top, place * _ROW + _ROW - _BAR - 4, value * WIDTH / top, _BAR)
        for place in range(len(chart.labels))
        for n, below, value in _stacked(chart, place)
    ]
    grounds = format_html_join(
        "",
        '<rect class="chart-ground" x="0" y="{}" width="{}" height="{}"/>',
        ((place * _ROW + _ROW - _BAR - 4, WIDTH, _BAR) for place in range(len(chart.labels))),
    )
    names = [(0, place * _ROW + 15, label) for place, label in enumerate(chart.labels)]
    return _svg(
        chart, len(names) * _ROW, grounds, _rects(shapes), _texts(names, "start"), SafeString("")
    )


def _stacked(chart: Chart, place: int) -> Iterator[tuple[int, float, float]]:
    """Yield number, sum of what lies below, and value of each series that has one."""
    below = 0.0
    for n, one in enumerate(chart.series, 1):
        if one.values[place]:
            yield n, below, one.values[place]
        below += one.values[place]


def _few(count: int, wide: float) -> range:
    """Return which columns are named, so that no name runs into the next; the last always is."""
    every = max(1, -(-44 // max(int(wide), 1)))
    return range((count - 1) % every, count, every)


def _svg(chart: Chart, height: float, *parts: SafeString) -> SafeString:
    return format_html(
        '<svg class="chart-drawing" viewBox="0 0 {} {}" role="img" direction="ltr" '
        'focusable="false" aria-label="{}">{}</svg>',
        WIDTH,
        _at(height),
        chart.title,
        format_html_join("", "{}", ((part,) for part in parts)),
    )


def _rects(shapes: Sequence[tuple[int, float, float, float, float]]) -> SafeString:
    return format_html_join(
        "",
        '<rect class="series-{}" x="{}" y="{}" width="{}" height="{}"/>',
        ((n, _at(x), _at(y), _at(width), _at(height)) for n, x, y, width, height in shapes),
    )


def _texts(marks: Sequence[tuple[float, float, str]], anchor: str) -> SafeString:
    return format_html_join(
        "",
        '<text class="chart-text" x="{}" y="{}" text-anchor="{}">{}</text>',
        ((_at(x), _at(y), anchor, words) for x, y, words in marks),
    )


def _patch(n: int) -> SafeString:
    return format_html(
        '<svg class="chart-patch" viewBox="0 0 12 12" aria-hidden="true" focusable="false">'
        '<rect class="series-{}" width="12" height="12"/></svg>',
        n,
    )


def _at(place: float) -> str:
    """Write a coordinate: with a point, whatever the page's language."""
    return f"{place:.1f}".removesuffix(".0")


def _number(value: float) -> str:
    return number_format(round(value), force_grouping=True)
