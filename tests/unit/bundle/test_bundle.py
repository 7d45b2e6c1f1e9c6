from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest
import torch
from safetensors.torch import load_file, save_file

from seq2seq_core.bundle.bundle import load_bundle, save_bundle
from seq2seq_core.bundle.bundle_folder import bundle_digest
from seq2seq_core.bundle.config_file import BundleConfig
from seq2seq_core.config.model import Architecture, ModelSection
from seq2seq_core.config.tokenize import SubwordSettings
from seq2seq_core.errors import BundleError
from seq2seq_core.modeling.model_building import build_model
from seq2seq_core.modeling.seq2seq import Seq2Seq
from seq2seq_core.tokenization.manifest import file_digest
from seq2seq_core.tokenization.subword import SubwordModel, train_subword

SIZES = {"width": 8, "feedforward_width": 16, "heads": 2}
FILES = ["config.json", "model.safetensors", "source.model", "target.model"]


@pytest.fixture(scope="module")
def tokenizer() -> SubwordModel:
    return train_subword(["abc defg"], SubwordSettings(model="char"))


def make_config(tokenizer: SubwordModel, **values: object) -> BundleConfig:
    settings = ModelSection.model_validate(SIZES | values)
    size = tokenizer.vocabulary_size
    return BundleConfig(model=settings, source_vocabulary_size=size, target_vocabulary_size=size, joint=True)


def make_model(config: BundleConfig) -> Seq2Seq:
    torch.manual_seed(1)
    return build_model(config.model, config.source_vocabulary_size, config.target_vocabulary_size, config.joint)


@pytest.fixture
def folder(tmp_path: Path, tokenizer: SubwordModel) -> Path:
    config = make_config(tokenizer)
    save_bundle(tmp_path / "bundle", make_model(config), config, tokenizer, tokenizer, {"train.source.values.npy": "ab" * 32})
    return tmp_path / "bundle"


def edit_config(folder: Path, change: Callable[[dict[str, object]], object]) -> None:
    content = json.loads((folder / "config.json").read_text())
    change(content)
    (folder / "config.json").write_text(json.dumps(content))


@pytest.mark.parametrize("architecture", get_args(Architecture))
@pytest.mark.parametrize("tie_embeddings", ["none", "target", "all"])
def test_a_bundle_gives_back_the_same_model(
    tmp_path: Path, tokenizer: SubwordModel, architecture: str, tie_embeddings: str
) -> None:
    config = make_config(tokenizer, architecture=architecture, tie_embeddings=tie_embeddings)
    model = make_model(config)
    save_bundle(tmp_path / "b", model, config, tokenizer, tokenizer, {})
    torch.manual_seed(2)
    bundle = load_bundle(tmp_path / "b")
    assert not bundle.model.training
    assert bundle.config == config
    assert bundle.source_tokenizer is not None
    assert (bundle.source_tokenizer.proto, bundle.target_tokenizer.kind) == (tokenizer.proto, "char")
    for name, tensor in model.state_dict().items():
        assert torch.equal(bundle.model.state_dict()[name], tensor), name


def test_the_same_model_makes_the_same_bytes_over_an_older_bundle(folder: Path, tokenizer: SubwordModel) -> None:
    digest = bundle_digest(folder)
    config = make_config(tokenizer)
    (folder / "left over").write_text("x")
    save_bundle(folder, make_model(config), config, tokenizer, tokenizer, {"train.source.values.npy": "ab" * 32})
    assert sorted(path.name for path in folder.iterdir()) == FILES
    assert bundle_digest(folder) == digest
    assert [path.name for path in folder.parent.iterdir()] == ["bundle"]


def test_the_digest_tells_every_change_of_name_or_content(folder: Path) -> None:
    digests = {bundle_digest(folder)}
    (folder / "source.model").write_bytes(b"other")
    digests.add(bundle_digest(folder))
    (folder / "source.model").rename(folder / "renamed.model")
    digests.add(bundle_digest(folder))
    assert len(digests) == 3


def test_the_digest_does_not_depend_on_the_place(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "elsewhere" / "copy")
    assert bundle_digest(tmp_path / "elsewhere" / "copy") == bundle_digest(folder)


def test_what_it_was_made_from_is_stated(folder: Path) -> None:
    content = json.loads((folder / "config.json").read_text())
    assert content["data_digests"] == {"train.source.values.npy": "ab" * 32}
    assert content["tokenizers"] == {"source": "char", "target": "char"}
    assert content["digests"] == {name: file_digest(folder / name) for name in FILES[1:]}
    assert content["format_version"] == 1


def test_whoever_may_read_one_file_may_read_all(folder: Path) -> None:
    assert len({(folder / name).stat().st_mode for name in FILES}) == 1


def test_no_pickle_is_inside(folder: Path) -> None:
    assert not any(path.read_bytes()[:1] == b"\x80" for path in folder.iterdir())
    assert sorted(path.name for path in folder.iterdir()) == FILES


def test_a_folder_that_is_no_bundle_names_the_command(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(BundleError) as caught:
            load_bundle(place)
        assert (
            str(caught.value) == f"{place}: not a model bundle, it has no config.json; `s2s train` (or `dvc repro train`) makes one"
        )
    with pytest.raises(BundleError, match="nowhere: no such model bundle; `s2s train` "):
        bundle_digest(tmp_path / "nowhere")


@pytest.mark.parametrize("name", FILES[1:])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(BundleError) as caught:
        load_bundle(folder)
    assert str(caught.value) == (
        f"{folder}/{name}: no such file; a bundle holds config.json, model.safetensors, source.model, target.model"
    )


@pytest.mark.parametrize("name", FILES[1:])
def test_a_damaged_file_is_named(folder: Path, name: str) -> None:
    data = bytearray((folder / name).read_bytes())
    expected = file_digest(folder / name)
    data[-1] ^= 1
    (folder / name).write_bytes(data)
    with pytest.raises(BundleError) as caught:
        load_bundle(folder)
    assert str(caught.value) == (
        f"{folder}/{name}: damaged or exchanged: its SHA-256 is {file_digest(folder / name)}, expected {expected}"
    )


def test_another_format_version_is_refused(folder: Path) -> None:
    edit_config(folder, lambda content: content.update(format_version=2))
    with pytest.raises(BundleError) as caught:
        load_bundle(folder)
    assert str(caught.value) == (
        f"{folder}/config.json: expected a bundle of format version 1, but format_version: Input should be 1"
    )


def test_a_config_that_is_not_json_is_refused(folder: Path) -> None:
    (folder / "config.json").write_text("{")
    with pytest.raises(BundleError, match=r"config\.json: expected a bundle of format version 1, but content: Invalid JSON"):
        load_bundle(folder)


def test_weights_of_another_shape_are_refused(folder: Path) -> None:
    edit_config(folder, lambda content: content["config"]["model"].update(width=12))  # type: ignore[index]
    with pytest.raises(
        BundleError, match=r"model\.safetensors: the weights do not fit the settings in config\.json: .* is .*, expected"
    ):
        load_bundle(folder)


def test_missing_and_surplus_weights_are_refused(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights["surplus"] = weights.pop("output.bias")
    save_file(weights, folder / "model.safetensors")
    edit_config(folder, lambda content: content["digests"].update({FILES[1]: file_digest(folder / FILES[1])}))  # type: ignore[attr-defined]
    with pytest.raises(BundleError) as caught:
        load_bundle(folder)
    size = weights["surplus"].shape[0]
    assert str(caught.value) == (
        f"{folder}/model.safetensors: the weights do not fit the settings in config.json: output.bias is missing, "
        f"expected ({size},); surplus is ({size},), expected nothing of that name"
    )


def test_weights_that_are_not_safetensors_are_refused(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"junk" * 10)
    edit_config(folder, lambda content: content["digests"].update({FILES[1]: file_digest(folder / FILES[1])}))  # type: ignore[attr-defined]
    with pytest.raises(BundleError, match=r"model\.safetensors: cannot be read \(.*\); expected weights in the safetensors format"):
        load_bundle(folder)


def test_a_failed_save_leaves_the_older_bundle(folder: Path, tokenizer: SubwordModel, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = bundle_digest(folder)

    def fail(self: SubwordModel, path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(SubwordModel, "save", fail)
    config = make_config(tokenizer)
    with pytest.raises(OSError, match="No space left"):
        save_bundle(folder, make_model(config), config, tokenizer, tokenizer, {})
    assert bundle_digest(folder) == digest
    assert [path.name for path in folder.parent.iterdir()] == ["bundle"]
