"""A lexicon in front of the model: export collects it, and evaluation, the command line and bulk jobs answer with it and say so."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from seq2seq_core.artifacts import Paths
from seq2seq_core.bulk import bulk_run
from seq2seq_core.bulk.bulk_request import BulkRequest
from seq2seq_core.bulk.row_block import RowResult
from seq2seq_core.bundle.bundle import load_bundle
from seq2seq_core.bundle.bundle_folder import bundle_digest
from seq2seq_core.bundle.config_file import read_config
from seq2seq_core.cli.main import app
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.config.settings import Settings
from seq2seq_core.decoding.phrases.wanted_phrases import Phrases
from seq2seq_core.decoding.prediction import Prediction
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.errors import BundleError, UserError
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.serving.batching.predictor_decoder import PredictorDecoder
from seq2seq_core.serving.batching.ticket import Mode, Row
from seq2seq_core.serving.loading import find_model
from seq2seq_core.stages.evaluate import run_evaluate
from seq2seq_core.stages.export import run_export
from seq2seq_core.tokenization.manifest import file_digest
from seq2seq_core.tokenization.tags import TagColumns

OPTIONS = {"beam_size": 2, "max_length": 4, "confidence_event": "none"}
TRAIN = [
    ("5 May", "de", "fünf"), ("5 May", "de", "5"), ("5 May", "de", "fünf"), ("5 May", "en", "five"), ("6 May", "de", "sechs"),
]  # fmt: skip
TEST = [("5 May", "de", "fünf"), ("5 May", "en", "5"), ("6 May", "en", "six"), ("6 May", "de", "sechs")]


def write_pairs(path: Path, rows: list[tuple[str, str, str]]) -> None:
    lines = (json.dumps({"source": source, "target": target, "language": tag}) for source, tag, target in rows)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


@pytest.fixture(scope="module")
def settings(make_settings: Callable[..., Settings]) -> Settings:
    return make_settings(evaluate=OPTIONS | {"lexicon": True})


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory, make_bundle: Callable[..., None], settings: Settings) -> Paths:
    """A workspace with a served bundle of random weights and the lexicon of a few pairs with a tag."""
    paths = Paths(tmp_path_factory.mktemp("lexicon"))
    make_bundle(paths, tags=TagColumns(source=("language",)))
    for split, rows in (("train", TRAIN), ("dev", TEST), ("test", TEST)):
        write_pairs(paths.prepared_split(split), rows)
    run_export(settings, paths, NullRecorder())
    (paths.root / "dvc.yaml").write_text("stages: {}\n")
    return paths


@pytest.fixture(scope="module")
def predictor(paths: Paths) -> Predictor:
    return Predictor.from_folder(paths.served)


def ask(predictor: Predictor, source: str, tag: str, **options: Any) -> Prediction:
    phrases = options.pop("phrases", None)
    return predictor.predict([source], predictor.options.override(**options), tags=[{"language": tag}], phrases=phrases)[0]


def test_a_question_of_train_gets_its_commonest_target_by_source_and_tags(predictor: Predictor) -> None:
    found = [ask(predictor, source, tag) for source, tag, _ in TEST]
    assert [one.from_lexicon for one in found] == [True, True, False, True]
    assert [one.text for one in found if one.from_lexicon] == ["fünf", "five", "sechs"]
    assert found[0].log_probability == found[0].score == pytest.approx(math.log(2 / 3))
    assert ask(predictor, "5 May", "de", lexicon=False) != found[0]


def test_a_list_of_hypotheses_goes_on_with_those_of_the_model(predictor: Predictor) -> None:
    (first, second), alone = (
        ask(predictor, "5 May", "de", num_hypotheses=2).hypotheses,
        ask(predictor, "5 May", "de", lexicon=False),
    )
    assert (first.text, first.from_lexicon) == ("fünf", True)
    assert second == alone.hypotheses[0]


@pytest.mark.parametrize("options", [{"method": "sampling"}, {"phrases": Phrases(("2031",))}], ids=["sampled", "forced"])
def test_the_model_answers_where_more_is_asked(predictor: Predictor, options: dict[str, Any]) -> None:
    assert not ask(predictor, "5 May", "de", **options).from_lexicon


def test_attention_is_that_of_the_model(predictor: Predictor) -> None:
    assert predictor.attention("5 May", tags={"language": "de"}) is not None


def test_the_evaluation_is_of_both_together_and_counts_the_answers(paths: Paths, settings: Settings) -> None:
    result = run_evaluate(settings, paths, NullRecorder())
    assert result.test["exact_match"] == 0.5
    scores = json.loads((paths.evaluation / "scores.json").read_text())
    assert scores["counts"]["lexicon_answers"] == 3
    rows = [json.loads(line) for line in (paths.evaluation / "predictions.jsonl").read_text().splitlines()]
    assert [row["from_lexicon"] for row in rows] == [True, True, False, True]
    assert "memorise_else_model" not in result.baselines


def test_a_test_set_that_asks_nothing_of_train_shows_nothing_of_the_lexicon(
    paths: Paths, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    write_pairs(paths.prepared_split("test"), TEST[2:3])
    with caplog.at_level(logging.WARNING):
        run_evaluate(settings, paths, NullRecorder())
    write_pairs(paths.prepared_split("test"), TEST)
    assert (
        "evaluate.lexicon: no source of test is in train, so these scores do not show what the lexicon is worth" in caplog.messages
    )


def test_the_command_line_marks_the_answers(paths: Paths) -> None:
    words = ["predict", "--model", str(paths.served), "--workspace", str(paths.root), "--json", "--device", "cpu"]
    tags = paths.root / "tags.jsonl"
    tags.write_text('{"language": "de"}\n' * 2)

    def run(*more: str) -> list[Any]:
        done = CliRunner().invoke(app, [*words, "--tags", str(tags), *more], input="5 May\n7 May\n")
        assert done.exit_code == 0, done.output
        return [json.loads(line) for line in done.stdout.splitlines()]

    assert [(row["from_lexicon"], row["prediction"] == "fünf") for row in run()] == [(True, True), (False, False)]
    assert ["from_lexicon" in row for row in run("--no-lexicon")] == [False, False]


class InThisProcess:
    engines = ("pytorch",)

    def __init__(self, predictor: Predictor) -> None:
        self.decoder = PredictorDecoder(predictor)

    def submit(self, rows: Sequence[Row], mode: Mode) -> Future[list[RowResult]]:
        done: Future[list[RowResult]] = Future()
        done.set_result([RowResult(one.hypotheses) for one in self.decoder.decode(rows, mode, lambda: False)])
        return done

    def close(self) -> None:
        pass


class Silent:
    def update(self, completed: float, message: str = "") -> None:
        pass


def test_a_bulk_job_marks_the_answers(paths: Paths, predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_run, "_start_workers", lambda *_: InThisProcess(predictor))
    request = BulkRequest(
        inputs=(paths.prepared_split("test"),), output=tmp_path / "out", source_column="source", output_column="answer",
        output_format="jsonl", device="cpu",
    )  # fmt: skip
    bulk_run.run_bulk(request, find_model(str(paths.served), paths), predictor.options, lambda *_: nullcontext(Silent()))
    (shard,) = (tmp_path / "out").glob("*.jsonl")
    rows = [json.loads(line) for line in shard.read_text().splitlines()]
    assert [row["answer_from_lexicon"] for row in rows] == [True, True, False, True]
    assert rows[0]["answer"] == "fünf"


def test_the_file_is_part_of_the_bundle_and_is_checked(paths: Paths, settings: Settings, tmp_path: Path) -> None:
    content, before = read_config(paths.served), bundle_digest(paths.served)
    assert content.lexicon == 3
    assert content.digests["lexicon.jsonl"] == file_digest(paths.served / "lexicon.jsonl")
    run_export(settings, paths, NullRecorder())
    assert bundle_digest(paths.served) == before
    text = (paths.served / "lexicon.jsonl").read_text()
    (paths.served / "lexicon.jsonl").write_text(text.replace("five", "nine"))
    with pytest.raises(BundleError, match=r"lexicon.jsonl: damaged or exchanged"):
        load_bundle(paths.served)
    (paths.served / "lexicon.jsonl").write_text(text)


def test_a_bundle_without_one_refuses_to_ask_it(paths: Paths) -> None:
    options = DecodingOptions(beam_size=2, lexicon=True)
    with pytest.raises(UserError, match="lexicon: must be false with this model"):
        Predictor.from_folder(paths.bundle).predict(["5 May"], options, tags=[{"language": "de"}])
