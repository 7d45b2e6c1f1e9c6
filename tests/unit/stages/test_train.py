from __future__ import annotations

import csv
import gzip
import importlib.metadata
import json
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args
from unittest.mock import Mock

import pytest
import torch

from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.bundle_folder import bundle_digest
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.config.model import Architecture
from seq2seq_core.config.settings import Settings, parse_settings
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.errors import Interrupted, MissingInput, StorageFault, UserError, WorkspaceBusy
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.stages.tokenize import run_tokenize
from seq2seq_core.stages.train import TrainResult, run_train
from seq2seq_core.training.hardware.speed import MACHINE_CURVES
from seq2seq_core.training.objectives.label_smoothing import LikelihoodSums
from seq2seq_core.training.objectives.projected_likelihood import projected_sums
from seq2seq_core.training.state import sealed_files
from seq2seq_core.training.state.curve_log import read_curves
from seq2seq_core.training.state.folder_lock import lock_folder
from seq2seq_core.training.trainer import Trainer
from seq2seq_core.training.validation import Validation, Validator
from tests.prepared_processes import CONTEXT
from tests.reversed_words import write_reversed_words
from tests.training_runs import (
    ListRecorder,
    check_that_a_finished_training_is_not_repeated,
    curve_without_speed,
    interrupt_update,
    output_digests,
    train_until,
)

MODEL = {"width": 16, "heads": 2, "feedforward_width": 16, "dropout": 0.2}
TRAIN = {
    "max_steps": 12, "warmup_steps": 3, "batch_tokens": 120, "validate_every_steps": 4, "accumulation": 2, "dev_sentences": 5,
    "dev_metric": "cer",
}  # fmt: skip


def make_sections(model: dict[str, Any] | None = None, train: dict[str, Any] | None = None, **runtime: Any) -> dict[str, Any]:
    return {
        "corpus": {"path": "x", "files": {"train": ["train.tsv"]}},
        "register": {"model_name": "m"},
        "tokenize": {"source": {"model": "char"}, "target": {"model": "char"}},
        "model": MODEL | (model or {}),
        "train": TRAIN | (train or {}),
        "runtime": {"device": "cpu", "log_every_steps": 3, "progress": "plain"} | runtime,
    }


def make_settings(model: dict[str, Any] | None = None, train: dict[str, Any] | None = None, **runtime: Any) -> Settings:
    return parse_settings(make_sections(model, train, **runtime), "test")


@pytest.fixture(scope="session")
def tokenized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small corpus: words to their reverse."""
    paths = Paths(tmp_path_factory.mktemp("corpus"))
    write_reversed_words(paths)
    run_tokenize(make_settings(), paths, NullRecorder())
    return paths.tokenized


@pytest.fixture
def new_workspace(tokenized: Path, tmp_path: Path) -> Callable[[str], Paths]:
    """Makes workspaces that hold the tokenised corpus and nothing else."""

    def make(name: str) -> Paths:
        paths = Paths(tmp_path / name)
        paths.tokenized.parent.mkdir(parents=True)
        paths.tokenized.symlink_to(tokenized)
        return paths

    return make


def state_folder(paths: Paths) -> Path:
    (folder,) = paths.training_state.iterdir()
    return folder


# --- outputs ---------------------------------------------------------------------------------------------------------
def test_the_stage_writes_a_bundle_that_predicts_and_both_reports(new_workspace: Callable[[str], Paths]) -> None:
    paths = new_workspace("a")
    result = run_train(make_settings(), paths, NullRecorder())
    assert result.steps == 12
    assert result.end == "max_steps"
    (prediction,) = Predictor.from_folder(paths.bundle).predict(["abc"], DecodingOptions(beam_size=2))
    assert isinstance(prediction.text, str)
    report = json.loads(paths.train_report.read_text())
    assert list(report) == ["steps", "epochs", "end", "parameters", "best_step", "best_dev_loss", "best_dev_score"]
    assert report["best_step"] == result.best_step
    assert report["best_dev_loss"] == pytest.approx(result.best_dev_loss, abs=1e-6)
    with paths.training_curve.open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["step", "train_loss", "dev_loss", "learning_rate", "gradient_norm", "dev_score"]
    assert [row["step"] for row in rows] == ["4", "8", "12"]
    assert all(float(row[name]) > 0 for row in rows for name in rows[0])


def test_the_recorder_gets_curves_results_and_reports(new_workspace: Callable[[str], Paths]) -> None:
    recorder = ListRecorder()
    run_train(make_settings(), new_workspace("a"), recorder)
    for name in ("train_loss", "learning_rate", "gradient_norm", *MACHINE_CURVES):
        assert recorder.steps(name) == [3, 6, 9, 12]
    for name in ("dev_loss", "dev_cer", "dev_exact_match", "dev_chrf"):
        assert recorder.steps(name) == [4, 8, 12]
    assert recorder.steps("best_dev_loss") == [None]
    assert recorder.files == [("train.json", "reports"), ("training_curve.csv", "reports")]


def test_logging_and_saving_more_often_change_no_output(new_workspace: Callable[[str], Paths]) -> None:
    plain, busy = new_workspace("plain"), new_workspace("busy")
    run_train(make_settings(log_every_steps=5, checkpoint_every_seconds=1000.0), plain, NullRecorder())
    run_train(make_settings(log_every_steps=1, checkpoint_every_seconds=1e-9), busy, NullRecorder())
    assert output_digests(plain) == output_digests(busy)


def test_profiling_changes_no_output_and_leaves_a_table_and_a_trace(new_workspace: Callable[[str], Paths]) -> None:
    plain, profiled, recorder = new_workspace("plain"), new_workspace("profiled"), ListRecorder()
    run_train(make_settings(), plain, NullRecorder())
    run_train(make_settings(profile_steps=2), profiled, recorder)
    assert output_digests(plain) == output_digests(profiled)
    assert recorder.files[:2] == [("profile.trace.json.gz", "profile"), ("profile.txt", "profile")]
    with gzip.open(state_folder(profiled) / "profile.trace.json.gz") as file:
        names = {event.get("name") for event in json.load(file)["traceEvents"]}
    assert "aten::addmm" in names
    assert "aten::addmm" in (state_folder(profiled) / "profile.txt").read_text()
    assert not list(state_folder(profiled).glob(".*.draft"))
    assert not list(state_folder(plain).glob("profile*"))


def test_another_seed_gives_another_model(new_workspace: Callable[[str], Paths]) -> None:
    digests = set()
    for seed in (1, 2):
        paths = new_workspace(str(seed))
        run_train(make_settings(train={"seed": seed}), paths, NullRecorder())
        digests.add(bundle_digest(paths.bundle))
    assert len(digests) == 2


def test_a_joint_vocabulary_can_tie_all_embeddings(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    paths.prepared.mkdir(parents=True)
    for split in ("train", "dev", "test"):
        paths.prepared_split(split).write_text('{"source": "abc", "target": "cba"}\n' * 4, encoding="utf-8")
    sections = make_sections(model={"tie_embeddings": "all"}) | {"tokenize": {"joint": True, "source": {"model": "char"}}}
    settings = parse_settings(sections, "test")
    run_tokenize(settings, paths, NullRecorder())
    run_train(settings, paths, NullRecorder())
    assert Predictor.from_folder(paths.bundle).predict(["abc"], DecodingOptions(beam_size=1))


# --- when it ends ----------------------------------------------------------------------------------------------------
def train_for_end(paths: Paths, **train: Any) -> TrainResult:
    return run_train(make_settings(train=train), paths, NullRecorder())


def test_training_ends_after_the_given_epochs_and_validates_then(new_workspace: Callable[[str], Paths]) -> None:
    paths = new_workspace("a")
    result = train_for_end(paths, max_epochs=2, max_steps=1000, validate_every_steps=1000)
    assert (result.epochs, result.end) == (2, "max_epochs")
    assert result.best_step == result.steps < 1000


def test_training_ends_when_the_score_does_not_get_better(new_workspace: Callable[[str], Paths]) -> None:
    paths = new_workspace("a")
    # With next to no learning rate nothing changes after the first validation.
    result = train_for_end(paths, max_steps=1000, validate_every_steps=2, patience=3, learning_rate=1e-12, dev_metric="exact_match")
    assert (result.steps, result.end) == (8, "patience")


def test_without_patience_training_goes_to_its_last_step(new_workspace: Callable[[str], Paths]) -> None:
    result = train_for_end(new_workspace("a"), validate_every_steps=1, patience=0, learning_rate=1e-12, dev_metric="exact_match")
    assert (result.steps, result.end) == (12, "max_steps")


def test_the_bundle_holds_the_best_weights_not_the_last(
    new_workspace: Callable[[str], Paths], monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = iter([3.0, 1.0, 2.0, 3.0, 1.0])
    monkeypatch.setattr(Validator, "validate", lambda *arguments: Validation(next(losses), {}))
    train = {"dev_metric": "loss", "schedule": "constant"}
    whole, short = new_workspace("whole"), new_workspace("short")
    result = run_train(make_settings(train=train), whole, NullRecorder())
    assert (result.steps, result.best_step, result.best_dev_loss) == (12, 8, 1.0)
    run_train(make_settings(train=train | {"max_steps": 8}), short, NullRecorder())
    weights = [(paths.bundle / "model.safetensors").read_bytes() for paths in (whole, short)]
    assert weights[0] == weights[1]


def test_by_loss_without_decoding_there_is_no_score(new_workspace: Callable[[str], Paths]) -> None:
    paths = new_workspace("a")
    assert train_for_end(paths, dev_metric="loss", dev_sentences=0).best_dev_score is None
    assert "best_dev_score" not in json.loads(paths.train_report.read_text())
    assert paths.training_curve.read_text().splitlines()[1].endswith(",")


# --- the training state ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("architecture", get_args(Architecture))
@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_run_that_is_started_again_ends_in_the_same_outputs(
    new_workspace: Callable[[str], Paths],
    monkeypatch: pytest.MonkeyPatch,
    architecture: str,
    number: signal.Signals,
    exit_code: int,
) -> None:
    settings = make_settings(model={"architecture": architecture}, log_every_steps=1)
    whole, stopped = new_workspace("whole"), new_workspace("stopped")
    run_train(settings, whole, NullRecorder())
    first, second = ListRecorder(), ListRecorder()
    with monkeypatch.context() as patched:
        interrupt_update(patched, 7, number)
        message = f"training stopped after step 7 by {number.name}; its state is saved, and the same command goes on from there"
        with pytest.raises(Interrupted, match=f"^{re.escape(message)}$") as caught:
            run_train(settings, stopped, first)
    assert caught.value.exit_code == exit_code
    assert not stopped.bundle.exists()
    assert not stopped.train_report.exists()
    run_train(settings, stopped, second)
    assert output_digests(stopped) == output_digests(whole)
    assert first.steps("train_loss") + second.steps("train_loss") == list(range(1, 13))
    assert first.steps("dev_loss") + second.steps("dev_loss") == [4, 8, 12]
    assert curve_without_speed(stopped) == curve_without_speed(whole)


def test_a_run_that_is_stopped_while_validating_validates_when_it_is_started_again(
    new_workspace: Callable[[str], Paths], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = make_settings()
    whole, stopped = new_workspace("whole"), new_workspace("stopped")
    run_train(settings, whole, NullRecorder())
    validate = Trainer._validate

    def validate_and_kill(self: Trainer) -> None:
        if self.state.step == 8:
            os.kill(os.getpid(), signal.SIGTERM)
        validate(self)

    with monkeypatch.context() as patched:
        patched.setattr(Trainer, "_validate", validate_and_kill)
        with pytest.raises(Interrupted, match=r"^training stopped after step 8 by SIGTERM"):
            run_train(settings, stopped, NullRecorder())
    run_train(settings, stopped, NullRecorder())
    assert output_digests(stopped) == output_digests(whole)


def test_a_second_ctrl_c_stops_at_once_and_an_earlier_state_is_used(
    new_workspace: Callable[[str], Paths], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = make_settings()
    whole, stopped = new_workspace("whole"), new_workspace("stopped")
    run_train(settings, whole, NullRecorder())
    with monkeypatch.context() as patched:
        interrupt_update(patched, 7, signal.SIGINT)
        interrupt_update(patched, 7, signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            run_train(settings, stopped, NullRecorder())
    run_train(settings, stopped, NullRecorder())
    assert output_digests(stopped) == output_digests(whole)


def train_until_death(settings: Settings, root: str, step: int) -> None:
    """Trains in a process that kills itself behind an update."""
    torch.set_num_threads(1)
    update = Trainer._update

    def update_and_die(self: Trainer, *arguments: Any) -> None:
        update(self, *arguments)
        if self.state.step == step:
            self.curves.file.flush()  # points beyond the last checkpoint are on the disk
            self.store.settle()  # so is that checkpoint, which a thread writes
            os.kill(os.getpid(), signal.SIGKILL)

    Trainer._update = update_and_die  # type: ignore[method-assign, assignment]
    run_train(settings, Paths(Path(root)), NullRecorder())


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["gru", "transformer"])
def test_a_killed_run_that_is_started_again_ends_in_the_same_outputs(
    new_workspace: Callable[[str], Paths], architecture: str
) -> None:
    settings = parse_settings(make_sections(model={"architecture": architecture}, log_every_steps=1), "test")
    whole, killed = new_workspace("whole"), new_workspace("killed")
    run_train(settings, whole, NullRecorder())
    for step in (6, 11):  # in between lies the checkpoint of step 8
        process = CONTEXT.Process(target=train_until_death, args=(settings, str(killed.root), step))
        process.start()
        process.join()
        assert process.exitcode == -signal.SIGKILL
    recorder = ListRecorder()
    run_train(settings, killed, recorder)
    assert recorder.steps("train_loss") == [9, 10, 11, 12]
    assert output_digests(killed) == output_digests(whole)
    steps = [step for step, metrics in read_curves(state_folder(killed) / "curves.jsonl") if "train_loss" in metrics]
    assert steps == list(range(1, 13))


def test_a_torn_state_is_left_out_and_the_outputs_are_the_same(
    new_workspace: Callable[[str], Paths], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    settings = make_settings()
    whole, torn = new_workspace("whole"), new_workspace("torn")
    run_train(settings, whole, NullRecorder())
    train_until(7, settings, torn, monkeypatch)
    last = max(state_folder(torn).glob("checkpoint-*.safetensors"))
    assert last.name == "checkpoint-00000007.safetensors"
    os.truncate(last, 100)
    caplog.clear()
    run_train(settings, torn, NullRecorder())
    assert any("a damaged training state is left out" in message for message in caplog.messages)
    assert output_digests(torn) == output_digests(whole)


def test_a_finished_training_is_not_repeated_and_gives_the_same_outputs(
    new_workspace: Callable[[str], Paths], monkeypatch: pytest.MonkeyPatch
) -> None:
    check_that_a_finished_training_is_not_repeated(make_settings(), new_workspace("a"), monkeypatch)


def test_from_scratch_trains_anew_to_the_same_outputs(new_workspace: Callable[[str], Paths]) -> None:
    settings, paths, recorder = make_settings(), new_workspace("a"), ListRecorder()
    run_train(settings, paths, NullRecorder())
    before = output_digests(paths)
    run_train(settings, paths, recorder, from_scratch=True)
    assert output_digests(paths) == before
    assert [metrics.keys() for step, metrics in recorder.points if step == 3] == [
        {"train_loss", "learning_rate", "gradient_norm", *MACHINE_CURVES}
    ]


def test_other_settings_start_a_training_of_their_own_and_its_end_removes_finished_states(
    new_workspace: Callable[[str], Paths], monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = new_workspace("a")
    train_until(7, make_settings(), paths, monkeypatch)
    unfinished = state_folder(paths)
    superseded = paths.training_state / f"{unfinished.name.split('-')[0]}-othercode"
    run_train(make_settings(train={"seed": 2}), paths, NullRecorder())
    (second,) = (folder for folder in paths.training_state.iterdir() if folder != unfinished)
    run_train(make_settings(train={"seed": 3}), paths, NullRecorder())
    assert unfinished.exists()
    assert not second.exists()
    superseded.mkdir()
    run_train(make_settings(), paths, NullRecorder())
    assert state_folder(paths) == unfinished


def test_two_trainers_never_share_a_state(new_workspace: Callable[[str], Paths], monkeypatch: pytest.MonkeyPatch) -> None:
    settings, paths = make_settings(), new_workspace("a")
    run_train(settings, paths, NullRecorder())
    folder = state_folder(paths)
    with (
        lock_folder(folder),
        pytest.raises(WorkspaceBusy, match=rf"^{re.escape(str(folder))}: another training with these settings"),
    ):
        run_train(settings, paths, NullRecorder())


# --- faults ----------------------------------------------------------------------------------------------------------
def test_without_a_tokenised_corpus_the_command_that_makes_it_is_named(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    message = f"{paths.tokenized / 'manifest.json'}: no such file; `s2s tokenize` (or `dvc repro tokenize`) makes it"
    with pytest.raises(MissingInput, match=f"^{re.escape(message)}$"):
        run_train(make_settings(), paths, NullRecorder())
    assert list(tmp_path.iterdir()) == []


def test_an_empty_dev_is_refused(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    paths.prepared.mkdir(parents=True)
    for split, text in (("train", '{"source": "ab", "target": "ba"}\n'), ("dev", ""), ("test", "")):
        paths.prepared_split(split).write_text(text, encoding="utf-8")
    run_tokenize(make_settings(), paths, NullRecorder())
    message = (
        f"{paths.tokenized}: dev has no pairs, expected at least one to validate on "
        "(corpus.files.dev, or prepare.dev_fraction above 0)"
    )
    with pytest.raises(UserError, match=f"^{re.escape(message)}$"):
        run_train(make_settings(), paths, NullRecorder())


def test_a_loss_that_is_no_number_leaves_no_bundle_and_names_the_step(
    new_workspace: Callable[[str], Paths], monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = new_workspace("a")
    calls = [0]

    def spoil(*arguments: Any) -> LikelihoodSums:
        calls[0] += 1
        sums, factor = projected_sums(*arguments), float("nan") if calls[0] > 10 else 1.0
        return LikelihoodSums(sums.objective * factor, sums.negative_log_likelihood * factor)

    monkeypatch.setattr("seq2seq_core.training.objectives.likelihood.projected_sums", spoil)
    with pytest.raises(UserError, match=r"^step 6: the loss is nan, expected a finite number; try a lower train\.learning_rate"):
        run_train(make_settings(), paths, NullRecorder())
    assert not paths.bundle.exists()
    assert not paths.train_report.exists()


@pytest.mark.parametrize("in_background", [False, True])
def test_a_full_disk_while_saving_the_state_is_told_and_the_run_goes_on_from_the_last_good_one(
    new_workspace: Callable[[str], Paths], monkeypatch: pytest.MonkeyPatch, in_background: bool
) -> None:
    settings = make_settings(checkpoint_in_background=in_background)
    whole, full = new_workspace("whole"), new_workspace("full")
    run_train(settings, whole, NullRecorder())
    write = sealed_files.write_file

    def fill(folder: Path, name: str, content: bytes) -> None:
        with monkeypatch.context() as patched:
            if name == "checkpoint-00000008.safetensors":
                patched.setattr(os, "fsync", Mock(side_effect=OSError(28, "No space left on device")))
            write(folder, name, content)

    with monkeypatch.context() as patched:
        patched.setattr(sealed_files, "write_file", fill)
        message = rf"^{re.escape(str(full.training_state))}/\S+: the disk is full: checkpoint-00000008\.safetensors takes "
        with pytest.raises(StorageFault, match=message):
            run_train(settings, full, NullRecorder())
    assert not full.bundle.exists()
    assert not list(state_folder(full).glob(".*.draft"))
    recorder = ListRecorder()
    run_train(settings, full, recorder)
    assert recorder.steps("dev_loss") == [8, 12]
    assert output_digests(full) == output_digests(whole)


def test_an_unfinished_training_by_other_code_is_left_out_with_a_warning(
    new_workspace: Callable[[str], Paths], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    paths = new_workspace("a")
    train_until(7, make_settings(), paths, monkeypatch)
    own = state_folder(paths)
    foreign = own.rename(own.with_name(f"{own.name.split('-')[0]}-0123abcd"))
    recorder = ListRecorder()
    run_train(make_settings(), paths, recorder)
    assert recorder.steps("dev_loss") == [4, 8, 12]
    assert [message for message in caplog.messages if message.startswith(str(foreign))] == [
        f"{foreign}: an unfinished training with these settings and data is left out, because other code (or another PyTorch) "
        f"made it; expected code {own.name.split('-')[1]}, and the commit that made it can go on with it"
    ]


@pytest.mark.parametrize("in_background", [False, True])
def test_averages_and_patience_go_on_exactly_after_a_stop(
    new_workspace: Callable[[str], Paths], monkeypatch: pytest.MonkeyPatch, in_background: bool
) -> None:
    train = {"average_decay": 0.9, "patience": 2, "validate_every_steps": 2, "max_steps": 40, "schedule": "cosine"}
    settings = make_settings(train=train | {"learning_rate": 0.05}, checkpoint_in_background=in_background)
    whole, stopped = new_workspace("whole"), new_workspace("stopped")
    result = run_train(settings, whole, NullRecorder())
    assert result.end == "patience"
    for step in range(2, result.steps, 6):
        train_until(step, settings, stopped, monkeypatch)
    assert run_train(settings, stopped, NullRecorder()) == result
    assert output_digests(stopped) == output_digests(whole)
    assert curve_without_speed(stopped) == curve_without_speed(whole)


def test_a_package_that_a_later_phase_needs_is_missed_before_the_first(
    new_workspace: Callable[[str], Paths], monkeypatch: pytest.MonkeyPatch
) -> None:
    def find_none(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", find_none)
    paths, phases = (
        new_workspace("a"),
        [{"objective": "likelihood"}, {"objective": "self_critical", "reinforcement": {"reward": "rougeL"}}],
    )
    with pytest.raises(UserError, match="rougeL: needs the package rouge-score"):
        run_train(make_settings(train={"phases": phases}), paths, NullRecorder())
    assert not paths.training_state.exists()
