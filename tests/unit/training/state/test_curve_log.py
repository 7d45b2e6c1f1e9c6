from __future__ import annotations

from pathlib import Path

from seq2seq_core.recorder import NullRecorder
from seq2seq_core.training.state.curve_log import CurveLog, read_curves
from tests.training_runs import ListRecorder


def test_points_go_to_the_file_and_to_the_recorder(tmp_path: Path) -> None:
    recorder = ListRecorder()
    with CurveLog(tmp_path / "curves.jsonl", recorder, 0) as curves:
        curves.add(1, {"train_loss": 0.1 + 0.2})
        curves.add(2, {"dev_loss": 3.0, "dev_bleu": 4.0})
        curves.flush()
    assert recorder.points == [(1, {"train_loss": 0.1 + 0.2}), (2, {"dev_loss": 3.0, "dev_bleu": 4.0})]
    assert list(read_curves(tmp_path / "curves.jsonl")) == recorder.points


def test_a_continued_file_drops_what_came_after_the_restored_state(tmp_path: Path) -> None:
    path = tmp_path / "curves.jsonl"
    with CurveLog(path, NullRecorder(), 0) as curves:
        curves.add(1, {"train_loss": 1.0})
        size = curves.flush()
        curves.add(2, {"train_loss": 2.0})
    with CurveLog(path, NullRecorder(), size) as curves:
        curves.add(2, {"train_loss": 2.5})
        assert curves.flush() > size
    assert list(read_curves(path)) == [(1, {"train_loss": 1.0}), (2, {"train_loss": 2.5})]


def test_a_training_from_the_beginning_keeps_no_earlier_point(tmp_path: Path) -> None:
    path = tmp_path / "curves.jsonl"
    path.write_text('{"step": 1, "train_loss": 1.0}\n')
    with CurveLog(path, NullRecorder(), 0):
        pass
    assert path.read_bytes() == b""
