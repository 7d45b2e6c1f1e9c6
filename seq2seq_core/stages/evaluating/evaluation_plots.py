"""Plots of an evaluation for the recorder: lengths, slices, curves, and attention over texts, recordings and pictures."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.evaluate import EvaluateSection
from seq2seq_core.decoding.prediction import Alignment
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.evaluation.confidence.confidence_check import ConfidenceCheck
from seq2seq_core.evaluation.drawing import plots
from seq2seq_core.evaluation.drawing.attention_pictures import plot_grid_attention, plot_line_attention
from seq2seq_core.evaluation.evaluator import Evaluation, Example
from seq2seq_core.evaluation.scores import quick_metrics
from seq2seq_core.normal_form import is_blank
from seq2seq_core.recorder import Recorder

logger = logging.getLogger(__name__)

MAX_PICTURE_PIECES = 120
"""Maximum number of pieces of an answer whose attention is drawn over its picture."""
ATTENTION_MAPS, MAX_ATTENTION_TRIES = 6, 40
MAX_PIECES = 45
"""Maximum number of pieces on a side of an attention map; larger maps are hard to read."""


def record_plots(
    recorder: Recorder,
    evaluation: Evaluation,
    predictor: Predictor,
    section: EvaluateSection,
    paths: Paths,
    confidence: ConfidenceCheck | None,
) -> None:
    """Draws plots for the recorder only; they are not outputs of the stage.

    Args:
        recorder: receives the plots.
        evaluation: of the test set.
        predictor: the model.
        section: metrics and slices.
        paths: the workspace; reads the curves of the training.
        confidence: of the test set; None: answers have none.
    """
    if not recorder.keeps_files:
        return
    if not plots.can_plot():
        logger.info("no pictures: Matplotlib is not installed")
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sides = {"sources": "source", "references": "reference", "predictions": "hypothesis"}
        if predictor.sources.has_frames:
            del sides["sources"]  # names of files
        texts = {name: [getattr(example, side) for example in evaluation.examples] for name, side in sides.items()}
        plots.plot_lengths(folder / "lengths.png", texts)
        if first := _headline_metric(section):
            plots.plot_slices(folder / "slices.png", evaluation.slices, first, evaluation.test[first])
        if confidence is not None:
            plots.plot_reliability(folder / "reliability.png", confidence.bins)
        if paths.training_curve.is_file():
            plots.plot_learning_curves(folder / "learning_curves.png", paths.training_curve)
        _plot_attention(folder, evaluation, predictor, section)
        for path in sorted(folder.iterdir()):
            recorder.log_file(path, "plots")
        recorder.flush()  # before the temporary files are removed


def _plot_attention(folder: Path, evaluation: Evaluation, predictor: Predictor, section: EvaluateSection) -> None:
    """Draws the attention of a few test sentences, one for each value of the first slice column in turn."""
    drawn = 0
    for example in _order_by_variety(evaluation, section.slice_columns[:1]):
        if drawn == ATTENTION_MAPS:
            return
        alignment = predictor.attention(example.source, tags=example.columns)
        if alignment is None:
            logger.info("no attention map: the model has no attention")
            return
        if predictor.bundle.config.pictures is not None:
            drawn += _plot_over_picture(folder / f"attention_{drawn + 1}.png", example, alignment, predictor)
            continue
        pieces = "".join([*alignment.source_pieces, *alignment.target_pieces])
        if max(alignment.weights_TS.shape) <= MAX_PIECES and plots.find_fonts(pieces):
            drawn += 1
            plots.plot_attention(folder / f"attention_{drawn}.png", *alignment)
    if not drawn:
        logger.info("no attention map: the first test sentences are long, or no installed font has their characters")


def _plot_over_picture(path: Path, example: Example, alignment: Alignment, predictor: Predictor) -> bool:
    """Draws the attention over a picture, and returns whether it could be drawn.

    Args:
        path: the output PNG file.
        example: names the picture.
        alignment: of the answer.
        predictor: the model.
    """
    config, reader = predictor.bundle.config, predictor.sources.reader
    assert config.pictures is not None
    assert reader is not None
    if len(alignment.target_pieces) > MAX_PICTURE_PIECES or not plots.find_fonts("".join(alignment.target_pieces)):
        return False
    picture_HWC = config.pictures.picture_of(np.asarray(reader.read(example.source), dtype=np.uint8))
    grid = config.grid_of_steps
    if grid is None:
        plot_line_attention(path, picture_HWC, alignment.target_pieces, alignment.weights_TS)
    else:
        plot_grid_attention(path, picture_HWC, alignment.target_pieces, alignment.weights_TS, grid)
    return True


def _order_by_variety(evaluation: Evaluation, columns: Sequence[str]) -> list[Example]:
    """Examples that are short enough for a plot: the first of each value of the columns, then the second, and so on."""
    seen: dict[str, int] = {}
    ranked = []
    for example in evaluation.examples:
        if not is_blank(example.source) and max(len(example.source), len(example.hypothesis)) <= 6 * MAX_PIECES:
            value = "".join(example.columns.get(column, "") for column in columns)
            seen[value] = seen.get(value, -1) + 1
            ranked.append((seen[value], example.row, example))
    return [example for _, _, example in sorted(ranked, key=lambda item: item[:2])[:MAX_ATTENTION_TRIES]]


def _headline_metric(section: EvaluateSection) -> str | None:
    """The metric for the plot of slices: the first one that slices have."""
    return next(iter(quick_metrics(section.metrics)), None)
