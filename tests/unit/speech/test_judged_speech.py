"""A recogniser judges a model of speech in training."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.bundle_folder import bundle_digest
from seq2seq_core.bundle.config_file import read_config
from seq2seq_core.config.settings import Settings
from seq2seq_core.errors import ConfigError, UserError
from seq2seq_core.recorder import NullRecorder, Recorder
from seq2seq_core.serving.found_models import digest_judges, find_judges
from seq2seq_core.stages.train import run_train

from .conftest import VALUES, make_recogniser, make_settings

SPECTRA = {"num_mels": 20, "window_ms": 32.0, "hop_ms": 12.5, "low_hz": 0.0}
FRAMES = VALUES["train"]["phases"][0]


@pytest.fixture(scope="module")
def judge(tokenized_tones: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of a recogniser that reads the frames of the model of speech."""
    return make_recogniser(tokenized_tones / "raw", tmp_path_factory.mktemp("judge") / "own", SPECTRA, updates=60)


def train(settings: Settings, paths: Paths, recorder: Recorder | None = None) -> None:
    run_train(settings, paths, recorder or NullRecorder(), judges=find_judges(settings.train, paths))


def settings_with(reader: Path | str, steps: int = 12, **judge: Any) -> Settings:
    judged = {**FRAMES, "max_steps": steps, "validate_every_steps": 6, "judge": {"reader": str(reader), **judge}}
    return make_settings(train={"phases": [FRAMES, judged]})


class Curves(NullRecorder):
    """Keeps one curve."""

    def __init__(self, name: str) -> None:
        self.name, self.values = name, list[float]()

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        self.values += [metrics[self.name]] if self.name in metrics else []


def test_it_comes_to_understand_more_and_stays_as_it_is(tones: Paths, judge: Path, tmp_path: Path) -> None:
    digest = bundle_digest(judge)
    settings = settings_with(judge, steps=30, weight=3.0)
    assert digest_judges(settings, tones) == {"judge.1": digest}
    train(settings, tones, curves := Curves("dev_judge_loss"))
    assert len(curves.values) == 5
    assert curves.values[-1] < curves.values[0]
    assert bundle_digest(judge) == digest
    first = bundle_digest(tones.bundle)
    assert read_config(tones.bundle).data_digests["judge_bundle.1"] == digest
    moved = shutil.copytree(judge, tmp_path / "elsewhere" / "judge")  # the same judge elsewhere: the training is finished already
    shutil.rmtree(tones.bundle)
    train(settings_with(moved, steps=30, weight=3.0), tones)
    assert bundle_digest(tones.bundle) == first


def test_what_cannot_judge_is_refused_before_any_update(tones: Paths, judge: Path, speaking: Paths, tmp_path: Path) -> None:
    deaf = make_recogniser(tones.root / "raw", tmp_path / "deaf", {"num_mels": 8, "window_ms": 32.0})
    for reader, message in (
        (
            deaf,
            r"train\.phases: judge\.reader .* have num_mels 8 \(of the speech: 20\), hop_ms 10 \(of the speech: 12\.5\)",
        ),
        (speaking.served, r"train\.phases: judge\.reader .* the sources are no recordings"),
        (tmp_path / "nowhere", r"train\.phases\.1\.judge\.reader: .*no such folder"),
    ):
        with pytest.raises(UserError, match=message):
            train(settings_with(reader), tones)
    with pytest.raises(UserError, match="has to be found first, as the command `s2s train` does"):
        run_train(settings_with(judge), tones, NullRecorder())
    with pytest.raises(UserError, match=r"train\.phases\.1\.judge\.reader_digest: .* expected 0000"):
        train(settings_with(judge, reader_digest="0" * 64), tones)
    assert not tones.training_state.exists() or not list(tones.training_state.glob("*/curves*"))


def test_settings_that_do_not_fit_a_judge() -> None:
    with pytest.raises(ConfigError, match="must be a version such as models:/NAME/3, or be pinned by reader_digest"):
        settings_with("models:/ear@champion")
    with pytest.raises(ConfigError, match=r"train\.judge: must be left out unless the objective of a phase is one of frames, "):
        make_settings(
            corpus={"target_kind": "text"},
            tokenize={"speech": None},
            model={"frames": None},
            train={"phases": [], "judge": {"reader": "ear"}},
            evaluate={"metrics": ["chrf"], "slice_columns": []},
            register={"metric": "chrf"},
        )
