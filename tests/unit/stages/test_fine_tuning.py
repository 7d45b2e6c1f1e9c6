"""Trainings that begin with the weights of a bundle."""

from __future__ import annotations

import json
import random
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.bundle_folder import bundle_digest
from seq2seq_core.bundle.config_file import read_config
from seq2seq_core.config.settings import Settings, parse_settings
from seq2seq_core.errors import BundleError, ConfigError, ContractViolation, UserError
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.stages.learning_curve import run_learning_curve
from seq2seq_core.stages.tokenize import run_tokenize
from seq2seq_core.stages.train import run_train
from seq2seq_core.training.trainer import Trainer
from tests.training_runs import ListRecorder, train_until

MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August"]
Making = Callable[[str, str], Paths]


def make_settings(tokenize: dict[str, Any] | None = None, **train: Any) -> Settings:
    sections = {
        "corpus": {"path": "x", "files": {"train": ["train.tsv"]}},
        "register": {"model_name": "m"},
        "tokenize": {"source": {"model": "char"}, "target": {"model": "char"}} | (tokenize or {}),
        "model": {"width": 32, "dropout": 0.0},
        "train": {"max_steps": 4, "warmup_steps": 0, "batch_tokens": 1000, "validate_every_steps": 1, "dev_sentences": 4,
                  "schedule": "constant", "learning_rate": 1e-3, "label_smoothing": 0.0} | train,
        "runtime": {"device": "cpu", "progress": "plain"},
    }  # fmt: skip
    return parse_settings(sections, "test")


def write_dates(paths: Paths, form: str) -> Paths:
    """A tokenised corpus of dates, written out in some form, and their digits."""
    write_pairs(paths, form)
    run_tokenize(make_settings(), paths, NullRecorder())
    return paths


def write_pairs(paths: Paths, form: str, *others: tuple[str, str]) -> None:
    """A prepared corpus of dates, other pairs behind those of train."""
    paths.prepared.mkdir(parents=True, exist_ok=True)
    chance = random.Random(5)
    for split, count in (("train", 200), ("dev", 20), ("test", 2)):
        dates = [(chance.randint(1, 28), chance.randrange(8), chance.randint(10, 99)) for _ in range(count)]
        pairs = [
            {"source": form.format(day, MONTHS[month], year), "target": f"{year}-0{month + 1}-{day:02}"}
            for day, month, year in dates
        ]
        pairs += [{"source": source, "target": target} for source, target in others if split == "train"]
        paths.prepared_split(split).write_text("".join(f"{json.dumps(pair)}\n" for pair in pairs), encoding="utf-8")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of a model that reads dates such as 3 May 31."""
    paths = write_dates(Paths(tmp_path_factory.mktemp("base")), "{} {} {}")
    run_train(make_settings(max_steps=120, validate_every_steps=60, learning_rate=0.01), paths, NullRecorder())
    return paths.bundle


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of dates in another form, with characters of its own."""
    return write_dates(Paths(tmp_path_factory.mktemp("corpus")), "§ {}. {} '{}").tokenized


@pytest.fixture
def paths(tmp_path: Path, base: Path, corpus: Path) -> Paths:
    """A workspace with that corpus, and the bundle as models/base."""
    paths = Paths(tmp_path / "workspace")
    paths.tokenized.parent.mkdir(parents=True)
    paths.tokenized.symlink_to(corpus)
    shutil.copytree(base, paths.root / "models" / "base")
    return paths


def test_fine_tuning_starts_far_better_than_from_scratch_though_the_vocabulary_has_grown(paths: Paths, base: Path) -> None:
    scratch, tuned = ListRecorder(), ListRecorder()
    run_train(make_settings(max_steps=2), paths, scratch)
    run_train(make_settings(max_steps=2, initial_weights="models/base"), paths, tuned)
    sizes = [read_config(folder).config.source_vocabulary_size for folder in (base, paths.bundle)]
    assert sizes[1] > sizes[0]
    tuned_losses, scratch_losses = dict(tuned.curve("dev_loss")), dict(scratch.curve("dev_loss"))
    assert tuned_losses[1] < 0.25 * scratch_losses[1]
    assert tuned_losses[2] < 0.25 * scratch_losses[2]


def test_the_digest_of_the_bundle_goes_with_the_model_and_the_run(paths: Paths, base: Path) -> None:
    recorder, digest = ListRecorder(), bundle_digest(base)
    run_train(make_settings(max_steps=1, initial_weights="models/base"), paths, recorder)
    assert recorder.tags == {"initial_weights": "models/base", "initial_bundle_digest": digest}
    assert read_config(paths.bundle).data_digests["initial_bundle"] == digest
    run_train(make_settings(max_steps=1), paths, NullRecorder())
    assert "initial_bundle" not in read_config(paths.bundle).data_digests


def test_another_bundle_in_the_same_folder_is_another_training_and_the_same_one_elsewhere_is_not(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = make_settings(max_steps=1, initial_weights="models/base")
    run_train(settings, paths, NullRecorder())
    first = bundle_digest(paths.bundle)
    (paths.root / "models" / "base").rename(paths.root / "elsewhere")
    with monkeypatch.context() as patched:
        patched.delattr(Trainer, "fit")
        run_train(make_settings(max_steps=1, initial_weights="elsewhere"), paths, NullRecorder())
    assert bundle_digest(paths.bundle) == first
    shutil.copytree(paths.bundle, paths.root / "models" / "base")
    run_train(settings, paths, NullRecorder())
    assert bundle_digest(paths.bundle) != first


def test_a_pinned_bundle_is_taken_quietly_and_an_unpinned_one_with_advice(paths: Paths, caplog: pytest.LogCaptureFixture) -> None:
    digest = bundle_digest(paths.root / "models" / "base")
    run_train(make_settings(max_steps=1, initial_weights="models/base"), paths, NullRecorder())
    assert (
        "train.initial_digest is empty: `dvc repro` does not notice when models/base becomes another bundle; to pin it, set it to "
        f"{digest}"
    ) in caplog.messages
    caplog.clear()
    run_train(make_settings(max_steps=1, initial_weights="models/base", initial_digest=digest), paths, NullRecorder())
    assert not any("initial_digest" in message for message in caplog.messages)


def test_a_killed_fine_tuning_goes_on_bit_for_bit_and_reads_the_first_weights_once(
    paths: Paths, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = make_settings(initial_weights="models/base", freeze=["decoder"])
    run_train(settings, paths, NullRecorder())
    whole = bundle_digest(paths.bundle)
    train_until(3, settings, paths, monkeypatch, from_scratch=True)
    monkeypatch.delattr("seq2seq_core.training.run.load_bundle")
    run_train(settings, paths, NullRecorder())
    assert bundle_digest(paths.bundle) == whole
    before, after = (load_file(folder / "model.safetensors") for folder in (paths.root / "models" / "base", paths.bundle))
    frozen = [name for name in before if name.startswith("decoder.")]
    assert frozen
    assert all(torch.equal(before[name], after[name]) for name in frozen)
    assert not torch.equal(before["output.bias"], after["output.bias"])


def test_a_first_phase_by_reward_may_follow_at_once(paths: Paths) -> None:
    phases = [{"objective": "self_critical", "reinforcement": {"num_samples": 2}, "batch_tokens": 100}]
    result = run_train(make_settings(max_steps=1, initial_weights="models/base", phases=phases), paths, NullRecorder())
    assert result.steps == 1


def test_the_learning_curve_begins_with_the_same_weights(paths: Paths) -> None:
    scratch = run_learning_curve(make_settings(max_steps=1), paths, NullRecorder())
    tuned = run_learning_curve(make_settings(max_steps=1, initial_weights="models/base"), paths, NullRecorder())
    assert all(after.dev_loss < 0.8 * before.dev_loss for before, after in zip(scratch, tuned, strict=True))


# --- faults ----------------------------------------------------------------------------------------------------------
def test_a_bundle_of_another_digest_is_refused_before_training(paths: Paths) -> None:
    digest = bundle_digest(paths.root / "models" / "base")
    message = (
        f"train.initial_digest: models/base has the digest {digest}, expected {'0' * 64}; give its digest to begin with it instead"
    )
    with pytest.raises(UserError, match=f"^{re.escape(message)}$"):
        run_train(make_settings(initial_weights="models/base", initial_digest="0" * 64), paths, NullRecorder())
    assert not paths.training_state.exists()


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("models/bundle", "train.initial_weights: models/bundle is what this pipeline writes, and DVC removes it before the stage "
                          "runs; expected a copy elsewhere (such as data/base) or a registered version"),
        ("models/served", "train.initial_weights: models/served is what this pipeline writes, and DVC removes it before the stage "
                          "runs; expected a copy elsewhere (such as data/base) or a registered version"),
        ("models:/m/1", "train.initial_weights: models:/m/1 has to be fetched from MLflow first, as the command `s2s train` does; "
                        "expected a bundle's folder"),
        ("nowhere", "train.initial_weights: {root}/nowhere: no such folder; expected a bundle's folder, models:/NAME/VERSION, "
                    "models:/NAME@ALIAS or runs:/RUN/PATH"),
    ],
)  # fmt: skip
def test_what_cannot_be_begun_with_is_refused(paths: Paths, reference: str, message: str) -> None:
    with pytest.raises(UserError, match=f"^{re.escape(message.format(root=paths.root))}$"):
        run_train(make_settings(initial_weights=reference), paths, NullRecorder())


def test_a_folder_without_a_bundle_is_refused(paths: Paths) -> None:
    with pytest.raises(BundleError, match=r"not a model bundle, it has no config\.json"):
        run_train(make_settings(initial_weights="data"), paths, NullRecorder())


def test_another_architecture_is_refused_and_leaves_no_bundle(paths: Paths) -> None:
    settings = make_settings(initial_weights="models/base")
    wider = settings.model_copy(update={"model": settings.model.model_copy(update={"width": 64})})
    with pytest.raises(UserError, match=r"(?s)^train\.initial_weights: the model in models/base is not .*model\.width: must be 32"):
        run_train(wider, paths, NullRecorder())
    assert not paths.bundle.exists()


# --- the vocabulary of the same model ---------------------------------------------------------------------------------
@pytest.fixture
def grown(tmp_path: Path, base: Path) -> Paths:
    """A workspace with the first corpus and rows of other characters behind it, and the bundle as models/base."""
    paths = Paths(tmp_path / "workspace")
    write_pairs(paths, "{} {} {}", *[(f"{number} Juny 4", f"4-06-{number}") for number in range(50)], ("Žž 3", "3"))
    shutil.copytree(base, paths.root / "models" / "base")
    return paths


KEPT = {"vocabulary": "models/base"}


def test_a_kept_vocabulary_gives_the_same_ids_and_training_goes_on_with_every_piece(
    grown: Paths, base: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    recorder, digest = ListRecorder(), bundle_digest(base)
    run_tokenize(make_settings(KEPT), grown, recorder)
    for name in ("source.model", "target.model"):
        assert (grown.tokenized / name).read_bytes() == (base / name).read_bytes()
    assert recorder.tags == {"vocabulary": "models/base", "vocabulary_bundle_digest": digest}
    report = json.loads(grown.tokenize_report.read_text())
    assert 0 < report["train"]["source"]["unknown_fraction"] < 0.002
    assert report["dev"]["source"]["unknown_fraction"] == 0.0
    before, after = ListRecorder(), ListRecorder()
    run_train(make_settings(max_steps=1), grown, before)
    run_train(make_settings(max_steps=1, initial_weights="models/base"), grown, after)
    assert re.search("source vocabulary of models/base: [0-9]+ pieces keep their weights, 0 are new, 0 are gone", caplog.text)
    assert dict(after.curve("dev_loss"))[1] < 0.25 * dict(before.curve("dev_loss"))[1]
    run_tokenize(make_settings(), grown, NullRecorder())
    assert (grown.tokenized / "source.model").read_bytes() != (base / "source.model").read_bytes()


def test_what_a_kept_vocabulary_lacks_is_a_warning_and_then_an_error(grown: Paths, caplog: pytest.LogCaptureFixture) -> None:
    run_tokenize(make_settings(KEPT | {"warn_uncovered_fraction": 0.0}), grown, NullRecorder())
    warned = "train: 0.03 % of the source tokens are not in the vocabulary of models/base (tokenize.warn_uncovered_fraction)"
    assert [message for message in caplog.messages if "not in the vocabulary" in message] == [warned]
    run_tokenize(make_settings(KEPT), grown, NullRecorder())
    write_pairs(grown, "{} {} {} Žž")
    train = grown.prepared_split("train")
    with pytest.raises(ContractViolation) as caught:
        run_tokenize(make_settings(KEPT), grown, NullRecorder())
    message = str(caught.value).splitlines()
    assert re.fullmatch(
        r"train: [0-9.]+ % of the source tokens are not in the vocabulary of models/base \(unknown, or spelt in bytes\); expected "
        r"at most 2 % \(tokenize.max_uncovered_fraction\). Without tokenize.vocabulary a new vocabulary is made of train. "
        r"The first of them:",
        message[0],
    )
    assert message[1].startswith(f"    {train}:1: ")
    run_tokenize(make_settings(KEPT | {"max_uncovered_fraction": 1.0}), grown, NullRecorder())


@pytest.mark.parametrize(
    ("tokenize", "faults"),
    [
        ({"source": {"model": "unigram"}}, ["tokenize.source.model: must be char as there, got unigram"]),
        ({"target": {"model": "char", "decompose": True, "vocabulary_size": 10},
          "source": {"model": "bpe", "byte_fallback": True}},
         ["tokenize.source.model: must be char as there, got bpe",
          "tokenize.source.byte_fallback: must be false as there, got true",
          "tokenize.target.decompose: must be false as there, got true",
          "tokenize.target.vocabulary_size: must be at least 15 as there, got 10"]),
        ({"joint": True, "target": {}}, ["tokenize.joint: must be false as there, got true"]),
        ({"source_tags": ["topic"]}, ["tokenize.source_tags: must be columns that it has symbols for, got topic"]),
    ],
)  # fmt: skip
def test_settings_of_another_vocabulary_are_refused(grown: Paths, tokenize: dict[str, Any], faults: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        run_tokenize(make_settings(KEPT | tokenize), grown, NullRecorder())
    head = "tokenize.vocabulary: the vocabulary of models/base is not the one that these settings describe:"
    assert str(caught.value) == "\n".join([head, *(f"  {fault}" for fault in faults)])
    assert not grown.tokenized.exists()


def test_a_vocabulary_that_could_become_another_is_refused(grown: Paths, base: Path) -> None:
    with pytest.raises(ConfigError, match=r"must be a version such as models:/NAME/3, or be pinned by vocabulary_digest"):
        make_settings({"vocabulary": "models:/dates@champion"})
    with pytest.raises(ConfigError, match="vocabulary_digest must be empty without vocabulary"):
        make_settings({"vocabulary_digest": "0" * 64})
    with pytest.raises(UserError, match=f"^tokenize.vocabulary_digest: models/base has the digest {bundle_digest(base)}"):
        run_tokenize(make_settings(KEPT | {"vocabulary_digest": "0" * 64}), grown, NullRecorder())
    with pytest.raises(UserError, match=r"^tokenize\.vocabulary: models/bundle is what this pipeline writes"):
        run_tokenize(make_settings({"vocabulary": "models/bundle"}), grown, NullRecorder())
    (grown.root / "models" / "base" / "source.model").write_bytes(b"another")
    with pytest.raises(BundleError, match="damaged or exchanged"):
        run_tokenize(make_settings(KEPT), grown, NullRecorder())
