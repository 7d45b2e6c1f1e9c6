"""Plots of the attention over a picture, as PNG files: a line above its weights, or the picture once for each piece of the answer.

Shapes: H height, W width, C channels, S steps of the source, T target pieces.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2seq_core.evaluation.drawing.plots import DOTS_PER_INCH, FIRST_FONT, find_fonts, save_figure

SQUARES_A_ROW, MOST_SQUARES = 6, 30
"""Pictures side by side, and most pictures, where each piece of the answer has one."""


def plot_line_attention(
    path: Path, picture_HWC: NDArray[np.uint8], target_pieces: Sequence[str], weights_TS: NDArray[np.float32]
) -> None:
    """Draws a line of print, and under it where each piece of the answer looked.

    Args:
        path: the output PNG file.
        picture_HWC: the line as the model saw it.
        target_pieces: T of them, top to bottom.
        weights_TS: each row sums to 1; S steps from the left to the right end of the line.
    """
    from matplotlib.figure import Figure

    height, width = picture_HWC.shape[:2]
    inches = max(4.0, min(14.0, width / 70))
    heights = [max(0.3, inches * height / width), max(0.8, 0.14 * len(target_pieces))]
    figure = Figure(figsize=(inches + 0.8, sum(heights) + 0.6), dpi=DOTS_PER_INCH, layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=heights)
    top.imshow(_as_colours(picture_HWC), extent=(0, width, height, 0), aspect="auto")
    top.axis("off")
    bottom.imshow(weights_TS, cmap="Blues", vmin=0.0, vmax=1.0, aspect="auto", extent=(0, width, len(target_pieces), 0))
    fonts = find_fonts("".join(target_pieces)) or [FIRST_FONT]
    bottom.set_yticks(np.arange(len(target_pieces)) + 0.5, target_pieces, family=fonts, fontsize=7)
    bottom.tick_params(length=0)
    bottom.set_xlabel("columns of the scaled picture")
    save_figure(figure, path)


def plot_grid_attention(
    path: Path, picture_HWC: NDArray[np.uint8], target_pieces: Sequence[str], weights_TS: NDArray[np.float32], grid: tuple[int, int]
) -> None:
    """Draws a picture once for each piece of the answer: the more a place was looked at, the less it is veiled.

    Args:
        path: the output PNG file.
        picture_HWC: as the model saw it.
        target_pieces: T of them; the first :data:`MOST_SQUARES` are drawn.
        weights_TS: each row sums to 1; S steps, row by row.
        grid: rows and columns of the steps.
    """
    from matplotlib.figure import Figure

    shown = min(len(target_pieces), MOST_SQUARES)
    columns = min(SQUARES_A_ROW, shown)
    rows = -(-shown // columns)
    figure = Figure(figsize=(1.6 * columns, 1.8 * rows), dpi=DOTS_PER_INCH, layout="constrained")
    fonts = find_fonts("".join(target_pieces[:shown])) or [FIRST_FONT]
    all_axes: Any = figure.subplots(rows, columns, squeeze=False)
    height, width = picture_HWC.shape[:2]
    for place, axes in enumerate(all_axes.flat):
        axes.axis("off")
        if place >= shown:
            continue
        weights = weights_TS[place].reshape(grid)
        veil = 1.0 - weights / max(float(weights.max()), 1e-6)
        axes.imshow(_as_colours(picture_HWC), extent=(0, width, height, 0))
        axes.imshow(np.ones((*grid, 3)), alpha=0.85 * veil, extent=(0, width, height, 0), interpolation="nearest")
        axes.set_title(target_pieces[place], family=fonts, fontsize=9)
    save_figure(figure, path)


def _as_colours(picture_HWC: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture with three channels."""
    return np.repeat(picture_HWC, 3, axis=2) if picture_HWC.shape[2] == 1 else picture_HWC
