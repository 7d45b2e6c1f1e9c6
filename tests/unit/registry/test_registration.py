from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.bundle import bundle_digest
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.config.settings import Settings
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.errors import MissingInput, UserError
from seq2seq_core.evaluation.scores import quick_metrics
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.registry.receipts import Receipt, check_receipt, drop_stale_receipt, has_promoted, write_receipt
from seq2seq_core.registry.registration import describe, register_bundle
from seq2seq_core.registry.version_scores import score_predictor
from seq2seq_core.registry.versions import find_model, find_number
from seq2seq_core.stages.export import run_export
from seq2seq_core.tracking.mlflow.store import connect
from seq2seq_core.tracking.session import open_stage_recorder


def aliases(paths: Paths) -> dict[str, str]:
    model = find_model(connect(paths), "dates")
    assert model is not None
    return {alias: str(version) for alias, version in model.aliases.items()}


def tags(paths: Paths, version: str) -> dict[str, str]:
    found = find_number(connect(paths), "dates", version)
    assert found is not None
    return dict(found.tags)


def count_versions(paths: Paths) -> int:
    return len(connect(paths).search_model_versions("name = 'dates'"))


def test_the_same_bundle_is_registered_once_and_its_receipt_stays_the_same(
    tracked_paths: Paths, tracked_settings: Settings, make_bundle: Callable[..., None]
) -> None:
    make_bundle(tracked_paths, scores={"exact_match": 0.75, "bleu": 60.5})
    first = register_bundle(tracked_settings, tracked_paths)
    second = register_bundle(tracked_settings, tracked_paths)
    assert (first.is_new, second.is_new) == (True, False)
    assert first.receipt == second.receipt
    assert count_versions(tracked_paths) == 1
    assert aliases(tracked_paths) == {"champion": "1"}
    evidence = tags(tracked_paths, "1")
    assert evidence["bundle_digest"] == bundle_digest(tracked_paths.served) == first.receipt.bundle_digest
    assert (evidence["test.exact_match"], evidence["test.bleu"]) == ("0.75", "60.5")
    assert evidence["decision_reason"] == "there was no champion; exact_match 0.75"
    assert first.receipt.registry == "sqlite:///mlflow.db"


def test_a_better_version_takes_the_alias_and_a_worse_one_is_the_challenger(
    tracked_paths: Paths, tracked_settings: Settings, make_bundle: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, promoting = [], []
    for seed, score, run in ((1, 0.5, "a"), (2, 0.75, "b"), (3, 0.625, "c"), (2, 0.75, "d")):
        make_bundle(tracked_paths, seed, {"exact_match": score})
        monkeypatch.setenv("S2S_GRAPH_RUN", run)
        receipt = register_bundle(tracked_settings, tracked_paths).receipt
        promoting += [run] if has_promoted(run, tracked_paths) else []
        if run == "d":  # the champion's bundle came back: its receipt is the same, and nothing moved
            break
        seen.append((receipt.version, receipt.decision, receipt.champion_version, receipt.champion_score))
    assert seen == [("1", "champion", None, None), ("2", "champion", "1", 0.5), ("3", "challenger", "2", 0.75)]
    assert promoting == ["a", "b"]
    assert aliases(tracked_paths) == {"champion": "2", "challenger": "3"}
    evidence = tags(tracked_paths, "3")
    assert (evidence["compared_with"], evidence["compared_score"]) == ("2", "0.75")


def test_an_earlier_bundle_that_comes_back_is_compared_with_the_champion_of_now(
    tracked_paths: Paths, tracked_settings: Settings, make_bundle: Callable[..., None]
) -> None:
    for seed, score in ((1, 0.5), (2, 0.75), (1, 0.5)):
        make_bundle(tracked_paths, seed, {"exact_match": score})
        registration = register_bundle(tracked_settings, tracked_paths)
    assert not registration.is_new
    assert registration.receipt.reason == "no better than the champion: exact_match 0.5 against 0.75 of version 2"
    assert aliases(tracked_paths) == {"champion": "2", "challenger": "1"}


def test_a_challenger_that_becomes_the_champion_is_no_challenger_any_more(
    tracked_paths: Paths, make_settings: Callable[..., Settings], make_bundle: Callable[..., None]
) -> None:
    make_bundle(tracked_paths, 1, {"exact_match": 0.5})
    register_bundle(make_settings(), tracked_paths)
    make_bundle(tracked_paths, 2, {"exact_match": 0.6})
    strict = register_bundle(make_settings({"minimum_gain": 0.2}), tracked_paths)
    assert strict.receipt.decision == "challenger"
    assert aliases(tracked_paths) == {"champion": "1", "challenger": "2"}
    assert register_bundle(make_settings(), tracked_paths).receipt.decision == "champion"
    assert aliases(tracked_paths) == {"champion": "2"}


def test_a_champion_keeps_its_alias_when_the_gate_becomes_stricter(
    tracked_paths: Paths, make_settings: Callable[..., Settings], make_bundle: Callable[..., None]
) -> None:
    make_bundle(tracked_paths, 1, {"exact_match": 0.5})
    register_bundle(make_settings(), tracked_paths)
    again = register_bundle(make_settings({"minimum_score": 0.9}), tracked_paths)
    assert again.receipt.reason == "it is the champion already"
    assert aliases(tracked_paths) == {"champion": "1"}


def test_a_champion_of_another_test_set_is_scored_on_the_present_one(
    tracked_paths: Paths, tracked_settings: Settings, make_bundle: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    make_bundle(tracked_paths, 1, {"exact_match": 1.0})
    register_bundle(tracked_settings, tracked_paths)
    make_bundle(tracked_paths, 2, {"exact_match": 0.25}, test_rows=3)
    with caplog.at_level("INFO", "seq2seq_core"):
        receipt = register_bundle(tracked_settings, tracked_paths).receipt
    # A model of random weights gets no date right, whatever was claimed for it on the other test set.
    assert (receipt.decision, receipt.champion_version, receipt.champion_score) == ("champion", "1", 0.0)
    assert receipt.champion_scores.keys() == {*quick_metrics(tracked_settings.evaluate.metrics)}
    assert "the champion, version 1, was scored on another test set: it is scored on the present one" in caplog.messages


def test_an_experiment_moves_no_alias_and_leaves_the_decision_to_the_next_registration(
    tracked_paths: Paths, tracked_settings: Settings, make_bundle: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_bundle(tracked_paths, 1, {"exact_match": 0.5})
    with monkeypatch.context() as experiment:
        for name, value in {"DVC_STAGE": "register", "DVC_EXP_NAME": "narrow", "DVC_ROOT": str(tracked_paths.root)}.items():
            experiment.setenv(name, value)
        receipt = register_bundle(tracked_settings, tracked_paths).receipt
        write_receipt(receipt, tracked_paths)
        assert check_receipt(tracked_paths, tracked_settings)[0]
    assert (receipt.version, receipt.decision) == ("1", "experiment")
    assert receipt.reason == "an experiment moves no alias (there was no champion; exact_match 0.5)"
    assert aliases(tracked_paths) == {}

    reason = drop_stale_receipt(tracked_paths, tracked_settings)
    assert reason == "the last registration was of a DVC experiment, for which no alias was moved"
    registration = register_bundle(tracked_settings, tracked_paths)
    assert (registration.receipt.version, registration.receipt.decision) == ("1", "champion")
    assert aliases(tracked_paths) == {"champion": "1"}


def test_a_champion_that_holds_no_bundle_stays_and_the_reason_is_said(
    tracked_paths: Paths, tracked_settings: Settings, make_bundle: Callable[..., None]
) -> None:
    client = connect(tracked_paths)
    client.create_registered_model("dates")
    client.create_model_version("dates", (tracked_paths.root / "foreign").as_uri())
    client.set_registered_model_alias("dates", "champion", "1")
    make_bundle(tracked_paths, 1)
    receipt = register_bundle(tracked_settings, tracked_paths).receipt
    trouble = "version 1 of 'dates' has no tag 'bundle_digest': it was not registered by `s2s register` and holds no bundle"
    assert receipt.reason == f"version 1, the champion, cannot be compared with: {trouble}"
    assert (receipt.decision, receipt.champion_version, receipt.champion_score) == ("challenger", "1", None)
    assert aliases(tracked_paths) == {"champion": "1", "challenger": "2"}


def test_a_version_whose_files_were_deleted_is_registered_anew(
    tracked_paths: Paths, tracked_settings: Settings, make_bundle: Callable[..., None]
) -> None:
    make_bundle(tracked_paths)
    register_bundle(tracked_settings, tracked_paths)
    shutil.rmtree(tracked_paths.mlflow_artifacts)
    again = register_bundle(tracked_settings, tracked_paths)
    assert (again.is_new, again.receipt.version) == (True, "2")


def test_the_model_belongs_to_the_stages_run_when_one_is_open(
    tracked_paths: Paths, tracked_settings: Settings, make_bundle: Callable[..., None]
) -> None:
    make_bundle(tracked_paths)
    with open_stage_recorder("register", tracked_settings, tracked_paths):
        from seq2seq_core.tracking.session import active_run_id

        run_id = active_run_id()
        register_bundle(tracked_settings, tracked_paths)
    client = connect(tracked_paths)
    version = find_number(client, "dates", "1")
    assert version is not None
    assert version.run_id == run_id
    assert run_id is not None
    outputs = client.get_run(run_id).outputs
    assert outputs is not None
    assert [client.get_logged_model(model.model_id).name for model in outputs.model_outputs] == ["dates"]


def test_a_version_names_the_training_that_made_its_bundle(
    tracked_paths: Paths, tracked_settings: Settings, make_bundle: Callable[..., None]
) -> None:
    with open_stage_recorder("train", tracked_settings, tracked_paths) as recorder:
        make_bundle(tracked_paths)
        recorder.log_metrics({"train_loss": 1.0}, 1)
    register_bundle(tracked_settings, tracked_paths)
    evidence = tags(tracked_paths, "1")
    run = connect(tracked_paths).get_run(evidence["train_run_id"])
    assert run.info.run_name == "train"
    assert run.data.tags["bundle_digest"] == evidence["trained_bundle_digest"] == bundle_digest(tracked_paths.bundle)
    assert evidence["bundle_digest"] == bundle_digest(tracked_paths.served)


def test_the_same_weights_with_other_decoding_options_are_another_version_of_the_same_training(
    tracked_paths: Paths, tracked_settings: Settings, make_settings: Callable[..., Settings], make_bundle: Callable[..., None]
) -> None:
    with open_stage_recorder("train", tracked_settings, tracked_paths):
        make_bundle(tracked_paths)
    register_bundle(tracked_settings, tracked_paths)
    run_export(make_settings(evaluate={"beam_size": 1}), tracked_paths, NullRecorder())
    assert register_bundle(tracked_settings, tracked_paths).receipt.version == "2"
    first, second = (tags(tracked_paths, number) for number in "12")
    assert first["bundle_digest"] != second["bundle_digest"]
    assert [first[name] for name in ("trained_bundle_digest", "train_run_id")] == [
        second[name] for name in ("trained_bundle_digest", "train_run_id")
    ]
    run_export(tracked_settings, tracked_paths, NullRecorder())
    assert not register_bundle(tracked_settings, tracked_paths).is_new


def test_a_champion_is_scored_by_the_options_that_it_is_served_with(
    tracked_paths: Paths, make_settings: Callable[..., Settings], make_bundle: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_bundle(tracked_paths)
    seen: list[DecodingOptions] = []

    def predict(predictor: Predictor, sources: Sequence[str], options: DecodingOptions, *_: object, **__: object) -> Any:
        seen.append(options)
        return [SimpleNamespace(text="", score=0.0, is_cut=False) for _ in sources]

    monkeypatch.setattr(Predictor, "predict", predict)
    settings = make_settings(evaluate={"beam_size": 7})
    score_predictor(Predictor.from_folder(tracked_paths.served), settings, tracked_paths)
    score_predictor(Predictor.from_folder(tracked_paths.bundle), settings, tracked_paths)  # as an earlier release registered it
    assert [options.beam_size for options in seen] == [2, 7]


def test_two_clones_with_the_same_history_write_the_same_receipt(
    tracked_paths: Paths, tracked_settings: Settings, make_bundle: Callable[..., None]
) -> None:
    clone = Paths(tracked_paths.root.parent / "clone")
    shutil.copytree(tracked_paths.root, clone.root)
    receipts = []
    for paths in (tracked_paths, clone):
        for seed, score in ((1, 0.5), (2, 1 / 3)):
            make_bundle(paths, seed, {"exact_match": score})
            receipt = register_bundle(tracked_settings, paths).receipt
        receipts.append(receipt.to_json())
    assert receipts[0] == receipts[1]


def test_without_a_bundle_or_scores_or_a_test_set_nothing_is_registered(
    tracked_paths: Paths, tracked_settings: Settings, make_settings: Callable[..., Settings], make_bundle: Callable[..., None]
) -> None:
    with pytest.raises(MissingInput, match=r"models/served: no such model bundle; `s2s export`"):
        register_bundle(tracked_settings, tracked_paths)
    make_bundle(tracked_paths)
    metrics = tracked_paths.metrics
    with pytest.raises(UserError) as wrong_metric:
        register_bundle(make_settings({"metric": "bleu"}), tracked_paths)
    assert str(wrong_metric.value) == f"{metrics}: has no test.bleu, which register.metric names; it has: exact_match"
    content = metrics.read_text()
    metrics.write_text("{")
    with pytest.raises(UserError, match=r"metrics\.json: not JSON \(.*\); expected the metrics that `s2s evaluate` writes$"):
        register_bundle(tracked_settings, tracked_paths)
    metrics.unlink()
    with pytest.raises(MissingInput) as no_metrics:
        register_bundle(tracked_settings, tracked_paths)
    assert str(no_metrics.value) == f"{metrics}: no such file; `s2s evaluate` (or `dvc repro evaluate`) makes it"
    metrics.write_text(content)
    tracked_paths.prepared_split("test").unlink()
    with pytest.raises(MissingInput, match=r"test\.jsonl: no such file; `s2s prepare`"):
        register_bundle(tracked_settings, tracked_paths)
    assert find_model(connect(tracked_paths), "dates") is None


def test_a_receipt_survives_being_written_and_read(
    tracked_paths: Paths, tracked_settings: Settings, make_bundle: Callable[..., None]
) -> None:
    make_bundle(tracked_paths)
    receipt = register_bundle(tracked_settings, tracked_paths).receipt
    assert type(receipt).from_json(receipt.to_json()) == receipt
    assert replace(receipt, version="2").to_json() != receipt.to_json()


def test_the_description_of_a_version_shows_the_champions_scores_beside_its_own() -> None:
    receipt = Receipt(
        registry="sqlite:///mlflow.db", model_name="m", version="2", bundle_digest="ab", decision="challenger", reason="worse",
        metric="chrf", score=40.5, champion_version="1", champion_score=50.25, minimum_gain=0.0, minimum_score=None,
        test_digest="cd", champion_scores={"chrf": 50.25},
    )  # fmt: skip
    assert describe(receipt, {"chrf": 40.5, "ter": 7.0}) == (
        "challenger: worse\n\n| metric | this version | champion v1 |\n| --- | --- | --- |\n"
        "| chrf | 40.5 | 50.25 |\n| ter | 7 |  |\n\nbundle `ab`, test set `cd`\n"
    )
    first = replace(receipt, version="1", decision="champion", reason="first", champion_version=None, champion_scores={})
    assert describe(first, {"chrf": 40.5}) == (
        "champion: first\n\n| metric | this version |\n| --- | --- |\n| chrf | 40.5 |\n\nbundle `ab`, test set `cd`\n"
    )
