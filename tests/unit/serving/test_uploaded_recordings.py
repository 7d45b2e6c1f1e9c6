"""Recordings in a request, as WAV files in base64."""

from __future__ import annotations

import base64
import importlib.util
import io
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
import soundfile
from mlflow.exceptions import MlflowException

from seq2seq_core.artifacts import Paths
from seq2seq_core.audio.front_end import FrontEnd
from seq2seq_core.audio.sound_file import write_wav
from seq2seq_core.bundle.config_file import BundleConfig
from seq2seq_core.config.frames.picture_settings import ImageSettings
from seq2seq_core.config.model import ModelSection
from seq2seq_core.config.serving.request_limits import EnvironmentLimits
from seq2seq_core.config.settings import Settings
from seq2seq_core.config.tokenize import AudioSettings
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.pictures.picture_front_end import PictureFrontEnd
from seq2seq_core.registry.packaging import pinned_requirements
from seq2seq_core.serving.uploaded_files import read_recordings
from seq2seq_core.tracking.mlflow.store import quiet_imports

TWO, ONE = EnvironmentLimits(max_rows=2, max_seconds=1), EnvironmentLimits(max_rows=1, max_seconds=1)


def as_columns(*data: bytes | str) -> dict[str, list[str]]:
    return {"source": [one if isinstance(one, str) else base64.b64encode(one).decode() for one in data]}


def as_frame(*data: bytes | str) -> pd.DataFrame:
    return pd.DataFrame(as_columns(*data))


def make_wav(folder: Path, samples: int, rate: int = 8000) -> bytes:
    write_wav(folder / "a.wav", np.full(samples, 0.25, dtype=np.float32), rate)
    return (folder / "a.wav").read_bytes()


def test_the_samples_come_in_order(tmp_path: Path) -> None:
    found = read_recordings(as_columns(make_wav(tmp_path, 3), make_wav(tmp_path, 8000)), TWO, 8000)
    assert [len(samples_N) for samples_N in found] == [3, 8000]
    assert found[0].tolist() == [0.25] * 3


def test_anything_but_recordings_in_base64_is_refused(tmp_path: Path) -> None:
    whole, form = make_wav(tmp_path, 40), "expected a WAV or FLAC file of one channel, 16-bit PCM, 8000 samples a second"
    limit = "(S2S_SERVING_MAX_SECONDS sets the limit)"
    faults: dict[str, bytes | str] = {
        "must be a WAV or FLAC file in base64, got something else (Only base64 data is allowed)": "recordings/a.wav!",
        f"must be a recording of at most 1 seconds, got 1.5 {limit}": make_wav(tmp_path, 12000),
        f"must be at most 108716 characters, got 120060 {limit}": make_wav(tmp_path, 45000),
    }
    decoded: dict[str, bytes | str] = {
        f"not a WAV file of PCM samples or a FLAC file (file does not start with RIFF id); {form}": b"no recording",
        f"has 16000 samples a second; {form}": make_wav(tmp_path, 40, 16000),
        "cut short: 38 samples, but its header says 40": whole[:-4],
    }
    faults |= {f", decoded from base64: {reason}": data for reason, data in decoded.items()}
    for reason, data in faults.items():
        with pytest.raises(MlflowException, match=f"^row 1: source ?{re.escape(reason)}$") as refused:
            read_recordings(as_columns(whole, data), TWO, 8000)
        assert refused.value.error_code == "INVALID_PARAMETER_VALUE"


def test_the_served_model_answers_as_the_predictor_does(audio_template: tuple[Paths, Settings]) -> None:
    paths, settings = audio_template
    with quiet_imports():
        from seq2seq_core.serving.pyfunc_model import ServedModel
    context = cast(Any, SimpleNamespace(artifacts={"bundle": str(paths.served)}))
    served = ServedModel()
    served.load_context(context)
    names = ["test 1.wav", "test 2.wav"]
    answer = served.predict(context, as_frame(*((paths.prepared_audio / name).read_bytes() for name in names)))
    predictor = Predictor.from_folder(paths.bundle, recordings=paths.prepared_audio)
    expected = predictor.predict(names, settings.evaluate.decoding)
    assert answer.to_dict("list") == {
        "prediction": [one.text for one in expected],
        "score": [one.score for one in expected],
        "is_cut": [one.is_cut for one in expected],
        "source_is_cut": [False, False],
    }
    with pytest.raises(MlflowException, match=r"^row 0: source must be a WAV or FLAC file in base64"):
        served.predict(context, as_frame("test 1.wav"))


def test_flac_is_read_and_a_long_one_refused_before_it_is_decoded() -> None:
    short, long = io.BytesIO(), io.BytesIO()
    soundfile.write(short, np.full(80, 8192, dtype=np.int16), 8000, format="FLAC", subtype="PCM_16")
    soundfile.write(long, np.zeros(8_000_000, dtype=np.int16), 8000, format="FLAC", subtype="PCM_16")
    (samples_N,) = read_recordings(as_columns(short.getvalue()), ONE, 8000)
    assert samples_N.tolist() == [0.25] * 80
    with pytest.raises(MlflowException, match=r"^row 0: source must be a recording of at most 1 seconds, got 1e\+03 \("):
        read_recordings(as_columns(long.getvalue()), ONE, 8000)


def test_a_server_without_soundfile_refuses_flac_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(MlflowException, match=r"^row 0: source, decoded from base64: reading FLAC needs the package soundfile"):
        read_recordings(as_columns(b"fLaC" + bytes(40)), ONE, 8000)


@pytest.mark.parametrize(("audio", "there"), [(True, True), (False, True), (True, False)])
def test_the_stored_model_of_recordings_requires_soundfile_where_it_is_installed(
    audio: bool, there: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not there:
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    width, front_end = (40, FrontEnd(sample_rate=8000, settings=AudioSettings())) if audio else (0, None)
    config = BundleConfig(
        model=ModelSection(), source_vocabulary_size=0, target_vocabulary_size=9, joint=False, frame_width=width, audio=front_end
    )
    assert any(line.startswith("soundfile==") for line in pinned_requirements(config)) == (audio and there)


def test_the_stored_model_of_pictures_requires_pillow() -> None:
    image = ImageSettings()
    config = BundleConfig(
        model=ModelSection(), source_vocabulary_size=0, target_vocabulary_size=9, joint=False, frame_width=image.frame_width,
        pictures=PictureFrontEnd(settings=image),
    )  # fmt: skip
    assert any(line.startswith("pillow==") for line in pinned_requirements(config))
