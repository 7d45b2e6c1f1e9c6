from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.bundle_folder import bundle_digest
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.config.settings import Settings
from seq2seq_core.decoding.prediction import Prediction, TextHypothesis
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.errors import MissingInput, UserError
from seq2seq_core.evaluation.scores import quick_metrics
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.registry import moves
from seq2seq_core.registry.moves import promote_version, read_history, roll_back
from seq2seq_core.registry.outputs import decode_version, read_rows
from seq2seq_core.registry.receipts import Receipt, check_receipt, drop_stale_receipt, has_promoted, write_receipt
from seq2seq_core.registry.registration import register_bundle
from seq2seq_core.registry.version_record import describe
from seq2seq_core.registry.versions import find_model, find_number, logged_model_id
from seq2seq_core.stages.export import run_export
from seq2seq_core.tracking.mlflow.store import connect
from seq2seq_core.tracking.session import open_stage_recorder
from tests.unit.conftest import write_evaluation_of

pytestmark = pytest.mark.usefixtures("light_registration")


def aliases(paths: Paths) -> dict[str, str]:
    model = find_model(connect(paths), "dates")
    assert model is not None
    return {alias: str(version) for alias, version in model.aliases.items()}


def tags(paths: Paths, version: str) -> dict[str, str]:
    found = find_number(connect(paths), "dates", version)
    assert found is not None
    return dict(found.tags)


def logged_model(paths: Paths, version: str) -> Any:
    found = find_number(connect(paths), "dates", version)
    assert found is not None
    return connect(paths).get_logged_model(logged_model_id(found) or "")


def artifact(paths: Paths, version: str, name: str) -> str:
    """A file that was attached to a version's logged model."""
    return (Path(logged_model(paths, version).artifact_location.removeprefix("file://")) / name).read_text()


def count_versions(paths: Paths) -> int:
    return len(connect(paths).search_model_versions("name = 'dates'"))


def test_the_same_bundle_is_registered_once_and_its_receipt_stays_the_same(
    tracked_paths: Paths, tracked_settings: Settings, make_bundle: Callable[..., None]
) -> None:
    make_bundle(tracked_paths, right=0.75)
    first = register_bundle(tracked_settings, tracked_paths)
    second = register_bundle(tracked_settings, tracked_paths)
    assert (first.is_new, second.is_new) == (True, False)
    assert first.receipt == second.receipt
    assert count_versions(tracked_paths) == 1
    assert aliases(tracked_paths) == {"champion": "1"}
    assert tags(tracked_paths, "1") == {"bundle_digest": bundle_digest(tracked_paths.served), "decision": "champion"}
    assert first.receipt.reason == "Promoted: exact_match 0.75 on 40 rows, and there was no champion."
    assert first.receipt.registry == "sqlite:///mlflow.db"
    assert [entry.kind for entry in read_history("dates", tracked_paths)] == ["promoted"]


def test_a_version_that_is_proved_better_takes_the_alias_and_any_other_is_the_challenger(
    tracked_paths: Paths, tracked_settings: Settings, make_bundle: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, promoting = [], []
    for seed, right, run in ((1, 0.5, "a"), (2, 0.75, "b"), (3, 0.775, "c"), (2, 0.75, "d")):
        make_bundle(tracked_paths, seed, right)
        monkeypatch.setenv("S2S_GRAPH_RUN", run)
        receipt = register_bundle(tracked_settings, tracked_paths).receipt
        promoting += [run] if has_promoted(run, tracked_paths) else []
        if run == "d":  # the champion's bundle came back: its receipt is the same, and nothing moved
            break
        seen.append((receipt.version, receipt.decision, receipt.champion_version, receipt.champion_score))
    assert seen == [("1", "champion", None, None), ("2", "champion", "1", 0.5), ("3", "challenger", "2", 0.75)]
    assert promoting == ["a", "b"]
    assert aliases(tracked_paths) == {"champion": "2", "challenger": "3"}
    history = read_history("dates", tracked_paths)
    assert [(entry.kind, entry.version, entry.before, entry.champion) for entry in history] == [
        ("promoted", "1", "", "1"), ("promoted", "2", "1", "2"), ("kept", "3", "2", "2"),
    ]  # fmt: skip
    assert [json.loads(entry.evidence)["figures"]["look"] for entry in history] == [1, 2, 3]
    found = find_number(connect(tracked_paths), "dates", "3")
    assert found is not None
    heading, _, rest = (found.description or "").partition("\n\n")
    assert heading == "0.775 exact_match, v2 0.75, gain 0.025 (0 to 0.075): challenger"
    assert "| metric | &emsp;this version | &emsp;champion v2 |\n| --- | --- | --- |\n" in rest
    assert "| exact_match | &emsp;0.775 | &emsp;0.75 |" in rest
    rows = artifact(tracked_paths, "3", "rows.jsonl").splitlines()
    assert len(rows) == 40
    assert json.loads(rows[30]) == {
        "source": "le 7 mars 2020 7",
        "target": "2031-05-03",
        "version": "2031-05-03",
        "champion": "wrong",
    }
    assert json.loads(artifact(tracked_paths, "3", "evidence.json"))["main"]["num_differing"] == 1


def test_an_earlier_bundle_that_comes_back_is_compared_with_the_champion_of_now(
    tracked_paths: Paths, tracked_settings: Settings, make_bundle: Callable[..., None]
) -> None:
    for seed, right in ((1, 0.5), (2, 0.75), (1, 0.5)):
        make_bundle(tracked_paths, seed, right)
        registration = register_bundle(tracked_settings, tracked_paths)
    assert not registration.is_new
    assert "exact_match 0.5 against the champion's 0.75, a loss of 0.25" in registration.receipt.reason
    assert aliases(tracked_paths) == {"champion": "2", "challenger": "1"}


def test_a_challenger_that_becomes_the_champion_is_no_challenger_any_more(
    tracked_paths: Paths, make_settings: Callable[..., Settings], make_bundle: Callable[..., None]
) -> None:
    make_bundle(tracked_paths, 1, 0.5)
    register_bundle(make_settings(), tracked_paths)
    make_bundle(tracked_paths, 2, 0.75)
    strict = register_bundle(make_settings({"minimum_gain": 0.3, "gate": {"minimum_rows": 4}}), tracked_paths)
    assert strict.receipt.decision == "challenger"
    assert "the gain is below the least gain of 0.3" in strict.receipt.reason
    assert aliases(tracked_paths) == {"champion": "1", "challenger": "2"}
    assert register_bundle(make_settings(), tracked_paths).receipt.decision == "champion"
    assert aliases(tracked_paths) == {"champion": "2"}


def test_a_champion_keeps_its_alias_when_the_gate_becomes_stricter(
    tracked_paths: Paths, make_settings: Callable[..., Settings], make_bundle: Callable[..., None]
) -> None:
    make_bundle(tracked_paths)
    register_bundle(make_settings(), tracked_paths)
    again = register_bundle(make_settings({"minimum_score": 0.9}), tracked_paths)
    assert (again.receipt.decision, again.receipt.reason) == ("champion", "It is the champion already.")
    assert aliases(tracked_paths) == {"champion": "1"}


def test_a_champion_of_another_test_set_decodes_the_present_one(
    tracked_paths: Paths, tracked_settings: Settings, make_bundle: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    make_bundle(tracked_paths, 1, 1.0)
    register_bundle(tracked_settings, tracked_paths)
    make_bundle(tracked_paths, 2, 0.25, test_rows=36)
    with caplog.at_level("INFO", "seq2seq_core"):
        receipt = register_bundle(tracked_settings, tracked_paths).receipt
    # A model of random weights gets no date right, whatever was claimed for it on the other test set.
    assert (receipt.decision, receipt.champion_version, receipt.champion_score) == ("champion", "1", 0.0)
    assert receipt.champion_scores.keys() == {*quick_metrics(tracked_settings.evaluate.metrics)}
    assert "decoding the test set with version 1, to compare with it" in caplog.messages
    assert receipt.figures["look"] == 2  # the sets share rows, so they share one error rate


@pytest.mark.parametrize(
    ("right", "rows", "gate", "reason"),
    [
        (0.0, 40, {}, "it is not proved better than the baseline copy_source (exact_match 0, p = 1)"),
        (0.75, 40, {"minimum_rows": 100}, "the test set has 40 rows, and register.gate.minimum_rows asks for 100"),
        (1.0, 1, {}, "the test set has 1 rows, and register.gate.minimum_rows asks for 4"),
        (0.75, 40, {"maximum_bundle_mb": 1e-6}, "MB, and register.gate.maximum_bundle_mb is 1e-06"),
        (0.75, 40, {"maximum_milliseconds": 1e-6}, "ms, and register.gate.maximum_milliseconds is 1e-06"),
        (0.75, 40, {"slice_floors": {"source_script=latin": 0.9}}, "on source_script=latin exact_match 0.75 misses the floor"),
        (0.75, 40, {"protected": ["language=xx"]}, "no test row is of the slice language=xx that the policy names"),
    ],
)  # fmt: skip
def test_the_first_version_must_meet_the_policy(
    right: float,
    rows: int,
    gate: dict[str, object],
    reason: str,
    tracked_paths: Paths,
    make_settings: Callable[..., Settings],
    make_bundle: Callable[..., None],
) -> None:
    make_bundle(tracked_paths, 1, right, rows)
    receipt = register_bundle(make_settings({"gate": {"minimum_rows": 4} | gate}), tracked_paths).receipt
    assert receipt.decision == "challenger"
    assert reason in receipt.reason
    assert aliases(tracked_paths) == {"challenger": "1"}


def test_a_part_of_the_test_set_never_makes_a_champion(
    tracked_paths: Paths, make_settings: Callable[..., Settings], make_bundle: Callable[..., None]
) -> None:
    make_bundle(tracked_paths, 1, 1.0, 30)
    test = tracked_paths.prepared_split("test")
    pairs = [json.loads(line) for line in test.read_text().splitlines()]
    test.write_text(test.read_text() + json.dumps(pairs[0] | {"source": "8 May 2040"}) + "\n")
    write_evaluation_of(tracked_paths, pairs, 1.0)
    receipt = register_bundle(make_settings(evaluate={"test_limit": 30}), tracked_paths).receipt
    assert receipt.decision == "challenger"
    assert "only the first 30 rows of the test set were scored (evaluate.test_limit)" in receipt.reason


def test_an_experiment_moves_no_alias_and_leaves_the_decision_to_the_next_registration(
    tracked_paths: Paths, tracked_settings: Settings, make_bundle: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_bundle(tracked_paths)
    with monkeypatch.context() as experiment:
        for name, value in {"DVC_STAGE": "register", "DVC_EXP_NAME": "narrow", "DVC_ROOT": str(tracked_paths.root)}.items():
            experiment.setenv(name, value)
        receipt = register_bundle(tracked_settings, tracked_paths).receipt
        write_receipt(receipt, tracked_paths)
        assert check_receipt(tracked_paths, tracked_settings)[0]
    assert (receipt.version, receipt.decision) == ("1", "experiment")
    assert receipt.reason.startswith(
        "An experiment moves no alias. Promoted: exact_match 0.5 on 40 rows, and there was no champion."
    )
    assert (aliases(tracked_paths), read_history("dates", tracked_paths)) == ({}, ())

    reason = drop_stale_receipt(tracked_paths, tracked_settings)
    assert reason == "the last registration was of a DVC experiment, for which no alias was moved"
    registration = register_bundle(tracked_settings, tracked_paths)
    assert (registration.receipt.version, registration.receipt.decision) == ("1", "champion")
    assert aliases(tracked_paths) == {"champion": "1"}


@pytest.mark.proof
@pytest.mark.parametrize("ghost", ["no bundle", "no files"])
def test_a_champion_that_cannot_be_loaded_does_not_hold_the_alias(
    ghost: str, tracked_paths: Paths, tracked_settings: Settings, make_bundle: Callable[..., None]
) -> None:
    client = connect(tracked_paths)
    make_bundle(tracked_paths, 1, 0.25)
    register_bundle(tracked_settings, tracked_paths)
    if ghost == "no bundle":
        client.create_model_version("dates", (tracked_paths.root / "foreign").as_uri())
        client.set_registered_model_alias("dates", "champion", "2")
        trouble = "version 2 of 'dates' has no tag 'bundle_digest'"
    else:
        make_bundle(tracked_paths, 2, 0.5)
        register_bundle(tracked_settings, tracked_paths)
        shutil.rmtree(logged_model(tracked_paths, "2").artifact_location.removeprefix("file://"))
        shutil.rmtree(tracked_paths.outputs)
        shutil.rmtree(tracked_paths.fetched_bundles, ignore_errors=True)
        trouble = "Version 2 was champion and cannot be compared with"
    make_bundle(tracked_paths, 3, 0.75)
    receipt = register_bundle(tracked_settings, tracked_paths).receipt
    assert (receipt.decision, receipt.champion_version) == ("champion", "1")
    assert "Version 2 was champion and cannot be compared with: " in receipt.reason
    assert trouble in receipt.reason
    assert aliases(tracked_paths)["champion"] == "3"


def test_an_alias_that_somebody_removed_comes_back_only_by_a_word(
    tracked_paths: Paths, tracked_settings: Settings, make_bundle: Callable[..., None]
) -> None:
    make_bundle(tracked_paths, 1, 0.5)
    register_bundle(tracked_settings, tracked_paths)
    connect(tracked_paths).delete_registered_model_alias("dates", "champion")
    make_bundle(tracked_paths, 2, 0.75)
    receipt = register_bundle(tracked_settings, tracked_paths).receipt
    assert (receipt.decision, receipt.champion_version) == ("challenger", "1")
    assert receipt.reason.endswith(
        "But somebody removed the alias, which version 1 held last: `s2s promote 2 --first` gives it to this version."
    )
    assert aliases(tracked_paths) == {"challenger": "2"}


def test_a_registration_undoes_no_rollback(
    tracked_paths: Paths, tracked_settings: Settings, make_bundle: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moves, "_check_answers", lambda *_: None)  # the outputs of these versions are made up
    make_bundle(tracked_paths, 1, 0.5)
    register_bundle(tracked_settings, tracked_paths)
    make_bundle(tracked_paths, 2, 0.75)
    assert register_bundle(tracked_settings, tracked_paths).receipt.decision == "champion"
    entry = roll_back("1", "customers complain", tracked_settings, tracked_paths)
    for _ in range(2):
        receipt = register_bundle(tracked_settings, tracked_paths).receipt
        assert receipt.decision == "challenger"
        assert receipt.reason.endswith(
            f"But a person took the alias from this version (entry {entry.number}, rolled back: customers complain): "
            "`s2s promote 2` asks for it again."
        )
        assert aliases(tracked_paths) == {"champion": "1", "challenger": "2"}
    for _ in range(2):  # a person's word is enough; what the gate says is needed as well
        assert promote_version("2", tracked_settings, tracked_paths, is_first=False).receipt.decision == "champion"
        assert register_bundle(tracked_settings, tracked_paths).receipt.decision == "champion"


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
    evidence = tags(tracked_paths, "1") | logged_model(tracked_paths, "1").tags
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
    pairs = [json.loads(line) for line in tracked_paths.prepared_split("test").read_text().splitlines()]
    run_export(make_settings(evaluate={"beam_size": 1}), tracked_paths, NullRecorder())
    with pytest.raises(UserError, match=r"metrics\.json: the model has changed since it was scored"):
        register_bundle(tracked_settings, tracked_paths)
    write_evaluation_of(tracked_paths, pairs, 0.5)
    assert register_bundle(tracked_settings, tracked_paths).receipt.version == "2"
    first, second = (tags(tracked_paths, number) | logged_model(tracked_paths, number).tags for number in "12")
    assert first["bundle_digest"] != second["bundle_digest"]
    assert [first[name] for name in ("trained_bundle_digest", "train_run_id")] == [
        second[name] for name in ("trained_bundle_digest", "train_run_id")
    ]
    run_export(tracked_settings, tracked_paths, NullRecorder())
    write_evaluation_of(tracked_paths, pairs, 0.5)
    assert not register_bundle(tracked_settings, tracked_paths).is_new


def test_a_champion_decodes_by_the_options_that_it_is_served_with(
    tracked_paths: Paths, make_settings: Callable[..., Settings], make_bundle: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_bundle(tracked_paths)
    settings = make_settings(evaluate={"beam_size": 7})
    register_bundle(settings, tracked_paths)
    shutil.rmtree(tracked_paths.outputs)
    seen: list[DecodingOptions] = []

    def predict(predictor: Predictor, sources: Sequence[str], options: DecodingOptions, *_: object, **__: object) -> Any:
        seen.append(options)
        return [Prediction((TextHypothesis("", 0.0, 0.0),)) for _ in sources]

    monkeypatch.setattr(Predictor, "predict", predict)
    version = find_number(connect(tracked_paths), "dates", "1")
    assert version is not None
    rows = read_rows(settings, tracked_paths)
    for _ in range(2):  # the second time the outputs are kept ones
        assert decode_version(version, rows, settings, tracked_paths) == [""] * 40
    assert [options.beam_size for options in seen] == [2]


@pytest.mark.proof
def test_two_clones_with_the_same_history_write_the_same_receipt(
    tracked_paths: Paths, tracked_settings: Settings, make_bundle: Callable[..., None]
) -> None:
    clone = Paths(tracked_paths.root.parent / "clone")
    shutil.copytree(tracked_paths.root, clone.root)
    receipts = []
    for paths in (tracked_paths, clone):
        for seed, right in ((1, 0.5), (2, 0.75), (3, 0.725)):
            make_bundle(paths, seed, right)
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


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda report: report["test"].update(exact_match=math.nan), ".exact_match is nan, which is no score of exact_match"),
        (lambda report: report["test"].update(exact_match=7), "test.exact_match is 7, which is no score of exact_match (from"),
        (lambda report: report["test"].update(exact_match="high"), "test.exact_match is no number"),
        (lambda report: report["test"].update(exact_match=0.95), "says exact_match 0.95, but its predictions score 0.5"),
        (lambda report: report.pop("scored"), "does not say which model was scored (an earlier release wrote it)"),
        (lambda report: report["scored"][0]["decoding"].update(bundle="0"), "the model has changed since it was scored"),
        (lambda report: report["scored"][0]["decoding"].update(test_set="0"), "the test set has changed since it was scored"),
        (lambda report: report["scored"][0]["metrics"].update(exact_match="0"), "the settings of exact_match has changed since"),
        (lambda report: report["scored"][0].update(predictions="0"), "predictions.jsonl: has changed since it was scored"),
    ],
)  # fmt: skip
def test_a_score_that_cannot_be_one_or_is_of_something_else_is_refused(
    change: Callable[[Any], object],
    message: str,
    tracked_paths: Paths,
    tracked_settings: Settings,
    make_bundle: Callable[..., None],
) -> None:
    make_bundle(tracked_paths)
    report = json.loads(tracked_paths.metrics.read_text())
    change(report)
    tracked_paths.metrics.write_text(json.dumps(report))
    with pytest.raises(UserError) as refusal:
        register_bundle(tracked_settings, tracked_paths)
    assert message in str(refusal.value)
    assert find_model(connect(tracked_paths), "dates") is None


def test_another_tokeniser_of_bleu_is_another_score(
    tracked_paths: Paths, make_settings: Callable[..., Settings], make_bundle: Callable[..., None]
) -> None:
    make_bundle(tracked_paths)
    pairs = [json.loads(line) for line in tracked_paths.prepared_split("test").read_text().splitlines()]
    write_evaluation_of(tracked_paths, pairs, 0.5, ["bleu"])
    with pytest.raises(UserError, match=r"the settings of bleu has changed since it was scored \(.*tok:13a.*, now .*tok:char"):
        register_bundle(make_settings({"metric": "bleu"}, {"bleu_tokenizer": "char"}), tracked_paths)
    assert register_bundle(make_settings({"metric": "bleu"}), tracked_paths).receipt.metric == "bleu"


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
        metric="chrf", score=40.5, champion_version="1", champion_score=50.25, test_digest="cd",
        policy_digest="ef", champion_scores={"chrf": 50.25},
    )  # fmt: skip
    gap = "&emsp;"
    assert describe(receipt, {"chrf": 40.5, "ter": 7.0}, "[card](#/there)") == (
        "40.5 chrf, v1 50.25: challenger\n\nworse\n\n[card](#/there)\n\n"
        f"| metric | {gap}this version | {gap}champion v1 |\n| --- | --- | --- |\n"
        f"| chrf | {gap}40.5 | {gap}50.25 |\n| ter | {gap}7 | {gap}– |\n"
    )
    first = replace(
        receipt, version="1", decision="champion", reason="first", champion_version=None, champion_score=None, champion_scores={}
    )
    assert describe(first, {"chrf": 40.5}) == (
        f"40.5 chrf: champion\n\nfirst\n\n| metric | {gap}this version |\n| --- | --- |\n| chrf | {gap}40.5 |\n"
    )
