"""The distortion of answers that are numbers, and what any other answer counts as."""

from __future__ import annotations

import pytest

from seq2seq_core.evaluation.scores import score


def test_the_score_is_the_mean_of_the_numbers_and_no_number_is_the_worst() -> None:
    answers = ["4.5000", "6.5", "no number", "nan", "99", "one two"]
    said = ["one two"] * len(answers)
    expected = (4.5 + 6.5 + 30 + 30 + 30 + 0) / len(answers)
    assert score(answers, said, ["mel_distortion"]) == {"mel_distortion": pytest.approx(expected)}
