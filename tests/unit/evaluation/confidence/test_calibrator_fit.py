from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest

from seq2seq_core.config.decoding_options import AnswerEvent
from seq2seq_core.config.evaluate import EvaluateSection
from seq2seq_core.decoding.confidence.answer_features import state_confidence
from seq2seq_core.decoding.prediction import TextHypothesis
from seq2seq_core.evaluation.confidence.calibrator_fit import fit_calibrator, read_dev
from seq2seq_core.evaluation.confidence.confidence_check import check_confidences
from seq2seq_core.evaluation.confidence.right_answers import find_right


def make_answers(number: int, seed: int) -> tuple[list[TextHypothesis], list[str]]:
    """Answers that are right with the square of the model's probability: the model is too sure."""
    chance = np.random.default_rng(seed)
    logs = -chance.exponential(1.0, number)
    answers = [TextHypothesis("ab", log, log, num_tokens=int(chance.integers(2, 20)), num_source_tokens=9) for log in logs.tolist()]
    return answers, ["ab" if chance.random() < np.exp(2 * log) else "cd" for log in logs]


def test_a_model_that_is_too_sure_gets_true_confidences_on_other_answers() -> None:
    answers, references = make_answers(2000, 1)
    calibrator = fit_calibrator(answers, references, "exact_match", 60.0)
    assert calibrator is not None
    assert (calibrator.rows, calibrator.right, calibrator.min_chrf) == (2000, references.count("ab"), 0.0)
    others, truth = make_answers(2000, 2)
    texts = [one.text for one in others]
    calibrated = [state_confidence(one, calibrator).confidence for one in others]
    found = check_confidences(calibrated, texts, truth, calibrator)
    raw = check_confidences([float(np.exp(one.log_probability)) for one in others], texts, truth, calibrator)
    assert found is not None
    assert raw is not None
    assert found.error.value < 0.04 < 0.1 < raw.error.value
    assert found.ranking == pytest.approx(raw.ranking, abs=0.01)
    assert found.promises
    assert all(one.is_kept for one in found.promises)
    assert json.loads(json.dumps(found.to_dict()))["dev"] == {
        "event": "exact_match", "min_chrf": 0.0, "rows": 2000, "right": references.count("ab"),
    }  # fmt: skip


def test_last_digits_of_probabilities_do_not_change_the_calibrator() -> None:
    answers, references = make_answers(500, 3)
    moved = [
        TextHypothesis(one.text, one.score, one.log_probability * (1 + 1e-7), num_tokens=one.num_tokens, num_source_tokens=9)
        for one in answers
    ]
    assert fit_calibrator(moved, references, "exact_match", 60.0) == fit_calibrator(answers, references, "exact_match", 60.0)


def test_answers_that_nothing_decoded_do_not_count(caplog: pytest.LogCaptureFixture) -> None:
    answers, references = make_answers(60, 4)
    empty = [TextHypothesis("", 0.0, 0.0)] * 20
    found = fit_calibrator([*empty, *answers], [*["x"] * 20, *references], "exact_match", 60.0)
    assert found == fit_calibrator(answers, references, "exact_match", 60.0)
    assert fit_calibrator([*empty, *answers[:49]], [*["x"] * 20, *references[:49]], "exact_match", 60.0) is None
    assert caplog.messages == [
        "49 pairs of dev have a source with text, expected at least 50 to calibrate a confidence: answers will have none, and "
        "min_confidence is refused"
    ]


RARE = (
    "expected at least 10 right and 10 wrong ones to calibrate a confidence: answers will have none, and min_confidence is refused"
)


@pytest.mark.parametrize(
    ("event", "num_right", "expected"),
    [
        ("exact_match", 525, f"dev: 0 of 525 answers are wrong, {RARE}; a larger or harder dev set helps"),
        ("exact_match", 516, f"dev: 9 of 525 answers are wrong, {RARE}; a larger or harder dev set helps"),
        (
            "exact_match",
            9,
            f"dev: 9 of 525 answers are right, {RARE}; a larger dev set, a better model, or evaluate.confidence_event: chrf helps",
        ),
        (
            "chrf",
            9,
            f"dev: 9 of 525 answers are right, {RARE}; a larger dev set, a better model, or a lower evaluate.confidence_chrf helps",
        ),
    ],
)
def test_answers_that_are_nearly_all_right_or_all_wrong_give_no_constant_confidence(
    event: AnswerEvent, num_right: int, expected: str, caplog: pytest.LogCaptureFixture
) -> None:
    answers, _ = make_answers(525, 5)
    with caplog.at_level(logging.WARNING):
        assert fit_calibrator(answers, ["ab"] * num_right + ["cd"] * (525 - num_right), event, 60.0) is None
    assert caplog.messages == [expected]


def test_ten_wrong_answers_are_enough(caplog: pytest.LogCaptureFixture) -> None:
    answers, _ = make_answers(525, 5)
    found = fit_calibrator(answers, ["ab"] * 515 + ["cd"] * 10, "exact_match", 60.0)
    assert found is not None
    assert any(found.weights.values())
    assert not caplog.messages


@pytest.mark.parametrize(
    ("event", "expected"), [("exact_match", [True, False, False]), ("chrf", [True, True, False])]
)  # fmt: skip
def test_a_right_answer_is_the_reference_or_one_much_like_it(event: AnswerEvent, expected: list[bool]) -> None:
    references = ["a man sleeps on a couch"] * 3
    assert (
        find_right(["a man sleeps on a couch", "a man sleeps on the couch", "two dogs"], references, event, 60.0).tolist()
        == expected
    )


def test_too_few_pairs_of_dev_are_told_and_none_are_taken(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "dev.jsonl"
    pair = json.dumps({"source": "a", "target": "b"}) + "\n"
    file.write_text(pair * 51, encoding="utf-8")
    few, many = EvaluateSection(confidence_rows=50), EvaluateSection()
    assert (len(read_dev(file, few)), len(read_dev(file, many))) == (50, 51)
    assert not caplog.messages
    file.write_text(pair * 49, encoding="utf-8")
    with caplog.at_level(logging.WARNING):
        assert read_dev(file, many) == read_dev(tmp_path / "none.jsonl", many) == []
    expected = "pairs, expected at least 50 to calibrate a confidence: answers will have none, and min_confidence is refused"
    assert caplog.messages == [f"{file}: 49 {expected}", f"{tmp_path / 'none.jsonl'}: 0 {expected}"]
