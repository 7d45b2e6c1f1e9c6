from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.bundle_folder import bundle_digest
from seq2seq_core.bundle.config_file import read_config
from seq2seq_core.bundle.served_bundle import find_served_bundle
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.config.settings import Settings
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.errors import BundleError, MissingInput
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.stages.export import run_export

FAR = {"beam_size": 1, "max_length_ratio": 16.0, "min_length": 2, "no_repeat_ngram_size": 2, "length_penalty": 0.0}
MakeSettings = Callable[..., Settings]


@pytest.fixture
def paths(tmp_path: Path, make_bundle: Callable[..., None]) -> Paths:
    paths = Paths(tmp_path)
    make_bundle(paths)
    return paths


def read_files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_served_bundle_is_the_trained_one_with_the_options_of_the_evaluation(paths: Paths, make_settings: MakeSettings) -> None:
    assert run_export(make_settings(evaluate=FAR), paths, NullRecorder()).options == DecodingOptions.model_validate(FAR)
    trained, served = read_files(paths.bundle), read_files(paths.served)
    assert {name for name in served if served[name] != trained.get(name)} == {"config.json"}
    content = json.loads(served["config.json"])
    assert content.pop("decoding") == DecodingOptions.model_validate(FAR).model_dump()
    assert content.pop("trained_digest") == bundle_digest(paths.bundle)
    assert content.items() <= json.loads(trained["config.json"]).items()


def test_whatever_uses_the_bundle_takes_its_options_unless_told_otherwise(paths: Paths, make_settings: MakeSettings) -> None:
    run_export(make_settings(evaluate=FAR), paths, NullRecorder())
    predictor, sources = Predictor.from_folder(paths.served), ["3 May 2031", "le 7 mars"]
    assert predictor.options == DecodingOptions.model_validate(FAR)
    assert predictor.predict(sources) == predictor.predict(sources, DecodingOptions.model_validate(FAR))
    short = predictor.predict(sources, predictor.options.override(max_length=3))
    assert short == predictor.predict(sources, DecodingOptions.model_validate(FAR | {"max_length": 3}))
    assert Predictor.from_folder(paths.bundle).options == DecodingOptions()


def test_a_second_run_writes_the_same_bytes(paths: Paths, make_settings: MakeSettings) -> None:
    run_export(make_settings(), paths, NullRecorder())
    before = read_files(paths.served)
    run_export(make_settings(), paths, NullRecorder())
    assert read_files(paths.served) == before


def test_a_missing_or_damaged_bundle_is_refused_and_leaves_the_older_output(paths: Paths, make_settings: MakeSettings) -> None:
    before = read_files(paths.served)
    (paths.bundle / "target.model").write_bytes(b"x")
    with pytest.raises(BundleError, match="damaged or exchanged"):
        run_export(make_settings(), paths, NullRecorder())
    assert read_files(paths.served) == before
    paths.bundle.rename(paths.root / "elsewhere")
    with pytest.raises(MissingInput) as caught:
        run_export(make_settings(), paths, NullRecorder())
    assert str(caught.value) == f"{paths.bundle}: no such model bundle; `s2s train` (or `dvc repro train`) makes one"


def test_a_missing_served_bundle_names_the_command_and_one_of_another_model_is_told(
    paths: Paths, make_settings: MakeSettings, make_bundle: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        run_export(make_settings(evaluate=FAR | {"confidence_event": "none"}), paths, NullRecorder())
        assert find_served_bundle(paths) == paths.served
        assert caplog.messages == []
        served = paths.served.rename(paths.root / "kept")
        with pytest.raises(MissingInput) as caught:
            find_served_bundle(paths)
        assert str(caught.value) == f"{paths.served}: no such model bundle; `s2s export` (or `dvc repro export`) makes one"
        make_bundle(paths, seed=2)
        assert read_config(paths.served).trained_digest != read_config(served).trained_digest
        (paths.root / "other").mkdir()
        paths.served.rename(paths.root / "other" / "served")
        served.rename(paths.served)
        find_served_bundle(paths)
    assert caplog.messages == [
        f"{paths.served} was made of another model than {paths.bundle} now holds; "
        "`s2s export` (or `dvc repro export`) makes it anew"
    ]


def test_the_settings_choose_the_engine_and_its_file_is_in_the_digest(
    paths: Paths, make_settings: MakeSettings, make_bundle: Callable[..., None]
) -> None:
    make_bundle(paths, model={"architecture": "transformer", "width": 8, "heads": 2, "feedforward_width": 8})
    before = read_files(paths.bundle)
    digests = {}
    for choice in ({"engine": "torch"}, {}, {"compute_type": "int8"}):
        result = run_export(make_settings(evaluate=choice), paths, NullRecorder())
        content = read_config(paths.served)
        assert content.engine == result.engine
        assert (content.digests.keys() - read_config(paths.bundle).digests.keys()) == (
            {"ctranslate2.bin"} if result.engine else set()
        )  # fmt: skip
        digests[bundle_digest(paths.served)] = result.engine and result.engine.compute_type
    assert list(digests.values()) == [None, "float32", "int8"]
    assert read_files(paths.bundle) == before
    again = bundle_digest(paths.served)
    run_export(make_settings(evaluate={"compute_type": "int8"}), paths, NullRecorder())
    assert bundle_digest(paths.served) == again
    (paths.served / "source_vocabulary.json").write_text("[]")
    with pytest.raises(BundleError, match=r"source_vocabulary\.json: does not belong here; a bundle holds .*, ctranslate2\.bin"):
        Predictor.from_folder(paths.served)


def test_a_trained_bundle_names_no_engine(paths: Paths) -> None:
    content = json.loads((paths.bundle / "config.json").read_text())
    assert "engine" not in content
    (paths.bundle / "ctranslate2.bin").write_bytes(b"x")
    with pytest.raises(BundleError, match=r"ctranslate2\.bin: does not belong here"):
        Predictor.from_folder(paths.bundle)
