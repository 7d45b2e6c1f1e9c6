"""A model learns tones, and says them through evaluate and predict; a training that is stopped ends in the same weights."""

from __future__ import annotations

import base64
import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlflow.exceptions import MlflowException
from typer.testing import CliRunner

from seq2seq_core.artifacts import Paths
from seq2seq_core.audio.sound_file import read_recording
from seq2seq_core.bundle.bundle import load_bundle
from seq2seq_core.cli.main import app
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.config.serving.request_limits import RequestLimits
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.decoding.speech import speech_predictor
from seq2seq_core.decoding.speech.frame_loop import Utterance, write_utterances
from seq2seq_core.decoding.speech.speech_facts import follow_attention
from seq2seq_core.decoding.speech.speech_predictor import SpeechPredictor
from seq2seq_core.errors import UserError
from seq2seq_core.preflight.update_probe import probe
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.serving.batching.predictor_decoder import PredictorDecoder
from seq2seq_core.serving.request_reader import RequestReader
from seq2seq_core.stages.evaluate import run_evaluate
from seq2seq_core.stages.train import run_train
from seq2seq_core.training.data.inputs import read_inputs
from tests.spoken_tones import DIGITS, RATE, pitch_of
from tests.training_runs import output_digests, train_until

from .conftest import make_settings


def test_a_stopped_training_ends_in_the_same_bytes(tones: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = make_settings()
    run_train(settings, tones, NullRecorder())
    whole = output_digests(tones)
    train_until(6, settings, tones, monkeypatch, from_scratch=True)
    run_train(settings, tones, NullRecorder())
    assert output_digests(tones) == whole


def test_the_model_has_learned_what_it_says(speaking: Paths) -> None:
    run_evaluate(make_settings(), speaking, NullRecorder())
    metrics = json.loads(speaking.metrics.read_text())
    rows = [json.loads(line) for line in (speaking.evaluation / "speech.jsonl").read_text().splitlines()]
    assert metrics["test"]["mel_distortion"] == pytest.approx(np.mean([row["distortion"] for row in rows]), abs=1e-3)
    assert metrics["test"]["mel_distortion"] < 4.0
    assert metrics["speech"]["monotonic_steps"] > 0.95
    assert metrics["speech"]["length_ratio"] == pytest.approx(1.0, abs=0.1)
    assert metrics["counts"]["cut_hypotheses"] == 0


def test_equal_texts_of_a_speaker_are_compared_with_a_recording_each(speaking: Paths, tmp_path: Path) -> None:
    paths = Paths(Path(shutil.copytree(speaking.root, tmp_path / "again")))
    first, second = paths.prepared_split("test").read_text().splitlines()[:2]
    other = json.loads(first) | {name: json.loads(second)[name] for name in ("recording", "recording_sha256")}
    paths.prepared_split("test").write_text(f"{first}\n{json.dumps(other)}\n")
    run_evaluate(make_settings(), paths, NullRecorder())
    rows = [json.loads(line) for line in (paths.evaluation / "speech.jsonl").read_text().splitlines()]
    assert [row["recording"] for row in rows] == [json.loads(first)["recording"], other["recording"]]
    assert rows[0]["distortion"] != rows[1]["distortion"]


def test_the_command_writes_the_pitches_of_the_digits(speaking: Paths) -> None:
    folder = speaking.root / "spoken"
    arguments = ["predict", "--model", str(speaking.served), "--sound", str(folder), "--tag", "speaker=low"]
    result = CliRunner().invoke(app, arguments, input="0 3 1\n\n")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [str(folder / "00001.wav"), str(folder / "00002.wav")]
    sound = read_recording(folder / "00001.wav", RATE).samples_N
    middles = (np.arange(3) * 75 + 22) * RATE // 1000
    for middle, digit in zip(middles, "031", strict=True):
        spectrum = np.abs(np.fft.rfft(sound[middle - 50 : middle + 50] * np.hanning(100), 4000))
        heard = float(spectrum.argmax()) * RATE / 4000
        assert min(DIGITS, key=lambda one: abs(np.log(heard / pitch_of(one, "low")))) == digit
    for more in ([], ["--sound", str(folder), "--scores"]):
        refused = CliRunner().invoke(app, ["predict", "--model", str(speaking.served), *more], input="0 3\n")
        assert refused.exit_code == 2


def test_a_bundle_of_speech_loads_and_speaks_the_same_alone_and_in_a_batch(speaking: Paths) -> None:
    bundle = load_bundle(speaking.served)
    assert bundle.target_model is None
    assert not (speaking.served / "target.model").exists()
    for name in ("drops_in_decoding", "spectrum", "slopes", "padding", "vocoder"):  # as in bundles from before there was one
        assert f'"{name}"' not in (speaking.served / "config.json").read_text()
    predictor = Predictor.from_folder(speaking.served)
    assert isinstance(predictor, SpeechPredictor)
    tags = [{"speaker": "low"}, {"speaker": "high"}]
    together = predictor.speak(["0 1 2 3", "2"], tags)
    alone = predictor.speak(["2"], tags[1:])[0]
    assert together[1].utterance is not None
    assert alone.utterance is not None
    assert np.allclose(together[1].utterance.frames_TM, alone.utterance.frames_TM, atol=1e-4)
    assert together[0].utterance is not None
    assert together[0].utterance.attention_RS.shape[1] == len(together[0].row) == 6
    assert np.allclose(together[0].utterance.attention_RS.sum(axis=1), 1.0, atol=1e-4)
    assert predictor.predict("2", tags=tags[1]) == predictor.predict(["2"], tags=tags[1:])[0]


def test_a_server_answers_with_a_wav_file_in_base64(speaking: Paths) -> None:
    limits = RequestLimits()
    reader, decoder = RequestReader.from_folder(speaking.served, limits), PredictorDecoder(Predictor.from_folder(speaking.served))
    assert reader.known_tags == {"speaker": ["high", "low"]}
    rows, mode = reader.read({"source": ["0 1"], "speaker": ["low"]}, {})
    (found,) = decoder.decode(rows, mode, lambda: False)
    sound = read_recording(io.BytesIO(base64.b64decode(found.text)), RATE).samples_N
    (spoken,) = decoder.predictor.speak(["0 1"], [{"speaker": "low"}])  # type: ignore[attr-defined]
    assert np.abs(sound - spoken.samples_N).max() < 1e-4
    with pytest.raises(MlflowException, match=r"params\.beam_size: must be left out with a model of speech"):
        reader.read({"source": ["0 1"], "speaker": ["low"]}, {"beam_size": 3})
    with pytest.raises(UserError, match=r"^beam_size: must be left out with a model of speech"):
        decoder.predictor.predict("0 1", DecodingOptions(beam_size=5), tags={"speaker": "low"})


def test_preflight_measures_updates_and_speech_as_long_as_the_recordings(speaking: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    written = list[int]()

    def counted(*arguments: Any) -> list[Utterance]:
        utterances = write_utterances(*arguments)
        written.extend(len(one.frames_TM) for one in utterances)
        return utterances

    monkeypatch.setattr(speech_predictor, "write_utterances", counted)
    model = {"attention": "additive", "width": 48, "frames": {"frames_per_step": 3, "pre_net_width": 16, "post_net_layers": 0}}
    found = probe(make_settings(model=model), speaking, 0.0, 10**15)
    (phase,) = found.phases
    assert found.fits
    assert len(phase.updates) >= 4
    assert phase.likelihoods.cpu_seconds > 0
    assert (phase.decoding.cpu_seconds, phase.decoded_rows, phase.decoded_share) == (0.0, 0, 1.0)
    assert found.decoding is not None
    assert (found.decoding.rows, found.decoding.greedy) == (8, None)
    longest = int(read_inputs(speaking.tokenized, 1000).dev.target_lengths.max())
    assert len({*(forced := written[-8:])}) == 1  # none ends by itself
    assert longest - 3 < forced[0] <= longest
    assert found.decoding.most_share > 1.25


def test_the_way_of_an_attention_is_counted() -> None:
    def path(*places: int) -> tuple[float, int, int]:
        found = follow_attention(np.eye(8)[list(places)])
        return round(found.monotonic_share, 4), found.repeated, found.skipped

    assert path(0, 0, 1, 2) == (1.0, 0, 0)
    assert path(0, 1, 0, 4) == (0.6667, 1, 3)
    assert path(5) == (1.0, 0, 0)
