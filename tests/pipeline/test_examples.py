"""The notebooks of examples/ run, and show what they say."""

from __future__ import annotations

import runpy
import shutil
from pathlib import Path
from typing import Any

import pytest

from seq2seq_core.artifacts import Paths
from seq2seq_core.evaluation.drawing import plots

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "examples"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory, mlflow_template: Path) -> Path:
    """An empty workspace for notebooks, with a migrated MLflow database."""
    paths = Paths(tmp_path_factory.mktemp("number_words"))
    shutil.copy(mlflow_template, paths.mlflow_database)
    return paths.root


@pytest.fixture
def run_notebook(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a notebook by its name, in the repository's root; returns its variables."""
    monkeypatch.chdir(ROOT)
    monkeypatch.syspath_prepend(str(NOTEBOOKS))
    monkeypatch.setenv("S2S_EXAMPLE_WORKSPACE", str(workspace))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr(plots, "can_plot", lambda: False)
    return lambda name: runpy.run_path(str(NOTEBOOKS / f"{name}.py"))


def test_every_notebook_has_cells_and_begins_with_a_title() -> None:
    files = sorted(path.stem for path in NOTEBOOKS.glob("*.py"))
    assert files == ["call_the_model", "compare_runs", "number_words", "train_and_predict"]
    for name in set(files) - {"number_words"}:
        cells = (NOTEBOOKS / f"{name}.py").read_text(encoding="utf-8").split("# %%")
        assert len(cells) > 6
        assert cells[1].startswith(" [markdown]\n# # ")


def test_train_and_predict_and_then_compare_the_runs(run_notebook: Any) -> None:
    trained = run_notebook("train_and_predict")
    assert trained["dev"][64] > trained["dev"][32] > 0.1
    assert trained["test"]["exact_match"] > 0.5
    assert len(trained["answers"]) == 3
    assert len({hypothesis.text for hypothesis in trained["best"].hypotheses}) == 3

    compared = run_notebook("compare_runs")
    assert compared["table"]["model.width"].tolist() == ["64", "32"]
    reached = compared["table"]["dev_exact_match"].astype(float).tolist()
    assert all(len(points) == 3 for points in compared["curves"].values())
    assert sorted(reached) == sorted(points[-1][1] for points in compared["curves"].values())
