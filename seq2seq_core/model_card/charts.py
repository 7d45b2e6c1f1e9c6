"""Drawings as SVG inside a page: the page's style gives the colours and fonts, so that they follow its scheme.

Drawn without Matplotlib: the browser has a font for every script, and a card needs no further package. 360 units are the width of
a phone.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping, Sequence
from html import escape

from seq2seq_core.model_card.facts import Figure, ReliabilityBin

WIDTH, LEFT, RIGHT, LINE = 360.0, 146.0, 92.0, 19.0
LABEL_CELLS = 25
CLASSES = ("other", "own", "third")
TICKS = 4


def figure_chart(
    rows: Mapping[str, Figure],
    low: float,
    high: float,
    line: float | None = None,
    bars: bool = False,
    notes: Mapping[str, str] | None = None,
) -> str:
    """Scores with their intervals, one a line; finite ones only.

    Args:
        rows: by label.
        low: the left end of the scale.
        high: its right end.
        line: a score to mark for all lines.
        bars: whether to draw bars instead of points.
        notes: what stands after a score, by label.
    """
    shown = {label: figure for label, figure in rows.items() if math.isfinite(figure.value)}
    height = LINE * len(shown) + 24
    parts = [_grid(low, high, height)]
    if line is not None and math.isfinite(line):
        parts.append(f'<path class="axis dash" d="M{_across(line, low, high):.1f} 2V{height - 16:g}"/>')
    for place, (label, figure) in enumerate(shown.items()):
        y, x, tone = LINE * place + 12, _across(figure.value, low, high), "own" if bars or not place else "other"
        parts.append(f'<text x="0" y="{y + 4:g}"><title>{escape(label)}</title>{escape(_fit(label))}</text>')
        if bars:
            width = max(0.5, x - LEFT)
            parts.append(f'<rect class="{tone} bar" x="{LEFT:g}" y="{y - 6:g}" width="{width:.1f}" height="12" rx="1.5"/>')
        else:
            parts.append(f'<circle class="{tone}" cx="{x:.1f}" cy="{y:g}" r="3.2"/>')
        if figure.low is not None and figure.high is not None:
            start, end = _across(figure.low, low, high), _across(figure.high, low, high)
            parts.append(f'<path class="{tone} path" d="M{start:.1f} {y:g}H{end:.1f}"/>')
        note = (notes or {}).get(label, "")
        parts.append(f'<text class="soft" x="{WIDTH - RIGHT + 8:g}" y="{y + 4:g}">{figure.value:.4g}{escape(note)}</text>')
    return _svg(height, parts)


def round_up(share: float) -> float:
    """The end of a scale for shares, whose ticks are whole hundredths.

    Args:
        share: the greatest one.
    """
    return max(1, math.ceil(share * 100 / TICKS)) * TICKS / 100


def share_chart(bins: Mapping[str, tuple[float, float]]) -> str:
    """The shares of bins before and now, two bars a bin.

    Args:
        bins: both shares, by label.
    """
    height, top = 2.0 * LINE * len(bins) + 24, round_up(max((max(shares) for shares in bins.values()), default=1.0))
    parts = [_grid(0.0, top, height)]
    for place, (label, shares) in enumerate(bins.items()):
        y = 2.0 * LINE * place + 12
        parts.append(f'<text x="0" y="{y + 14:g}"><title>{escape(label)}</title>{escape(_fit(label))}</text>')
        for line, (share, tone) in enumerate(zip(shares, CLASSES, strict=False)):
            end, middle = _across(share, 0.0, top), y + 16 * line
            width = max(0.5, end - LEFT)
            parts.append(f'<rect class="{tone} bar" x="{LEFT:g}" y="{middle - 6:g}" width="{width:.1f}" height="12" rx="1.5"/>')
            parts.append(f'<text class="soft" x="{WIDTH - RIGHT + 8:g}" y="{middle + 4:g}">{share:.2%}</text>')
    return _svg(height, parts)


def _fit(label: str) -> str:
    """The beginning of a label that has room; East Asian symbols are twice as wide."""
    cells, kept = 0, ""
    for symbol in label:
        cells += 2 if unicodedata.east_asian_width(symbol) in "WF" else 1
        if cells > LABEL_CELLS:
            return f"{kept}…"
        kept += symbol
    return label


def line_chart(series: Mapping[str, Sequence[tuple[float, float]]], label: str, low: float | None = None) -> str:
    """Curves over the updates of a training.

    Args:
        series: points of each curve, by name; non-finite ones are left out.
        label: of the vertical axis.
        low: the lower end of the vertical axis; None: the lowest value.
    """
    curves = {name: [point for point in points if math.isfinite(point[1])] for name, points in series.items()}
    values = [y for points in curves.values() for _, y in points] or [0.0, 1.0]
    bottom, top = min(values) if low is None else low, max(values)
    top = top if top > bottom else bottom + 1.0
    last = max((x for points in curves.values() for x, _ in points), default=1.0) or 1.0
    left, right, height = 44.0, WIDTH - 10, 170.0
    parts = []
    for tick in range(TICKS + 1):
        y, value = 18 + (height - 52) * (1 - tick / TICKS), bottom + (top - bottom) * tick / TICKS
        parts.append(f'<path class="grid" d="M{left} {y:.1f}H{right}"/>')
        parts.append(f'<text class="soft" x="{left - 5}" y="{y + 4:.1f}" text-anchor="end">{value:.3g}</text>')
    for tick in range(TICKS + 1):
        x = left + (right - left) * tick / TICKS
        anchor = "end" if tick == TICKS else "middle"
        parts.append(f'<text class="soft" x="{x:.1f}" y="{height - 18}" text-anchor="{anchor}">{last * tick / TICKS:.4g}</text>')
    parts.append(f'<text class="soft" x="{right}" y="{height - 4}" text-anchor="end">update</text>')
    parts.append(f'<text class="soft" x="2" y="9">{escape(label)}</text>')
    for place, (name, points) in enumerate(curves.items()):
        tone = CLASSES[place % len(CLASSES)]
        path = "L".join(f"{left + (right - left) * x / last:.1f} {_up(y, bottom, top, height):.1f}" for x, y in points)
        if path:
            parts.append(f'<path class="{tone} path" d="M{path}"/>')
            parts.append(f'<circle class="{tone}" cx="{170 + 90 * place}" cy="6" r="3.2"/>')
            parts.append(f'<text x="{177 + 90 * place}" y="10">{escape(name)}</text>')
    return _svg(height, parts)


def reliability_chart(bins: Sequence[ReliabilityBin]) -> str:
    """The share of right answers by the model's probability, and the number of answers; on the diagonal both agree.

    Args:
        bins: from 0 to 1.
    """
    left, size, top = 44.0, 200.0, 8.0
    bottom, most = top + size, max((one.count for one in bins), default=1)
    parts = [
        f'<path class="axis dash" d="M{left} {bottom}L{left + size} {top}"/>',
        f'<path class="axis path" d="M{left} {top}V{bottom}H{left + size}"/>',
    ]
    for one in bins:
        x, width, height = left + size * one.low, size * (one.high - one.low), size * one.right
        y, across, share = bottom - size * one.high, left + size + 12, 60 * one.count / most
        parts += [
            f'<rect class="own bar" x="{x + 1:.1f}" y="{bottom - height:.1f}" width="{width - 2:.1f}" height="{height:.1f}">'
            f"<title>{one.count} answers, mean probability {one.confidence:.3f}, right {one.right:.3f}</title></rect>",
            f'<rect class="other bar" x="{across}" y="{y + 1:.1f}" width="{share:.1f}" height="{width - 2:.1f}"/>',
            f'<text class="soft" x="{across + 4 + share:.1f}" y="{y + width / 2 + 4:.1f}">{one.count}</text>',
        ]
    parts += _unit_ticks(left, size, bottom, "probability of the answer")
    parts.append(f'<text class="soft" x="{left + size + 12}" y="{bottom + 13}">answers</text>')
    return _svg(bottom + 34, parts)


def confidence_chart(bins: Sequence[ReliabilityBin]) -> str:
    """The share of right answers by mean confidence, a point a bin; on the diagonal both agree.

    Args:
        bins: of equal mass, least confident first.
    """
    left, size, top = 44.0, 200.0, 8.0
    bottom = top + size
    places = [(left + size * one.confidence, bottom - size * one.right) for one in bins]
    parts = [
        f'<path class="axis dash" d="M{left} {bottom}L{left + size} {top}"/>',
        f'<path class="axis path" d="M{left} {top}V{bottom}H{left + size}"/>',
        f'<path class="own path" d="M{"L".join(f"{x:.1f} {y:.1f}" for x, y in places)}"/>',
    ]
    parts += [
        f'<circle class="own" cx="{x:.1f}" cy="{y:.1f}" r="3.2">'
        f"<title>{one.count} answers, mean confidence {one.confidence:.3f}, right {one.right:.3f}</title></circle>"
        for one, (x, y) in zip(bins, places, strict=True)
    ]
    return _svg(bottom + 34, [*parts, *_unit_ticks(left, size, bottom, "confidence of the answer")])


def _unit_ticks(left: float, size: float, bottom: float, label: str) -> list[str]:
    """The numbers at a square whose sides go from 0 to 1, and the name of the horizontal one."""
    parts = []
    for tick in (0.0, 0.5, 1.0):
        parts += [
            f'<text class="soft" x="{left - 5}" y="{bottom - size * tick + 4:.1f}" text-anchor="end">{tick:g}</text>',
            f'<text class="soft" x="{left + size * tick:.1f}" y="{bottom + 13}" text-anchor="middle">{tick:g}</text>',
        ]
    return [*parts, f'<text class="soft" x="{left + size / 2}" y="{bottom + 28}" text-anchor="middle">{label}</text>']


def _grid(low: float, high: float, height: float) -> str:
    parts = []
    for tick in range(TICKS + 1):
        value = low + (high - low) * tick / TICKS
        x = _across(value, low, high)
        parts.append(f'<path class="grid" d="M{x:.1f} 2V{height - 16:g}"/>')
        parts.append(f'<text class="soft" x="{x:.1f}" y="{height - 4:g}" text-anchor="middle">{value:.3g}</text>')
    return "".join(parts)


def _across(value: float, low: float, high: float) -> float:
    share = (value - low) / (high - low) if high > low else 0.0
    return LEFT + (WIDTH - LEFT - RIGHT) * min(1.0, max(0.0, share))


def _up(value: float, bottom: float, top: float, height: float) -> float:
    return 18 + (height - 52) * (1 - min(1.0, max(0.0, (value - bottom) / (top - bottom))))


def _svg(height: float, parts: Sequence[str]) -> str:
    return f'<svg viewBox="0 0 {WIDTH:g} {height:g}" role="img">{"".join(parts)}</svg>'
