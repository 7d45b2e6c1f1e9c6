"""Plots of an evaluation, as PNG files. Matplotlib is imported late: training does not need it.

Shapes: S source pieces, T target pieces.
"""

from __future__ import annotations

import csv
import logging
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from seq2seq_core.evaluation.confidence.calibration_error import ConfidenceBin
from seq2seq_core.evaluation.scores import find_metric
from seq2seq_core.evaluation.slices import Slice

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

logger = logging.getLogger(__name__)

SOURCE_COLOUR, REFERENCE_COLOUR, MODEL_COLOUR, LINE_COLOUR = "#7f7f7f", "#1f77b4", "#d95f02", "#444444"
FIRST_FONT = "DejaVu Sans"
"""Comes with Matplotlib; it has Latin, Cyrillic, Greek, Hebrew and Arabic, but no Chinese, Japanese or Korean."""
PLACEHOLDER_FONT = "Last Resort"
"""Also comes with Matplotlib; it draws the same box for every character."""
DOTS_PER_INCH = 130


def can_plot() -> bool:
    """Whether Matplotlib is installed."""
    return find_spec("matplotlib") is not None


def plot_attention(path: Path, source_pieces: Sequence[str], target_pieces: Sequence[str], matrix_TS: NDArray[np.float32]) -> None:
    """Draws the attention over the source for each piece of the target.

    Args:
        path: the output PNG file.
        source_pieces: S of them, left to right.
        target_pieces: T of them, top to bottom.
        matrix_TS: weights, each row summing to 1.
    """
    fonts = find_fonts("".join([*source_pieces, *target_pieces])) or [FIRST_FONT]
    figure, axes = _new_figure(max(3.2, 0.3 * len(source_pieces) + 1.4), max(2.6, 0.3 * len(target_pieces) + 1.2))
    image = axes.imshow(matrix_TS, cmap="Blues", vmin=0.0, vmax=1.0, aspect="auto")
    rotation = 90 if max(map(len, source_pieces[:-1]), default=0) > 2 else 0  # the last one is the end mark
    axes.set_xticks(range(len(source_pieces)), source_pieces, family=fonts, rotation=rotation)
    axes.set_yticks(range(len(target_pieces)), target_pieces, family=fonts)
    axes.xaxis.tick_top()
    axes.set_xlabel("source")
    axes.set_ylabel("prediction")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    figure.colorbar(image, ax=axes, label="attention", fraction=0.04, pad=0.02)
    save_figure(figure, path)


def plot_lengths(path: Path, texts: Mapping[str, Sequence[str]]) -> None:
    """Draws the lengths of sources, references and predictions; predictions that are cut or do not end stand out.

    Args:
        path: the output PNG file.
        texts: ``sources`` (where they are texts) and ``references`` of the test set, ``predictions`` of the model.
    """
    figure, axes = _new_figure(7.0, 3.6)
    styles: dict[str, dict[str, Any]] = {
        "sources": {"histtype": "stepfilled", "color": SOURCE_COLOUR, "alpha": 0.35},
        "references": {"histtype": "step", "color": REFERENCE_COLOUR, "linewidth": 2.4},
        "predictions": {"histtype": "step", "color": MODEL_COLOUR, "linewidth": 1.4, "linestyle": "--"},
    }
    lengths = {name: np.array([len(text) for text in own]) for name, own in texts.items()}
    longest = int(max(values.max() for values in lengths.values()))
    width = 1 + longest // 60
    edges = np.arange(0, longest + width + 1, width) - 0.5
    for name, values in lengths.items():
        axes.hist(values, bins=edges.tolist(), label=name, **styles[name])
    axes.set_xlabel("length (characters)")
    axes.set_ylabel("sentences of the test set")
    axes.legend(frameon=False)
    save_figure(figure, path)


def plot_slices(path: Path, slices: Sequence[Slice], metric: str, overall: float) -> None:
    """Draws one metric for each slice of the test set, and a line for the whole set.

    Args:
        path: the output PNG file.
        slices: at least one.
        metric: the name of the score to draw.
        overall: the score of the whole test set.
    """
    names = [f"{part.column.replace('_', ' ')}: {part.value}  (n={part.count})" for part in slices]
    figure, axes = _new_figure(7.0, 1.0 + 0.24 * len(slices))
    values = [part.scores[metric] for part in slices]
    colours = {column: _TONES[place % len(_TONES)] for place, column in enumerate(dict.fromkeys(part.column for part in slices))}
    axes.barh(range(len(slices)), values, color=[colours[part.column] for part in slices], height=0.75)
    axes.axvline(overall, color=LINE_COLOUR, linewidth=1.2, linestyle="--")
    for place, value in enumerate(values):
        axes.annotate(
            f"{value:.4g}", (value, place), (4, 0), textcoords="offset points", va="center", fontsize=8, annotation_clip=False
        )
    fonts = find_fonts("".join(names))
    if fonts is None:  # a code is better than an empty box
        fonts, names = [FIRST_FONT], [name.encode("ascii", "backslashreplace").decode() for name in names]
    axes.set_yticks(range(len(slices)), names, family=fonts, fontsize=8)
    axes.invert_yaxis()
    axes.set_ylim(len(slices) - 0.4, -0.6)
    found = find_metric(metric)
    axes.set_xlim(found.low, max(found.high or found.scale, *values))
    axes.set_xlabel(f"{metric.replace('_', ' ')} (dashed: whole test set, {overall:.4g})")
    save_figure(figure, path)


def plot_reliability(path: Path, bins: Sequence[ConfidenceBin]) -> None:
    """Draws the share of right answers by confidence; on the diagonal both agree.

    Args:
        path: the output PNG file.
        bins: of equal mass.
    """
    figure, axes = _new_figure(4.2, 4.2)
    axes.plot([0, 1], [0, 1], color=LINE_COLOUR, linewidth=1.2, linestyle="--")
    confidences, shares = [one.confidence for one in bins], [one.right for one in bins]
    axes.plot(confidences, shares, color=MODEL_COLOUR, marker="o", linewidth=1.4)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("mean confidence of a tenth of the answers")
    axes.set_ylabel("share of right answers")
    save_figure(figure, path)


def plot_learning_curves(path: Path, curve: Path) -> bool:
    """Draws the curves of loss and dev score, and returns whether there were any.

    Args:
        path: the output PNG file.
        curve: ``reports/training_curve.csv``.
    """
    with curve.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    curves = {name: _points(rows, name) for name in ("train_loss", "dev_loss", "dev_score")}
    if not any(curves.values()):
        return False
    figure, axes = _new_figure(7.0, 3.6)
    for name, colour, marker in (("train_loss", REFERENCE_COLOUR, ""), ("dev_loss", MODEL_COLOUR, "o")):
        if curves[name]:
            axes.plot(*zip(*curves[name], strict=True), color=colour, marker=marker, markersize=3, label=name.replace("_", " "))
    axes.set_xlabel("update")
    axes.set_ylabel("loss (nats per target token)")
    axes.set_ylim(bottom=0)
    if curves["dev_score"]:
        right = axes.twinx()
        right.plot(*zip(*curves["dev_score"], strict=True), color=LINE_COLOUR, linestyle="--", marker="s", markersize=3)
        right.set_ylabel("dev score (dashed)")
        right.set_ylim(0, 1.02 * _full_scale([value for _, value in curves["dev_score"]]))
        right.spines["top"].set_visible(False)
    axes.legend(frameon=False)
    save_figure(figure, path)
    return True


def find_fonts(text: str) -> list[str] | None:
    """Installed fonts that together have every character of a text, DejaVu Sans first; None if there are none.

    Args:
        text: the text to draw.
    """
    from matplotlib.font_manager import fontManager, get_font

    missing = {ord(character) for character in text if not character.isspace()}
    chosen: list[str] = []
    for entry in sorted(fontManager.ttflist, key=lambda entry: (entry.name != FIRST_FONT, entry.name, entry.fname)):
        if not missing:
            break
        if entry.name in chosen or entry.style != "normal" or entry.name.startswith(PLACEHOLDER_FONT):
            continue
        found = missing & get_font(entry.fname).get_charmap().keys()
        if found or entry.name == FIRST_FONT:
            chosen.append(entry.name)
            missing -= found
    return None if missing else chosen or [FIRST_FONT]


_TONES = ("#8da0cb", "#fc8d62", "#66c2a5", "#e78ac3", "#a6d854", "#ffd92f")


def _new_figure(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure with one plot; width and height in inches. It needs no display."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DOTS_PER_INCH, layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def save_figure(figure: Figure, path: Path) -> None:
    """Writes a figure as a PNG file; equal figures have equal bytes.

    Args:
        figure: the figure.
        path: the output file.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    # Figure.savefig draws everything twice to lay it out. No version of Matplotlib in the file: equal plots have equal bytes.
    canvas: Any = FigureCanvasAgg(figure)
    canvas.print_png(path, metadata={"Software": None})


def _full_scale(values: Sequence[float]) -> float:
    """The top of the scale of a metric that the curve does not name: 1 for fractions, 100 for percentages."""
    return 1.0 if max(values) <= 1.0 else 100.0


def _points(rows: Sequence[dict[str, str]], name: str) -> list[tuple[int, float]]:
    """The steps and values of a column, where it has one."""
    return [(int(row["step"]), float(row[name])) for row in rows if row.get(name)]
