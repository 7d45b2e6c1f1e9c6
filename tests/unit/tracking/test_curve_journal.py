from __future__ import annotations

from pathlib import Path

from seq2seq_core.tracking.mlflow.curve_journal import CurveJournal, Point


def test_a_step_that_is_in_the_file_already_is_left_out_metric_by_metric(tmp_path: Path) -> None:
    first = CurveJournal(tmp_path / "points.jsonl")
    assert first.append(1, 10, {"loss": 3.0}) == {"loss": 3.0}
    assert first.append(2, 20, {"loss": 2.0, "score": 0.5}) == {"loss": 2.0, "score": 0.5}
    first.close()
    second = CurveJournal(tmp_path / "points.jsonl")
    assert second.append(1, 30, {"loss": 3.0}) == {}
    assert second.append(2, 30, {"loss": 2.0, "rate": 0.1}) == {"rate": 0.1}
    assert second.append(3, 40, {"loss": 1.0, "score": 0.6}) == {"loss": 1.0, "score": 0.6}
    assert list(second.read()) == [
        Point(1, 10, {"loss": 3.0}),
        Point(2, 20, {"loss": 2.0, "score": 0.5}),
        Point(2, 30, {"rate": 0.1}),
        Point(3, 40, {"loss": 1.0, "score": 0.6}),
    ]
    second.close()


def test_a_line_that_a_kill_cut_short_costs_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "points.jsonl"
    journal = CurveJournal(path)
    journal.append(1, 10, {"loss": 3.0})
    journal.append(2, 20, {"loss": 2.0})
    journal.close()
    path.write_bytes(path.read_bytes()[:-8])
    again = CurveJournal(path)
    assert again.marks == {"loss": 1}
    again.append(2, 30, {"loss": 2.0})
    assert list(again.read()) == [Point(1, 10, {"loss": 3.0}), Point(2, 30, {"loss": 2.0})]
    again.close()


def test_what_is_stored_elsewhere_is_not_sent_again(tmp_path: Path) -> None:
    journal = CurveJournal(tmp_path / "points.jsonl")
    for step in range(4):
        journal.append(step, step, {"loss": float(step), "score": 0.0})
    journal.close()
    assert list(journal.after({"loss": 2, "score": 3})) == [Point(3, 3, {"loss": 3.0})]
    assert [point.step for point in journal.after({})] == [0, 1, 2, 3]
