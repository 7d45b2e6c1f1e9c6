"""Ensembles by the stage ``train``: bit-exact after every stop, one bundle, exported, decoded with, and a teacher."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from seq2seq_core.artifacts import Paths
from seq2seq_core.bulk import bulk_run
from seq2seq_core.bulk.row_block import RowResult
from seq2seq_core.bundle.bundle import load_bundle
from seq2seq_core.bundle.bundle_folder import bundle_digest
from seq2seq_core.bundle.config_file import read_config
from seq2seq_core.bundle.served_bundle import find_served_bundle
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.config.settings import parse_settings
from seq2seq_core.corpus.pairs import iterate_pairs
from seq2seq_core.decoding.phrases.wanted_phrases import Phrases
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.errors import ConfigError, Interrupted, UserError
from seq2seq_core.modeling.ensemble import Ensemble
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.serving.batching.predictor_decoder import PredictorDecoder
from seq2seq_core.serving.batching.ticket import Mode, Row
from seq2seq_core.stages.export import run_export
from seq2seq_core.stages.prepare import run_prepare
from seq2seq_core.stages.tokenize import run_tokenize
from seq2seq_core.stages.train import run_train
from seq2seq_core.training.trainer import Trainer
from tests.prepared_processes import CONTEXT
from tests.reversed_words import write_reversed_words
from tests.training_runs import ListRecorder, output_digests, train_until
from tests.unit.stages.test_train import make_sections, make_settings

SEEDS = {"ensemble": {"members": 3}}
SNAPSHOTS = {"ensemble": {"members": 2, "kind": "snapshots"}}


@pytest.fixture(scope="module")
def tokenized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    paths = Paths(tmp_path_factory.mktemp("corpus"))
    write_reversed_words(paths)
    run_tokenize(make_settings(), paths, NullRecorder())
    return paths.root


@pytest.fixture
def new_workspace(tokenized: Path, tmp_path: Path) -> Callable[[str], Paths]:
    def make(name: str) -> Paths:
        shutil.copytree(tokenized, tmp_path / name)
        return Paths(tmp_path / name)

    return make


@pytest.fixture(scope="module")
def trained(tokenized: Path, tmp_path_factory: pytest.TempPathFactory) -> Paths:
    """A workspace with an ensemble of three seeds, exported."""
    root = tmp_path_factory.mktemp("ensemble") / "workspace"
    shutil.copytree(tokenized, root)
    run_train(make_settings(train=SEEDS), Paths(root), NullRecorder())
    run_export(make_settings(train=SEEDS), Paths(root), NullRecorder())
    return Paths(root)


def test_the_members_are_the_models_of_their_seeds(trained: Paths, new_workspace: Callable[[str], Paths]) -> None:
    found = load_file(trained.bundle / "model.safetensors")
    assert read_config(trained.bundle).config.members == 3
    for place, seed in enumerate((1, 2, 3)):
        paths = new_workspace(f"seed-{seed}")
        run_train(make_settings(train={"seed": seed}), paths, NullRecorder())
        assert "members" not in (paths.bundle / "config.json").read_text()
        for name, weights in load_file(paths.bundle / "model.safetensors").items():
            assert torch.equal(found[f"members.{place}.{name}"], weights)
    report = json.loads(trained.train_report.read_text())
    assert [member["seed"] for member in report["members"]] == [1, 2, 3]
    assert report["steps"] == sum(member["steps"] for member in report["members"]) == 36
    mean = sum(member["best_dev_loss"] for member in report["members"]) / 3
    assert report["best_dev_loss"] == pytest.approx(mean, abs=2e-6)


@pytest.mark.parametrize("train", [SEEDS, SNAPSHOTS], ids=["seeds", "snapshots"])
def test_an_interrupted_ensemble_goes_on_to_the_same_bytes(
    train: dict[str, object], new_workspace: Callable[[str], Paths], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, cut = new_workspace("whole"), new_workspace("cut")
    run_train(make_settings(train=train), whole, NullRecorder())
    train_until(5, make_settings(train=train), cut, monkeypatch)
    if train is SEEDS:
        made = Trainer._update
        with monkeypatch.context() as patched:
            calls = []

            def stop_in_the_second(self: Trainer, *arguments: object) -> None:
                calls.append(self.state.step)
                if calls.count(2) == 1 and self.state.step == 2:
                    os.kill(os.getpid(), signal.SIGINT)
                made(self, *arguments)  # type: ignore[arg-type]

            patched.setattr(Trainer, "_update", stop_in_the_second)
            with pytest.raises(Interrupted, match="training stopped after step 3 by SIGINT"):
                run_train(make_settings(train=train), cut, NullRecorder())
        assert min(calls) == 0, "the second member had begun"
    run_train(make_settings(train=train), cut, NullRecorder())
    assert output_digests(cut) == output_digests(whole)


def _train(root: str) -> None:
    run_train(make_settings(train=SEEDS), Paths(Path(root)), NullRecorder())


def _train_and_die(root: str) -> None:
    """Ends by SIGKILL in the middle of the second member."""
    update, made = Trainer._update, []

    def update_or_die(self: Trainer, *arguments: object) -> None:
        made.append(self.state.step)
        if len(made) == 12 + 7:
            self.store.settle()  # the checkpoint of the last validation, which a thread writes
            os.kill(os.getpid(), signal.SIGKILL)
        update(self, *arguments)  # type: ignore[arg-type]

    Trainer._update = update_or_die  # type: ignore[method-assign, assignment]
    _train(root)


def test_a_killed_ensemble_takes_finished_members_and_goes_on_with_the_next(
    trained: Paths, new_workspace: Callable[[str], Paths], monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = new_workspace("killed")
    process = CONTEXT.Process(target=_train_and_die, args=(str(paths.root),))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    update, steps = Trainer._update, list[tuple[int, int]]()

    def observed(self: Trainer, *arguments: object) -> None:
        steps.append((self.seed, self.state.step))
        update(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Trainer, "_update", observed)
    run_train(make_settings(train=SEEDS), paths, NullRecorder())
    assert steps[0] == (2, 4), "the first member is finished, and the second goes on from its last validation"
    assert output_digests(paths) == output_digests(trained)


def test_the_curves_of_further_members_have_names_of_their_own(new_workspace: Callable[[str], Paths]) -> None:
    recorder = ListRecorder()
    run_train(make_settings(train={"ensemble": {"members": 2}}), new_workspace("a"), recorder)
    assert recorder.steps("dev_loss") == recorder.steps("member_2/dev_loss") == [4, 8, 12]


def test_snapshots_are_the_weights_at_the_last_validations(new_workspace: Callable[[str], Paths]) -> None:
    paths, last = new_workspace("snapshots"), new_workspace("last")
    run_train(make_settings(train=SNAPSHOTS | {"dev_metric": "loss"}), paths, NullRecorder())
    best = json.loads(paths.train_report.read_text())["best_step"]
    run_train(make_settings(train={"max_steps": best, "dev_metric": "loss", "patience": 0}), last, NullRecorder())
    model = load_bundle(paths.bundle).model
    assert isinstance(model, Ensemble)
    newest = load_file(last.bundle / "model.safetensors")
    assert all(torch.equal(model.members[-1].state_dict()[name], weights) for name, weights in newest.items())


def test_an_ensemble_is_exported_for_pytorch_and_decodes_in_every_way(trained: Paths, caplog: pytest.LogCaptureFixture) -> None:
    content = read_config(find_served_bundle(trained))
    assert content.engine is None
    predictor = Predictor.from_folder(trained.served)
    assert isinstance(predictor.bundle.model, Ensemble)
    words = ["abc", "hgfe", "bad"]
    mbr = DecodingOptions(method="sampling", selection="mbr", mbr_samples=4, max_length=6)
    for options in (DecodingOptions(beam_size=3, max_length=6), mbr):
        assert [len(one.hypotheses) for one in predictor.predict(words, options)] == [1, 1, 1]
    (forced,) = predictor.predict(["abc"], DecodingOptions(beam_size=4, max_length=8), phrases=Phrases(("hh",)))
    assert "hh" in forced.text
    (scored,) = predictor.score(["abc"], [forced.text])
    assert forced.log_probability == pytest.approx(scored.log_probability, abs=1e-4)
    alignment = predictor.attention("abc", DecodingOptions(beam_size=2, max_length=6))
    assert alignment is not None
    assert alignment.weights_TS.sum(axis=1) == pytest.approx(1.0, abs=1e-5)
    section = make_settings().evaluate.model_copy(update={"engine": "ctranslate2"})
    with pytest.raises(UserError, match="it is an ensemble of 3 models, and CTranslate2 decodes with one"):
        run_export(make_settings().model_copy(update={"evaluate": section}), trained, NullRecorder())


class InThisProcess:
    """What decodes a bulk job in place of worker processes."""

    engines = ("pytorch",)

    def __init__(self, folder: Path) -> None:
        self.decoder = PredictorDecoder(Predictor.from_folder(folder))

    def submit(self, rows: Sequence[Row], mode: Mode) -> Future[list[RowResult]]:
        done: Future[list[RowResult]] = Future()
        done.set_result([RowResult(one.hypotheses) for one in self.decoder.decode(rows, mode, lambda: False)])
        return done

    def close(self) -> None:
        pass


@pytest.mark.proof
def test_an_ensemble_teaches_one_model(trained: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_run, "_start_workers", lambda _, model: InThisProcess(model.folder))
    paths = Paths(tmp_path / "student")
    shutil.copytree(trained.served, paths.root / "data" / "teacher")
    for split in ("train", "dev", "test"):
        rows = [f"{pair['source']}\t{pair['target']}\n" for pair in iterate_pairs(trained.prepared_split(split))]
        file = paths.root / "raw" / f"{split}.tsv"
        file.parent.mkdir(exist_ok=True)
        file.write_text("source\ttarget\n" + "".join(rows))
    files = {split: [f"{split}.tsv"] for split in ("train", "dev", "test")}
    prepare = {"distill": {"teacher": "data/teacher", "beam_size": 2}, "leakage": "keep", "max_dropped_fraction": 1.0}
    own = {"corpus": {"path": "raw", "files": files}, "prepare": prepare}
    settings = parse_settings(make_sections() | own, "test")
    run_prepare(settings, paths, NullRecorder())
    taught = list(iterate_pairs(paths.prepared_split("train")))
    assert json.loads(paths.prepared_teacher.read_text())["digest"] == bundle_digest(trained.served)
    teacher = Predictor.from_folder(trained.served)
    options = DecodingOptions(beam_size=2)
    answers = {pair["source"]: teacher.predict([pair["source"]], options)[0].text for pair in taught}
    assert [pair for pair in taught if pair["target"] == answers[pair["source"]]]
    run_tokenize(settings, paths, NullRecorder())
    run_train(settings, paths, NullRecorder())
    assert read_config(paths.bundle).config.members == 1


@pytest.mark.parametrize(
    ("train", "reason"),
    [
        ({"ensemble": {"members": 1}}, "members must be 0"),
        (SNAPSHOTS | {"average_last": 3}, "average_last must be 0 with an ensemble of snapshots"),
        (SNAPSHOTS | {"phases": [{"objective": "likelihood"}]}, "kind must be seeds with phases"),
    ],
)
def test_settings_that_make_no_ensemble_are_refused(train: dict[str, object], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        make_settings(train=train)
