"""Targets that are recordings through validate, prepare and tokenize, and the settings that do not fit them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from seq2seq_core.artifacts import Paths
from seq2seq_core.audio.sound_file import read_recording
from seq2seq_core.batching.dataset import TokenizedDataset
from seq2seq_core.corpus.pairs import iterate_pairs
from seq2seq_core.errors import ConfigError, ContractViolation
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.stages.prepare import run_prepare
from seq2seq_core.stages.tokenize import run_tokenize
from seq2seq_core.stages.validate import run_validate
from seq2seq_core.tokenization.manifest import Manifest
from tests.spoken_tones import RATE, tones, write_tones

from .conftest import ROOT, make_settings


def test_prepared_pairs_hold_what_is_said_and_name_the_recording(tokenized_tones: Path) -> None:
    paths = Paths(tokenized_tones)
    first = next(iterate_pairs(paths.prepared_split("train")))
    assert first["target"] == first["source"]
    assert first["recording"] == "train_1.wav"
    assert len(first["recording_sha256"]) == 64
    heard = read_recording(paths.prepared_audio / first["recording"], RATE).samples_N
    assert np.abs(heard - tones(first["source"], first["speaker"])).max() < 1e-4
    assert json.loads(paths.prepare_report.read_text())["train"]["recorded_seconds"] > 10


def test_tokenized_targets_are_frames_of_mean_0_and_the_same_at_each_run(tokenized_tones: Path, tmp_path: Path) -> None:
    paths, manifest = Paths(tokenized_tones), Manifest.load(tokenized_tones / "data/tokenized")
    assert manifest.target.speech is not None
    assert manifest.target.vocabulary_size == 0
    train = TokenizedDataset.open(paths.tokenized, "train")
    frames = np.concatenate([train.target(place) for place in range(len(train))])
    assert frames.shape[1] == 20
    assert np.allclose(frames.mean(axis=0), 0.0, atol=1e-3)
    assert int(train.target_lengths.max()) == manifest.target.speech.max_frames
    shutil.copytree(tokenized_tones / "data/prepared", tmp_path / "data/prepared")
    run_tokenize(make_settings(), Paths(tmp_path), NullRecorder())
    assert Manifest.load(tmp_path / "data/tokenized") == manifest


def test_other_rates_are_resampled_and_bad_rows_are_named(tmp_path: Path) -> None:
    shutil.copyfile(ROOT / "dvc.yaml", tmp_path / "dvc.yaml")
    write_tones(tmp_path / "raw", train=12, dev=2, test=2)
    paths, settings = Paths(tmp_path), make_settings()
    lines = [line.split("\t") for line in (tmp_path / "raw/train.tsv").read_text().splitlines()]
    named, texts = lines[1], [line[0] for line in lines]
    doubled = np.repeat(tones(named[0], named[2]), 2)
    soundfile.write(tmp_path / "raw" / named[1], np.stack([doubled, doubled], axis=1), 2 * RATE, format="FLAC")
    run_validate(settings, paths, NullRecorder())
    run_prepare(settings, paths, NullRecorder())
    found = read_recording(paths.prepared_audio / named[1], RATE).samples_N
    assert len(found) == len(doubled) // 2
    digests = {pair["recording"]: pair["recording_sha256"] for pair in iterate_pairs(paths.prepared_split("train"))}
    soundfile.write(tmp_path / "raw" / named[1], doubled[::-1], 2 * RATE, format="FLAC")
    run_prepare(settings, paths, NullRecorder())
    again = {pair["recording"]: pair["recording_sha256"] for pair in iterate_pairs(paths.prepared_split("train"))}
    assert again.keys() == digests.keys()
    assert [name for name in again if again[name] != digests[name]] == [named[1]]
    (tmp_path / "raw/train_2.wav").write_bytes(b"")
    (tmp_path / "raw/train_3.wav").unlink()
    shutil.copyfile(tmp_path / "raw/test_1.wav", tmp_path / "raw/train_4.wav")
    with pytest.raises(ContractViolation):
        run_validate(settings, paths, NullRecorder())
    results = json.loads(paths.last_validation.read_text())["results"]
    broken = {f"{one['split']} {one['expectation']}": one["examples"] for one in results if not one["success"]}
    assert broken["train recordings"] == [
        f'train.tsv:3: "{texts[2]}": "train_2.wav": not a sound file that can be read (Format not recognised)',
        f'train.tsv:4: "{texts[3]}": "train_3.wav": no such file; expected a sound file',
    ]
    assert len(broken["test test_leakage"]) == 1  # a recording of test in train, under another name


FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "beam": ({"evaluate": {"beam_size": 4}}, "evaluate.beam_size: must be 1 where corpus.target_kind is 'audio', got 4"),
    "tags": ({"tokenize": {"target_tags": ["speaker"]}}, "tokenize.target_tags: must be left out where"),
    "cut": ({"tokenize": {"long_source": "truncate"}}, "tokenize.long_source: must be 'drop' where"),
    "objective": (
        {"train": {"phases": []}},
        "train.objective: must be 'frames' where corpus.target_kind is 'audio' (train.phases:",
    ),
    "frames": ({"model": {"frames": None}}, "model.frames: must be given where corpus.target_kind is 'audio'"),
    "speech": ({"tokenize": {"speech": None}}, "tokenize.speech: must be given where"),
    "attention": ({"model": {"attention": "none"}}, "model.attention: must be one where corpus.target_kind is 'audio'"),
    "metrics": ({"evaluate": {"metrics": ["wer"]}}, "evaluate.metrics: must be of mel_distortion where"),
    "engine": ({"evaluate": {"engine": "ctranslate2"}}, "evaluate.engine: must be 'torch' where"),
    "dev": ({"train": {"dev_metric": "chrf"}}, "dev_metric: must be 'loss' where"),
    "bands": (
        {"tokenize": {"speech": {"high_hz": 3000.0}}},
        "tokenize.speech: must have bands up to half of corpus.sample_rate 4000",
    ),
    "hop": ({"tokenize": {"speech": {"hop_ms": 30.0}}}, "hop_ms must be at most half of window_ms, got 30 and 50"),
    "alias": ({"evaluate": {"speech": {"read_back": "models:/a@b"}}}, "must be a version such as models:/NAME/3, or be pinned"),
    "text": ({"corpus": {"target_kind": "text"}}, "tokenize.speech: must be left out unless corpus.target_kind is 'audio'"),
    "source": ({"corpus": {"source_kind": "audio"}}, "must be"),
    "alignment": ({"model": {"alignment": "monotonic"}}, "model.alignment: must be 'soft' where corpus.target_kind is 'audio'"),
    "ctc": ({"model": {"ctc": True}}, "model.ctc: must be false where corpus.target_kind is 'audio', got true"),
    "ensemble": ({"train": {"ensemble": {"members": 2}}}, "train.ensemble.members: must be 0 where corpus.target_kind is 'audio'"),
    "lexicon": ({"evaluate": {"lexicon": True}}, "evaluate.lexicon: must be false where corpus.target_kind is 'audio', got true"),
}


@pytest.mark.parametrize("case", FAULTS)
def test_settings_that_make_no_sense_for_recordings_are_refused(case: str) -> None:
    sections, message = FAULTS[case]
    with pytest.raises(ConfigError) as caught:
        make_settings(**sections)
    assert message in str(caught.value)
