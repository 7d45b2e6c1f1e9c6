from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.config.evaluate import EvaluateSection
from seq2seq_core.decoding.prediction import Prediction, TextHypothesis
from seq2seq_core.errors import UserError
from seq2seq_core.evaluation.evaluator import Evaluation, evaluate
from seq2seq_core.evaluation.report import make_scores, scores_as_markdown

PAIRS = [
    {"source": "a", "target": "A", "language": "de"},
    {"source": "bb", "target": "BB", "language": "de"},
    {"source": "ccc", "target": "CCC", "language": "en"},
    {"source": "dddd", "target": "DDDD", "language": ""},
]


class UpperCase:
    """Knows the answer, but for ``ccc``; greedy decoding also fails on ``dddd``."""

    asked_columns: Sequence[str] = ()

    def __init__(self) -> None:
        self.calls: list[tuple[int, int, int]] = []

    def predict(
        self, sources: Sequence[str], options: DecodingOptions, batch_sentences: int, *, tags: Sequence[Mapping[str, str]]
    ) -> list[Prediction]:
        self.calls.append((len(sources), options.beam_size, batch_sentences))
        wrong = {"ccc"} if options.beam_size > 1 else {"ccc", "dddd"}
        texts = [source if source in wrong else source.upper() for source in sources]
        return [Prediction((TextHypothesis(text, -float(len(text)), 0.0),)) for text in texts]


def run(predictor: UpperCase | None = None, pairs: list[dict[str, str]] | None = None, **values: object) -> Evaluation:
    settings = EvaluateSection.model_validate({"slice_columns": ["language"], **values})
    train = [{"source": "a", "target": target} for target in ("A", "x", "A")]
    return evaluate(PAIRS if pairs is None else pairs, train, predictor or UpperCase(), settings.decoding, settings)


def test_the_model_is_scored_by_both_searches_beside_the_baselines() -> None:
    evaluation = run()
    assert evaluation.test["exact_match"] == 0.75
    assert evaluation.greedy["exact_match"] == 0.5
    assert evaluation.baselines["copy_source"]["exact_match"] == 0.0
    assert evaluation.baselines["memorise_else_copy"]["exact_match"] == 0.25
    assert list(evaluation.test) == ["exact_match", "bleu", "chrf", "ter", "cer", "wer"]
    assert "ter" not in evaluation.baselines["copy_source"]


def test_parts_are_by_length_and_by_the_columns_asked_for() -> None:
    parts = {(part.column, part.value): part for part in run().slices}
    assert parts["language", "de"].scores["exact_match"] == 1.0
    assert parts["language", "en"].scores["exact_match"] == 0.0
    assert parts["language", "(empty)"].count == 1
    assert sum(part.count for (column, _), part in parts.items() if column == "source_characters") == 4


def test_the_searches_are_those_of_the_settings() -> None:
    predictor = UpperCase()
    run(predictor, beam_size=7, batch_sentences=9)
    assert predictor.calls == [(4, 7, 9), (4, 1, 9)]


def test_a_beam_of_one_is_decoded_once() -> None:
    predictor = UpperCase()
    evaluation = run(predictor, beam_size=1)
    assert predictor.calls == [(4, 1, 64)]
    assert evaluation.test == evaluation.greedy


def test_many_sentences_are_decoded_in_chunks_and_reported() -> None:
    pairs, predictor, seen = [{"source": "x" * number, "target": "X"} for number in range(1, 41)], UpperCase(), list[object]()
    settings = EvaluateSection(batch_sentences=1)
    evaluate(pairs, [], predictor, settings.decoding, settings, lambda done, search: seen.append((done, search)))
    assert [size for size, _, _ in predictor.calls] == [16, 16, 8, 16, 16, 8]
    assert seen == [(16, "beam"), (32, "beam"), (40, "beam"), (56, "greedy"), (72, "greedy"), (80, "greedy")]


def test_the_worst_examples_are_the_wrong_ones_by_error_rate_and_score() -> None:
    class Copy(UpperCase):
        def predict(
            self, sources: Sequence[str], options: DecodingOptions, batch_sentences: int, *, tags: Sequence[Mapping[str, str]]
        ) -> list[Prediction]:
            texts = {"a": "A", "bb": "bB", "ccc": "ccc", "dddd": "dddd"}
            return [Prediction((TextHypothesis(texts[source], -float(len(source)), 0.0),)) for source in sources]

    evaluation = run(Copy())
    assert [(example.row, example.edits) for example in evaluation.worst(10)] == [(4, 4), (3, 3), (2, 1)]
    assert [example.row for example in evaluation.worst(1)] == [4]
    assert evaluation.worst(10)[2].character_error_rate == 0.5


def test_a_column_that_is_not_there_is_refused_before_anything_is_decoded() -> None:
    predictor = UpperCase()
    with pytest.raises(UserError) as caught:
        run(predictor, slice_columns=["language", "region"])
    assert str(caught.value) == "evaluate.slice_columns: must be columns of the test set (source, target, language), got region"
    assert predictor.calls == []


def test_settings_named_twice_are_refused() -> None:
    with pytest.raises(ValueError, match=r"metrics must be different from one another, got \['bleu', 'bleu'\]"):
        EvaluateSection.model_validate({"metrics": ["bleu", "bleu"]})


def test_every_metric_but_ter_is_known_of_each_value_of_a_column() -> None:
    metrics = ["exact_match", "bleu", "chrf", "ter", "cer", "wer", "rougeL"]
    evaluation = run(metrics=metrics, bleu_tokenizers={"language": {"de": "char"}})
    parts = {(part.column, part.value): part for part in evaluation.slices}
    assert list(parts["language", "de"].scores) == [metric for metric in metrics if metric != "ter"]
    assert parts["language", "de"].scores["rougeL"] == 100.0


def test_a_tokeniser_for_a_column_that_is_no_slice_is_refused() -> None:
    with pytest.raises(ValueError, match=r"bleu_tokenizers must be of columns in slice_columns \['language'\], got 'genre'"):
        run(bleu_tokenizers={"genre": {"x": "zh"}})


def test_equal_questions_are_decoded_once_and_scored_as_often_as_they_are_asked() -> None:
    pairs = [PAIRS[0], PAIRS[2], {**PAIRS[0], "language": "en"}, PAIRS[0]]
    by_source, by_language = UpperCase(), UpperCase()
    by_language.asked_columns = ("language",)
    evaluations = [run(predictor, pairs, beam_size=1) for predictor in (by_source, by_language)]
    assert [predictor.calls[0][0] for predictor in (by_source, by_language)] == [2, 3]
    assert [example.hypothesis for example in evaluations[0].examples] == ["A", "ccc", "A", "A"]
    assert evaluations[0].test == evaluations[1].test
    assert evaluations[0].test["exact_match"] == 0.75


def test_what_train_knows_corrects_the_model_where_it_fails() -> None:
    train = [{"source": "ccc", "target": "CCC"}]
    settings = EvaluateSection(metrics=["exact_match"])
    found = evaluate(PAIRS, train, UpperCase(), settings.decoding, settings)
    assert found.test["exact_match"] == 0.75
    assert found.baselines["memorise_else_model"]["exact_match"] == 1.0
    assert "memorise_else_model" not in evaluate(PAIRS, [], UpperCase(), settings.decoding, settings).baselines


def test_pronunciation_has_its_own_word_error_rate_beside_the_rate_of_wrong_symbols() -> None:
    class Speller(UpperCase):
        def predict(
            self, sources: Sequence[str], options: DecodingOptions, batch_sentences: int, *, tags: Sequence[Mapping[str, str]]
        ) -> list[Prediction]:
            return [Prediction((TextHypothesis(" ".join(source), 0.0, 0.0),)) for source in sources]

    words = [f"{first}{last}" for first in "abcde" for last in "abcde"]
    train = [{"source": word, "target": " ".join(word)} for word in words]
    test = [{"source": "abba", "target": "a b b e"}, {"source": "cede", "target": "c e d e"}]
    settings = EvaluateSection(metrics=["exact_match", "wer"])
    found = evaluate(test, train, Speller(), settings.decoding, settings)
    assert make_scores(found)["task"] == {"word_error_rate": 0.5, "symbol_error_rate": 0.125}
    assert "| model, beam search | 0.5000 | 0.1250 | 0.5000 | 0.1250 |" in scores_as_markdown(found)
    assert found.baselines["commonest_symbols"]["exact_match"] == 0.5
    assert "task" not in make_scores(run())
