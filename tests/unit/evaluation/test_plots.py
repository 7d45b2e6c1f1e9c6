from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from seq2seq_core.evaluation.confidence.calibration_error import make_bins
from seq2seq_core.evaluation.drawing import plots
from seq2seq_core.evaluation.slices import Slice

pytest.importorskip("matplotlib", reason="pictures need Matplotlib")


def is_png(path: Path) -> bool:
    return path.read_bytes().startswith(b"\x89PNG")


def test_the_same_attention_map_is_the_same_bytes(tmp_path: Path) -> None:
    matrix_TS = np.random.default_rng(0).dirichlet(np.ones(4), size=3).astype(np.float32)
    for name in ("one.png", "two.png"):
        plots.plot_attention(tmp_path / name, ["▁a", "б", "ç", "</s>"], ["x", "$y_1$", "</s>"], matrix_TS)
    assert is_png(tmp_path / "one.png")
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


@pytest.mark.parametrize("texts", [["a", "bb", "c" * 500], [""], ["same", "size"]])
def test_lengths_of_any_spread_are_drawn(tmp_path: Path, texts: list[str]) -> None:
    plots.plot_lengths(tmp_path / "x.png", {"sources": texts, "references": texts, "predictions": [""] * len(texts)})
    assert is_png(tmp_path / "x.png")


@pytest.mark.parametrize("metric", ["exact_match", "bleu", "cer"])
def test_parts_are_drawn_even_where_no_font_has_their_names(tmp_path: Path, metric: str) -> None:
    slices = [Slice("language", value, 3, {metric: number}) for value, number in (("de", 0.0), ("\U000f1234", 1.7), ("ру", 0.5))]
    plots.plot_slices(tmp_path / "x.png", slices, metric, 0.4)
    assert is_png(tmp_path / "x.png")


def test_learning_curves_are_drawn_from_the_csv(tmp_path: Path) -> None:
    curve = tmp_path / "curve.csv"
    curve.write_text("step,train_loss,dev_loss,learning_rate,gradient_norm,dev_score\n50,2.5,,0.1,1,\n100,1.5,1.7,0.1,1,0.5\n")
    assert plots.plot_learning_curves(tmp_path / "x.png", curve)
    assert is_png(tmp_path / "x.png")


def test_a_reliability_plot_shows_the_bins(tmp_path: Path) -> None:
    confidences = np.linspace(0.0, 1.0, 100)
    for name, right in (("true.png", confidences > 0.5), ("false.png", confidences < 0.5)):
        plots.plot_reliability(tmp_path / name, make_bins(confidences, right))
        assert is_png(tmp_path / name)
    assert (tmp_path / "true.png").read_bytes() != (tmp_path / "false.png").read_bytes()


def test_a_curve_without_points_is_not_drawn(tmp_path: Path) -> None:
    curve = tmp_path / "curve.csv"
    curve.write_text("step,train_loss,dev_loss\n")
    assert not plots.plot_learning_curves(tmp_path / "x.png", curve)
    assert not (tmp_path / "x.png").exists()


def test_fonts_are_found_for_what_they_can_draw() -> None:
    assert plots.find_fonts("Über ру́сский ▁") == ["DejaVu Sans"]
    assert plots.find_fonts("") == ["DejaVu Sans"]
    assert plots.find_fonts("a\U000f1234") is None
