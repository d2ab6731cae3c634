"""Numbers become charts: here the geometry, in a template the drawing.

A chart has no script and no inline style: rectangles with attributes, coloured by class
in static/pages/console.css. Each comes with what it says in words, and with a table.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from config.counting import Number
from config.stats import Dashboard

# As wide as a phone shows unscaled, so that its letters stay as large as others.
WIDTH = 360
HEIGHT = 150
# Below the columns stand their labels, above them the highest number.
TOP, BOTTOM = 16, 18
GAP = 0.25
ROW = 26
LABEL_LENGTH = 36


@dataclass(frozen=True)
class Series:
    """`kind` is the class of its bars."""

    name: str
    kind: str
    numbers: Sequence[Number]


@dataclass(frozen=True)
class Bar:
    x: float
    y: float
    width: float
    height: float
    kind: str
    says: str


@dataclass(frozen=True)
class Label:
    x: float
    y: float
    text: str
    anchor: str = "start"


@dataclass(frozen=True)
class Chart:
    name: str
    title: str
    says: str
    height: float
    bars: list[Bar]
    labels: list[Label]
    series: Sequence[Series]
    table: list[tuple[str, list[Number]]]
    width: float = WIDTH


def columns(
    name: str, title: str, labels: Sequence[str], series: Sequence[Series]
) -> Chart:
    """A group of columns for each label, one of each series."""
    return Chart(
        name=name,
        title=title,
        says=_in_words(labels, series),
        height=HEIGHT,
        bars=list(_columns(labels, series)),
        labels=_below(labels),
        series=series,
        table=_table(labels, series),
    )


def _columns(labels: Sequence[str], series: Sequence[Series]) -> Iterator[Bar]:
    scale = (HEIGHT - TOP - BOTTOM) / _highest(series)
    step = WIDTH / max(1, len(labels))
    width = step * (1 - GAP) / len(series)
    for at, label in enumerate(labels):
        left = (at + GAP / 2) * step
        for nth, one in enumerate(series):
            height = one.numbers[at].value * scale
            x, y = left + nth * width, HEIGHT - BOTTOM - height
            says = f"{label}: {one.numbers[at]} {one.name}"
            x, y, wide, tall = (round(n, 1) for n in (x, y, width, height))
            yield Bar(x, y, wide, tall, one.kind, says)


def rows(name: str, title: str, shares: Sequence[tuple[str, Number]], unit: str) -> Chart:
    """A bar to the right for each share, with its label above."""
    labels = [label for label, _ in shares]
    series = [Series(unit, "first", [number for _, number in shares])]
    return Chart(
        name=name,
        title=title,
        says=_in_words(labels, series),
        height=max(1, len(shares)) * ROW,
        bars=list(_rows(shares, series[0])),
        labels=[
            Label(0, at * ROW + 10, f"{_shortened(label)} · {number}")
            for at, (label, number) in enumerate(shares)
        ],
        series=series,
        table=_table(labels, series),
    )


def _rows(shares: Sequence[tuple[str, Number]], one: Series) -> Iterator[Bar]:
    scale = WIDTH / _highest([one])
    for at, (label, number) in enumerate(shares):
        says = f"{label}: {number} {one.name}"
        width = round(number.value * scale, 1)
        yield Bar(0, at * ROW + 14, width, 8, one.kind, says)


def dashboard(figures: Dashboard) -> dict[str, Any]:
    """What the first page of the console shows."""
    days = figures.days
    people = [Series("registrations", "first", figures.registrations)]
    doors = [
        Series("sign-ins", "first", figures.sign_ins),
        Series("failures", "second", figures.failures),
    ]
    return {
        "figures": figures,
        "charts": [
            columns("registrations", "Registrations by day", days, people),
            columns("sign-ins", "Sign-ins and failures by day", days, doors),
            rows("largest", "The largest organizations", figures.largest, "members"),
        ],
    }


def _highest(series: Sequence[Series]) -> int:
    return max(1, *(n.value for one in series for n in one.numbers), 1)


def _below(labels: Sequence[str]) -> list[Label]:
    """The first, the last, and one between: more would run into each other."""
    if not labels:
        return []
    y, half = HEIGHT - 5, len(labels) // 2
    return [
        Label(0, y, labels[0]),
        Label(round((half + 0.5) * WIDTH / len(labels), 1), y, labels[half], "middle"),
        Label(WIDTH, y, labels[-1], "end"),
    ]


def _table(
    labels: Sequence[str], series: Sequence[Series]
) -> list[tuple[str, list[Number]]]:
    return [(label, [s.numbers[at] for s in series]) for at, label in enumerate(labels)]


def _in_words(labels: Sequence[str], series: Sequence[Series]) -> str:
    if not labels:
        return "There is nothing to show yet."
    said = []
    for one in series:
        at = max(range(len(labels)), key=lambda index: one.numbers[index].value)
        said.append(f"The most {one.name}: {one.numbers[at]} ({labels[at]}).")
    return " ".join(said)


def _shortened(name: str) -> str:
    return name if len(name) <= LABEL_LENGTH else f"{name[: LABEL_LENGTH - 1]}…"
