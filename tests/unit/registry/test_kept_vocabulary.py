"""The vocabulary of a registered version: by its number, or by an alias with a digest."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.bundle_folder import bundle_digest
from seq2seq_core.config.settings import Settings, parse_settings
from seq2seq_core.errors import UserError
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.registry.registration import register_bundle
from seq2seq_core.serving import loading
from seq2seq_core.stages.code import run_code
from seq2seq_core.stages.kept_vocabulary import find_kept_vocabulary
from seq2seq_core.tracking.mlflow.store import connect

pytestmark = pytest.mark.usefixtures("light_registration")


def keeping(vocabulary: str, digest: str = "") -> Settings:
    sections: dict[str, Any] = {
        "corpus": {"path": "x", "files": {"train": ["t.tsv"]}},
        "tokenize": {"vocabulary": vocabulary, "vocabulary_digest": digest} | SIDES,
        "register": {"model_name": "dates"},
    }
    return parse_settings(sections, "test")


SIDES = {side: {"model": "char"} for side in ("source", "target")}


def outside_inputs(settings: Settings, paths: Paths) -> Any:
    run_code(settings, paths, NullRecorder())
    return json.loads((paths.code_digests / "tokenize.json").read_text()).get("outside_inputs")


@pytest.mark.proof
def test_a_version_keeps_its_ids_whatever_serves(
    registered_paths: Paths,
    make_bundle: Callable[..., None],
    make_settings: Callable[..., Settings],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    numbered, first = keeping("models:/dates/1"), bundle_digest(registered_paths.served)
    found = find_kept_vocabulary(numbered.tokenize, registered_paths)
    assert found.tags == {"vocabulary": "models:/dates/1", "vocabulary_bundle_digest": first}
    assert found.target.proto == (registered_paths.served / "target.model").read_bytes()
    make_bundle(registered_paths, seed=2)
    register_bundle(make_settings(), registered_paths)
    connect(registered_paths).set_registered_model_alias("dates", "champion", "2")
    assert outside_inputs(numbered, registered_paths) == {"vocabulary": first}
    assert find_kept_vocabulary(numbered.tokenize, registered_paths).digest == first
    second = bundle_digest(registered_paths.served)
    with pytest.raises(UserError, match=f"^tokenize.vocabulary_digest: .* has the digest {second}, expected {'1' * 64}"):
        find_kept_vocabulary(keeping("models:/dates@champion", "1" * 64).tokenize, registered_paths)
    monkeypatch.setattr(loading, "find_model", lambda *_: pytest.fail("the registry was asked"))
    pinned = keeping("models:/dates@champion", first)
    assert outside_inputs(pinned, registered_paths) == {"vocabulary": first}
    assert find_kept_vocabulary(pinned.tokenize, registered_paths).digest == first


def test_the_digest_of_a_folder_is_an_input_of_tokenize(registered_paths: Paths, make_bundle: Callable[..., None]) -> None:
    assert outside_inputs(keeping(""), registered_paths) is None
    kept = registered_paths.root / "kept"
    registered_paths.served.rename(kept)
    before = outside_inputs(keeping("kept"), registered_paths)
    assert before == {"vocabulary": bundle_digest(kept)}
    _replace(kept, registered_paths, make_bundle)
    assert outside_inputs(keeping("kept"), registered_paths) == {"vocabulary": bundle_digest(kept)} != before


def _replace(kept: Path, paths: Paths, make_bundle: Callable[..., None]) -> None:
    make_bundle(paths, seed=3)
    kept.rename(kept.with_name("old"))
    paths.served.rename(kept)
