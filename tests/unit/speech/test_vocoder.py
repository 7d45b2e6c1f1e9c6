"""A network makes sound of frames at every door; once it is exported, its files are not needed."""

from __future__ import annotations

import base64
import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from seq2seq_core.artifacts import Paths
from seq2seq_core.audio.sound_file import read_recording
from seq2seq_core.audio.speech.griffin_lim import make_sound
from seq2seq_core.audio.vocos.vocos_files import VocosFolder
from seq2seq_core.audio.vocos.vocos_form import VocosForm
from seq2seq_core.audio.vocos.vocos_vocoder import VocosVocoder
from seq2seq_core.bundle.bundle_folder import bundle_digest
from seq2seq_core.bundle.config_file import read_config
from seq2seq_core.cli.main import app
from seq2seq_core.config.serving.request_limits import RequestLimits
from seq2seq_core.config.settings import Settings
from seq2seq_core.config.speech.speech_settings import VocoderSettings
from seq2seq_core.corpus.pairs import iterate_pairs
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.decoding.speech.speech_predictor import SpeechPredictor
from seq2seq_core.errors import BundleError, ConfigError, UserError
from seq2seq_core.evaluation.drawing import plots
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.registry.judges.judged_speech import open_judge
from seq2seq_core.serving.batching.predictor_decoder import PredictorDecoder
from seq2seq_core.serving.found_models import with_model_folders
from seq2seq_core.serving.request_reader import RequestReader
from seq2seq_core.stages.code import run_code
from seq2seq_core.stages.evaluate import run_evaluate
from seq2seq_core.stages.export import run_export
from seq2seq_core.stages.looking_ahead import check_vocoder
from seq2seq_core.stages.tokenize import run_tokenize
from seq2seq_core.stages.train import run_train
from tests.spoken_tones import RATE
from tests.vocos_folder import FRAMES, write_vocos

from .conftest import VALUES, make_settings

FORM = VocosForm(sample_rate=RATE, num_mels=20, fft_size=128, hop_samples=50, width=16, inner_width=24, num_layers=2)
SPEECH = VALUES["tokenize"]["speech"] | FRAMES
SHORT = {"max_steps": 2, "validate_every_steps": 2, "warmup_steps": 1}


class Ear:
    """A recogniser that keeps what it hears."""

    def read(self, samples: Any, sample_rate: int) -> list[str]:
        self.samples = samples
        return ["heard"]


def settings_with(path: str = "vocos", digest: str = "", speech: dict[str, Any] = SPEECH) -> Settings:
    evaluation = {"vocoder": {"name": "vocos", "path": path, "digest": digest}}
    return make_settings(tokenize={"speech": speech}, train=SHORT, evaluate={"speech": evaluation})


@pytest.fixture(scope="module")
def spoken(tokenized_tones: Path, tmp_path_factory: pytest.TempPathFactory) -> Paths:
    """A workspace whose bundle has a network."""
    paths = Paths(tmp_path_factory.mktemp("vocoder") / "tones")
    shutil.copytree(tokenized_tones, paths.root)
    write_vocos(paths.root / "vocos", FORM)
    for run in (run_tokenize, run_train, run_export):
        run(settings_with(), paths, NullRecorder())
    return paths


def test_every_door_gives_the_sound_of_the_network_without_its_files(spoken: Paths, tmp_path: Path) -> None:
    found = VocosFolder(VocoderSettings(name="vocos", path="vocos"), spoken.root)
    served = Path(shutil.copytree(spoken.served, tmp_path / "served"))
    predictor = Predictor.from_folder(served)
    assert isinstance(predictor, SpeechPredictor)
    (speech,) = predictor.speak(["0 3 1"], [{"speaker": "low"}])
    expected = VocosVocoder(found.load(), found.digest).sound(speech.energies_TM, speech.front_end.log_mel)
    assert len(expected) == (len(speech.energies_TM) - 1) * 50
    assert np.abs(expected).max() > 0.01
    assert np.array_equal(speech.samples_N, expected)
    rows, mode = RequestReader.from_folder(served, RequestLimits()).read({"source": ["0 3 1"], "speaker": ["low"]}, {})
    (answer,) = PredictorDecoder(predictor).decode(rows, mode, lambda: False)
    arguments = ["predict", "--model", str(served), "--sound", str(tmp_path / "said"), "--tag", "speaker=low"]
    assert CliRunner().invoke(app, arguments, input="0 3 1\n").exit_code == 0
    for content in (base64.b64decode(answer.text), (tmp_path / "said/00001.wav").read_bytes()):
        assert np.abs(read_recording(io.BytesIO(content), RATE).samples_N - expected).max() < 1e-4


def test_griffin_lim_takes_as_many_iterations_in_service_as_in_the_evaluation(spoken: Paths, tmp_path: Path) -> None:
    paths = Paths(Path(shutil.copytree(spoken.root, tmp_path / "tones")))
    settings = make_settings(tokenize={"speech": SPEECH}, train=SHORT, evaluate={"speech": {"iterations": 3}})
    run_export(settings, paths, NullRecorder())
    predictor = Predictor.from_folder(paths.served)
    assert isinstance(predictor, SpeechPredictor)
    assert predictor.vocoder == open_judge(paths.served, settings, paths).vocoder
    (speech,) = predictor.speak(["0 3 1"], [{"speaker": "low"}])
    sounds = {number: make_sound(speech.energies_TM, speech.front_end.log_mel, number) for number in (3, 60)}
    assert np.array_equal(speech.samples_N, sounds[3])
    assert not np.array_equal(sounds[3], sounds[60])


class Listener(NullRecorder):
    """Keeps the recordings that an evaluation logs."""

    keeps_files = True

    def __init__(self) -> None:
        self.samples = list[Any]()

    def log_file(self, path: Path, folder: str = "") -> None:
        if path.suffix == ".wav":
            self.samples.append(read_recording(path, RATE).samples_N)


def test_the_evaluation_speaks_with_it_and_says_so(spoken: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    found = VocosFolder(VocoderSettings(name="vocos", path="vocos"), spoken.root)
    digest, vocoder = found.digest, VocosVocoder(found.load(), found.digest)
    monkeypatch.setattr(plots, "can_plot", lambda: False)
    run_evaluate(settings_with(), spoken, listener := Listener())
    first = next(iterate_pairs(spoken.prepared_split("test")))
    judge = open_judge(spoken.served, settings_with(), spoken)
    (speech,) = judge.speak([first["source"]], [first])
    expected = vocoder.sound(speech.energies_TM, speech.front_end.log_mel)
    assert len(listener.samples) == 6
    assert np.abs(listener.samples[0] - expected).max() < 1e-4
    ear = Ear()
    judge.recogniser = ear  # type: ignore[assignment]
    assert judge.answer([speech], [first]) == ["heard"]
    assert np.array_equal(ear.samples[0], expected)
    metrics = json.loads(spoken.metrics.read_text())
    rows = [json.loads(line) for line in (spoken.evaluation / "speech.jsonl").read_text().splitlines()]
    assert metrics["test"]["mel_distortion"] == pytest.approx(np.mean([row["distortion"] for row in rows]), abs=1e-3)
    assert f"vocos {digest}, measured" in metrics["scored"][0]["decoding"]["engine"]


def test_the_bundle_names_the_network_and_is_refused_without_it_or_with_other_weights(spoken: Paths, tmp_path: Path) -> None:
    stored = read_config(spoken.served).vocoder
    assert stored is not None
    assert stored.form == FORM
    assert read_config(spoken.bundle).vocoder is None
    paths = Paths(Path(shutil.copytree(spoken.root, tmp_path / "again")))
    first = bundle_digest(paths.served)
    run_export(settings_with(), paths, NullRecorder())
    assert bundle_digest(paths.served) == first
    write_vocos(paths.root / "vocos", FORM, seed=2)
    run_export(settings_with(), paths, NullRecorder())
    assert bundle_digest(paths.served) != first
    (paths.served / "vocoder.safetensors").write_bytes(b"")
    with pytest.raises(BundleError, match=r"vocoder\.safetensors: damaged or exchanged"):
        Predictor.from_folder(paths.served)
    (paths.served / "vocoder.safetensors").unlink()
    with pytest.raises(BundleError, match=r"vocoder\.safetensors: no such file"):
        Predictor.from_folder(paths.served)
    run_export(make_settings(), paths, NullRecorder())
    assert not (paths.served / "vocoder.safetensors").exists()


def test_what_does_not_fit_is_told_before_any_stage(tokenized_tones: Path, tmp_path: Path) -> None:
    paths = Paths(Path(shutil.copytree(tokenized_tones, tmp_path / "tones")))

    def refused(settings: Settings, part: str) -> None:
        with pytest.raises(UserError, match=part):
            run_code(settings, paths, NullRecorder())
        values = settings.model_dump(mode="json")
        paths.params.write_text(yaml.safe_dump({name.removesuffix("_"): section for name, section in values.items()}))
        result = CliRunner().invoke(app, ["check-settings", "--workspace", str(paths.root)])
        assert result.exit_code == 2
        assert part in " ".join(result.output.split())
        assert not paths.bundle.exists()

    refused(settings_with(), "no such folder")
    write_vocos(paths.root / "vocos", FORM)
    refused(settings_with(digest="0" * 64), "expected 000")
    refused(settings_with(speech=VALUES["tokenize"]["speech"]), "spectrum magnitude")
    run_code(settings_with(), paths, NullRecorder())
    inputs = json.loads((paths.code_digests / "export.json").read_text())["outside_inputs"]
    assert inputs == {"vocoder": VocosFolder(VocoderSettings(name="vocos", path="vocos"), paths.root).digest}
    moved = with_model_folders(settings_with(), ["evaluate"], paths)  # a preflight, an ablation: the same files from elsewhere
    check_vocoder(moved, Paths(tmp_path / "elsewhere"))


def test_settings_of_a_vocoder_that_contradict_one_another() -> None:
    for vocoder, message in (
        ({"name": "vocos"}, "path must be the folder of its files where name is 'vocos'"),
        ({"path": "vocos"}, "path and digest must be left out with name 'griffin_lim'"),
    ):
        with pytest.raises(ConfigError, match=message):
            make_settings(evaluate={"speech": {"vocoder": vocoder}})
