"""A model of recordings, by the name of a file, by samples and by frames; and what each kind of model refuses."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from seq2seq_core.artifacts import Paths
from seq2seq_core.audio.sound_file import read_recording
from seq2seq_core.bundle.bundle import load_bundle, save_bundle
from seq2seq_core.bundle.config_file import BundleConfig
from seq2seq_core.cli.main import app
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.config.model import ModelSection
from seq2seq_core.config.settings import Settings
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.errors import BundleError, UserError
from seq2seq_core.modeling.model_building import build_model

NAMES = ["test 0.wav", "test 3.wav", "", "test 1.wav"]
OPTIONS = DecodingOptions(beam_size=2, max_length=6)


@pytest.fixture
def heard(audio_template: tuple[Paths, Settings]) -> tuple[Predictor, Path]:
    """A predictor of recordings, and the folder that they are in."""
    paths, _ = audio_template
    return Predictor.from_folder(paths.bundle, recordings=paths.prepared_audio), paths.prepared_audio


def test_names_paths_samples_and_frames_of_a_recording_are_predicted_alike(heard: tuple[Predictor, Path]) -> None:
    predictor, folder = heard
    by_name = predictor.predict(NAMES, OPTIONS)
    assert by_name[2].text == ""
    places = [place for place, name in enumerate(NAMES) if name]
    samples = [read_recording(folder / NAMES[place], 8000).samples_N for place in places]
    audio = predictor.bundle.config.audio
    assert audio is not None
    forms: list[list[Any]] = [[folder / NAMES[place] for place in places], samples, [audio.frames(one) for one in samples]]
    for sources in forms:
        assert predictor.predict(sources, OPTIONS) == [by_name[place] for place in places]
    scores = predictor.score(["test 0.wav", samples[0]], ["sine 1", "sine 1"])
    assert scores[0] == scores[1]


def test_an_alignment_names_the_seconds_at_which_the_steps_of_the_encoder_begin(heard: tuple[Predictor, Path]) -> None:
    predictor, _ = heard
    alone = predictor.attention("test 3.wav", OPTIONS)
    together = predictor.predict(["test 3.wav", "test 4.wav"], OPTIONS, keep_alignments=True)[0].hypotheses[0].alignment
    assert alone is not None
    assert together is not None
    # 1,040 samples are 11 frames, which one halving makes 6 steps of 20 ms.
    assert alone.source_pieces == ["0.00", "0.02", "0.04", "0.06", "0.08", "0.10"]
    assert alone.weights_TS.shape[1] == together.weights_TS.shape[1] == 6


def test_long_recordings_are_cut_with_a_warning(heard: tuple[Predictor, Path], caplog: pytest.LogCaptureFixture) -> None:
    predictor, _ = heard
    with caplog.at_level(logging.WARNING):
        rows, is_cut = predictor.sources.encode(NAMES, [[]] * len(NAMES), 2, 9)
    assert [len(row) for row in rows] == [8, 9, 0, 9]
    assert is_cut == [False, True, False, False]
    assert caplog.messages == ["1 of 4 sources have more than 9 frames and are cut there; the first is number 2 with 11 frames"]
    found = predictor.predict(NAMES, predictor.options.override(max_source_frames=9))
    assert [one.source_is_cut for one in found] == is_cut


@pytest.mark.parametrize(("keeps_end", "kept"), [(False, slice(5)), (True, slice(-5, None))])
def test_a_bundle_cuts_recordings_where_training_cut_them(heard: tuple[Predictor, Path], keeps_end: bool, kept: slice) -> None:
    predictor, folder = heard
    config = predictor.bundle.config.model_copy(update={"max_source_tokens": 5, "keeps_source_end": keeps_end})
    cutting = Predictor(replace(predictor.bundle, config=config), folder)
    whole, cut = (one.sources.encode(["test 3.wav"], [[]], 100, 100).rows[0] for one in (predictor, cutting))
    np.testing.assert_array_equal(cut, whole[kept])
    assert len(whole) == 11


def test_what_is_no_recording_is_refused(heard: tuple[Predictor, Path]) -> None:
    predictor, _ = heard
    with pytest.raises(UserError, match=r"audio/gone\.wav: no such file; expected a WAV or FLAC file$"):
        predictor.predict(["gone.wav"])
    with pytest.raises(UserError, match=r"^the model reads one or more frames of 8 features, got an array of the shape \(4, 7\)$"):
        predictor.predict([np.zeros((4, 7), dtype=np.float32)])


def test_a_model_of_texts_refuses_arrays(predictor: Predictor) -> None:
    with pytest.raises(UserError, match=r"^the model reads texts, got a source of the type ndarray$"):
        predictor.predict([np.zeros(9, dtype=np.float32)])


def test_a_model_of_other_frames_reads_arrays_alone(heard: tuple[Predictor, Path], tmp_path: Path) -> None:
    target = heard[0].bundle.target_tokenizer
    settings = ModelSection(width=8)
    config = BundleConfig(
        model=settings, source_vocabulary_size=0, target_vocabulary_size=target.vocabulary_size, joint=False, frame_width=3
    )
    torch.manual_seed(1)
    save_bundle(tmp_path / "b", build_model(settings, 0, target.vocabulary_size, False, frame_width=3), config, None, target, {})
    predictor = Predictor(load_bundle(tmp_path / "b"))
    assert len(predictor.predict([np.ones((4, 3), dtype=np.float32)], OPTIONS)) == 1
    for source in ("a.wav", np.zeros(9, dtype=np.float32)):
        with pytest.raises(UserError, match=r"^the model reads frames of 3 features, as arrays: it does not say how to make them"):
            predictor.predict([source])


def test_a_bundle_of_recordings_holds_its_front_end_and_no_source_model(heard: tuple[Predictor, Path], tmp_path: Path) -> None:
    bundle = heard[0].bundle
    assert bundle.source_tokenizer is None
    assert bundle.config.audio is not None
    assert (bundle.config.frame_width, bundle.config.audio.sample_rate) == (8, 8000)
    save_bundle(tmp_path / "b", bundle.model, bundle.config, None, bundle.target_tokenizer, {})
    assert sorted(path.name for path in (tmp_path / "b").iterdir()) == ["config.json", "model.safetensors", "target.model"]
    (tmp_path / "b" / "target.model").unlink()
    with pytest.raises(BundleError, match=r"a bundle holds config\.json, model\.safetensors, target\.model$"):
        load_bundle(tmp_path / "b")


def test_predict_reads_the_names_of_recordings_a_line(
    audio_template: tuple[Paths, Settings], heard: tuple[Predictor, Path]
) -> None:
    paths, folder = audio_template[0], heard[1]
    lines = "".join(f"{folder / name if name else ''}\n" for name in NAMES)
    done = CliRunner().invoke(
        app,
        ["predict", "--model", str(paths.bundle), "--device", "cpu", "--beam-size", "2", "--max-length", "6"],
        input=lines.encode(),
    )
    assert done.exit_code == 0, done.output
    assert done.stdout == "".join(f"{prediction.text}\n" for prediction in heard[0].predict(NAMES, OPTIONS))
