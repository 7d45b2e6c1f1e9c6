from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
import torch

from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.bundle import save_bundle
from seq2seq_core.bundle.config_file import BundleConfig
from seq2seq_core.config.model import ModelSection
from seq2seq_core.config.settings import Settings, parse_settings
from seq2seq_core.config.tokenize import SubwordSettings
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.errors import BundleError, MissingInput, UserError
from seq2seq_core.evaluation.drawing import plots
from seq2seq_core.modeling.model_building import build_model
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.registry.evaluated import read_evaluated
from seq2seq_core.stages.evaluate import run_evaluate
from seq2seq_core.stages.export import run_export
from seq2seq_core.tokenization.subword import train_subword

TEST = [("ab", "x y", "de"), ("abc", "y", "en"), ("", "x", "de"), ("ba", "x x", "fr")]


class KeepingRecorder(NullRecorder):
    keeps_files = True

    def __init__(self) -> None:
        self.metrics: dict[str, float] = {}
        self.names: list[str] = []
        self.datasets: list[tuple[Any, ...]] = []

    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        self.metrics |= metrics

    def log_text(self, text: str, name: str) -> None:
        assert text
        self.names.append(name)

    def log_file(self, path: Path, folder: str = "") -> None:
        assert path.is_file()
        self.names.append(f"{folder}/{path.name}")

    def log_dataset(self, path: Path, name: str, digest: str, context: str) -> None:
        self.datasets.append((path, name, digest, context))


def make_settings(**evaluate: object) -> Settings:
    sections = {
        "corpus": {"path": "x", "files": {"train": ["train.tsv"]}},
        "register": {"model_name": "m"},
        "evaluate": {"beam_size": 2, "max_length_ratio": 1.0, "max_length_offset": 1, "slice_columns": ["language"]} | evaluate,
    }
    return parse_settings(sections, "test")


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    paths = Paths(tmp_path)
    paths.prepared.mkdir(parents=True)
    for split, rows in (("train", [("ab", "x y", "de")]), ("test", TEST)):
        lines = (json.dumps({"source": source, "target": target, "language": language}) for source, target, language in rows)
        paths.prepared_split(split).write_text("".join(f"{line}\n" for line in lines))
    source = train_subword(["abc"], SubwordSettings(model="char"))
    target = train_subword(["x y"], SubwordSettings(model="symbols"))
    settings = ModelSection(width=8)
    config = BundleConfig(
        model=settings, source_vocabulary_size=source.vocabulary_size, target_vocabulary_size=target.vocabulary_size, joint=False
    )
    torch.manual_seed(1)
    model = build_model(settings, source.vocabulary_size, target.vocabulary_size, joint=False)
    save_bundle(paths.bundle, model, config, source, target, {})
    run_export(make_settings(), paths, NullRecorder())
    return paths


def read_outputs(paths: Paths) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (*paths.evaluation.iterdir(), paths.metrics)}


def test_the_outputs_hold_scores_predictions_and_parts(paths: Paths) -> None:
    result = run_evaluate(make_settings(), paths, NullRecorder())
    metrics, scores = (json.loads(path.read_text()) for path in (paths.metrics, paths.evaluation / "scores.json"))
    assert list(metrics) == ["test", "counts", "scored"]
    assert sum(map(len, metrics.values())) <= 10  # columns of `dvc metrics show`
    assert list(scores) == ["test", "greedy", "baselines", "slices", "counts"]
    assert metrics["test"] == scores["test"]
    assert 0.0 <= metrics["test"]["exact_match"] == round(result.test["exact_match"], 6) <= 1.0
    assert metrics["counts"]["pairs"] == result.pairs == 4
    assert scores["baselines"]["memorise_else_copy"]["exact_match"] == 0.25
    assert sorted(scores["slices"]["language"]) == ["de", "en", "fr"]
    assert len((paths.evaluation / "predictions.jsonl").read_text().splitlines()) == 4
    assert sorted(json.loads((paths.evaluation / "signatures.json").read_text())) == ["bleu", "chrf", "ter"]


def test_a_signature_is_stated_for_each_tokeniser_of_bleu(paths: Paths) -> None:
    run_evaluate(
        make_settings(metrics=["exact_match", "bleu"], bleu_tokenizers={"language": {"fr": "intl"}}), paths, NullRecorder()
    )
    found = json.loads((paths.evaluation / "signatures.json").read_text())
    assert [(name, "tok:intl" in text) for name, text in found.items()] == [("bleu", False), ("bleu of language fr", True)]


def test_hypotheses_that_were_cut_are_counted_and_warned_of(paths: Paths, caplog: pytest.LogCaptureFixture) -> None:
    run_export(make_settings(max_length=1), paths, NullRecorder())
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        run_evaluate(make_settings(max_length=1), paths, NullRecorder())
    rows = [json.loads(line) for line in (paths.evaluation / "predictions.jsonl").read_text().splitlines()]
    number = sum(row["is_cut"] for row in rows)
    assert 0 < number == json.loads(paths.metrics.read_text())["counts"]["cut_hypotheses"]
    assert caplog.messages == [
        f"{number} of 4 hypotheses were cut at their length limit; a larger evaluate.max_length (now 1) gives more room"
    ]


def test_a_second_run_writes_the_same_bytes(paths: Paths) -> None:
    run_evaluate(make_settings(), paths, NullRecorder())
    before = read_outputs(paths)
    run_evaluate(make_settings(), paths, NullRecorder())
    assert read_outputs(paths) == before


def test_figures_tables_and_pictures_are_recorded(paths: Paths) -> None:
    pytest.importorskip("matplotlib", reason="pictures need Matplotlib")
    paths.training_curve.parent.mkdir(parents=True, exist_ok=True)
    paths.training_curve.write_text("step,train_loss,dev_loss,dev_score\n10,2.0,2.1,0.5\n20,1.0,1.1,0.6\n")
    recorder = KeepingRecorder()
    result = run_evaluate(make_settings(), paths, recorder)
    assert recorder.metrics["test_exact_match"] == result.test["exact_match"]
    assert {
        "greedy_bleu",
        "baseline_copy_source_cer",
        "slice_exact_match/language/de",
        "slice_bleu/language/en",
        "beam_sentences_per_second",
    } <= set(recorder.metrics)
    assert {"evaluation/scores.md", "evaluation/worst.csv", "evaluation/metrics.json"} <= set(recorder.names)
    assert {"plots/lengths.png", "plots/slices.png", "plots/learning_curves.png", "plots/attention_1.png"} <= set(recorder.names)
    ((path, _, digest, context),) = recorder.datasets
    assert (path, len(digest), context) == (paths.prepared_split("test"), 64, "testing")
    assert not any(path.suffix == ".png" for path in paths.root.rglob("*"))


def test_no_picture_is_drawn_where_none_is_kept(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(plots, "plot_lengths")
    recorder = KeepingRecorder()
    monkeypatch.setattr(recorder, "keeps_files", False)
    run_evaluate(make_settings(), paths, recorder)
    assert not any(name.endswith(".png") for name in recorder.names)


def test_without_matplotlib_there_are_no_pictures(
    paths: Paths, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(plots, "can_plot", lambda: False)
    recorder = KeepingRecorder()
    with caplog.at_level(logging.INFO):
        run_evaluate(make_settings(), paths, recorder)
    assert "no pictures: Matplotlib is not installed" in caplog.messages
    assert not any(name.endswith(".png") for name in recorder.names)


def test_a_model_without_attention_gets_no_attention_map(
    paths: Paths, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("matplotlib", reason="pictures need Matplotlib")
    monkeypatch.setattr(Predictor, "attention", lambda *_, **__: None)
    recorder = KeepingRecorder()
    with caplog.at_level(logging.INFO):
        run_evaluate(make_settings(), paths, recorder)
    assert "no attention map: the model has no attention" in caplog.messages
    assert "plots/lengths.png" in recorder.names
    assert not any("attention" in name for name in recorder.names)


def test_only_the_first_rows_are_decoded_where_that_is_asked_for(paths: Paths, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert run_evaluate(make_settings(test_limit=2), paths, NullRecorder()).pairs == 2
    assert caplog.messages[:1] == ["evaluate.test_limit: only the first 2 pairs of test are decoded; report no figure of these"]


@pytest.mark.parametrize("split", ["test", "train"])
def test_a_missing_split_names_the_command(paths: Paths, split: str) -> None:
    paths.prepared_split(split).unlink()
    with pytest.raises(MissingInput) as caught:
        run_evaluate(make_settings(), paths, NullRecorder())
    assert str(caught.value) == f"{paths.prepared}/{split}.jsonl: no such file; `s2s prepare` (or `dvc repro prepare`) makes it"
    assert not paths.metrics.exists()


def test_a_missing_bundle_names_the_command(paths: Paths) -> None:
    paths.served.rename(paths.root / "elsewhere")
    with pytest.raises(MissingInput) as caught:
        run_evaluate(make_settings(), paths, NullRecorder())
    assert str(caught.value) == f"{paths.served}: no such model bundle; `s2s export` (or `dvc repro export`) makes one"


def test_a_damaged_bundle_is_refused(paths: Paths) -> None:
    (paths.served / "source.model").write_bytes(b"x")
    with pytest.raises(BundleError, match="damaged or exchanged"):
        run_evaluate(make_settings(), paths, NullRecorder())


def test_the_search_is_that_of_the_served_bundle_and_other_settings_are_told(
    paths: Paths, caplog: pytest.LogCaptureFixture
) -> None:
    run_evaluate(make_settings(), paths, NullRecorder())
    before = read_outputs(paths)
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        run_evaluate(make_settings(beam_size=1, max_length=1, engine="ctranslate2"), paths, NullRecorder())
    assert read_outputs(paths) == before
    assert caplog.messages[:2] == [
        f"the decoding options are those of {paths.served}, not those of the section evaluate; `s2s export` brings them there",
        f"the engine is that of {paths.served} (torch at float32), not that of the section evaluate; `s2s export` brings it there",
    ]
    for compute_type, is_told in (("int8", True), ("bfloat16", False)):  # PyTorch has no bfloat16 here
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            run_evaluate(make_settings(compute_type=compute_type), paths, NullRecorder())
        assert any(message.startswith("the engine is that of") for message in caplog.messages) == is_told


def test_an_empty_test_set_is_refused(paths: Paths) -> None:
    paths.prepared_split("test").write_text("")
    with pytest.raises(UserError) as caught:
        run_evaluate(make_settings(), paths, NullRecorder())
    assert str(caught.value) == (
        f"{paths.prepared}/test.jsonl: no pair to evaluate on; expected some from corpus.files.test or prepare.test_fraction"
    )


def test_a_failed_run_leaves_the_older_output(paths: Paths) -> None:
    run_evaluate(make_settings(), paths, NullRecorder())
    before = read_outputs(paths)
    with pytest.raises(UserError, match="must be columns of the test set"):
        run_evaluate(make_settings(slice_columns=["region"]), paths, NullRecorder())
    assert read_outputs(paths) == before


def test_registering_by_a_metric_that_is_not_scored_is_refused() -> None:
    with pytest.raises(UserError, match=r"evaluate\.metrics: must contain register\.metric 'exact_match', got \['bleu'\]"):
        make_settings(metrics=["bleu"])


def test_rows_of_one_question_are_one_row_with_several_references(paths: Paths, caplog: pytest.LogCaptureFixture) -> None:
    plain = Predictor.from_folder(paths.served).predict(["ab"])[0].text
    rows = [("ab", "nothing like it", "de"), ("ab", plain, "de"), ("b", "x", "fr")]
    lines = (json.dumps({"source": source, "target": target, "language": language}) for source, target, language in rows)
    paths.prepared_split("test").write_text("".join(f"{line}\n" for line in lines))
    with caplog.at_level(logging.INFO):
        each = run_evaluate(make_settings(metrics=["exact_match", "cer"]), paths, NullRecorder())
    assert "1 of 3 rows of test ask what an earlier row asks and have another reference" in caplog.text
    settings = make_settings(metrics=["exact_match", "cer"], references="together")
    with caplog.at_level(logging.INFO):
        together = run_evaluate(settings, paths, NullRecorder())
    assert "1 of 2 rows of test have several references" in caplog.text
    assert (each.pairs, together.pairs) == (3, 2)
    assert together.test["exact_match"] == each.test["exact_match"] * 3 / 2 > 0.0
    first, second = map(json.loads, (paths.evaluation / "predictions.jsonl").read_text().splitlines())
    assert (first["reference"], first["references"], first["edits"]) == (plain, ["nothing like it", plain], 0)
    assert "references" not in second
    assert read_evaluated(settings, paths).scores["exact_match"] == together.test["exact_match"]
    with pytest.raises(UserError, match="the test set has changed since it was scored"):
        read_evaluated(make_settings(metrics=["exact_match", "cer"]), paths)
