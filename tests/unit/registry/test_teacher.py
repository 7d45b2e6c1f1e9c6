"""A teacher of the registry: its alias, the digest that makes a moved alias a changed input, and what a version says of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.bundle_folder import bundle_digest
from seq2seq_core.config.settings import Settings, parse_settings
from seq2seq_core.corpus.pairs import PreparedTeacher
from seq2seq_core.distillation.teacher import find_teacher
from seq2seq_core.errors import UserError
from seq2seq_core.lineage.lineage_storage import read_lineage
from seq2seq_core.lineage.lineage_tree import lineage_tree
from seq2seq_core.model_card.card import HTML_FILE
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.registry.registration import register_bundle
from seq2seq_core.registry.versions import find_version, logged_model_id
from seq2seq_core.serving import loading
from seq2seq_core.stages.code import run_code
from seq2seq_core.stages.register import run_register
from seq2seq_core.tracking.mlflow.store import connect

pytestmark = pytest.mark.usefixtures("light_registration")


def distilled(teacher: str, digest: str = "") -> Settings:
    sections: dict[str, Any] = {
        "corpus": {"path": "x", "files": {"train": ["t.tsv"]}},
        "prepare": {"distill": {"teacher": teacher, "teacher_digest": digest}},
        "register": {"model_name": "student"},
    }
    return parse_settings(sections, "test")


def digests_of_code(settings: Settings, paths: Paths) -> dict[str, bytes]:
    run_code(settings, paths, NullRecorder())
    return {path.stem: path.read_bytes() for path in paths.code_digests.iterdir()}


def test_a_moved_alias_is_another_input_of_prepare_alone(
    registered_paths: Paths, make_bundle: Callable[..., None], make_settings: Callable[..., Settings]
) -> None:
    followed, numbered = distilled("models:/dates@champion"), distilled("models:/dates/1")
    first = bundle_digest(registered_paths.served)
    before, fixed = digests_of_code(followed, registered_paths), digests_of_code(numbered, registered_paths)
    assert json.loads(before["prepare"])["outside_inputs"] == {"teacher": first}
    assert digests_of_code(followed, registered_paths) == before
    make_bundle(registered_paths, seed=2)
    register_bundle(make_settings(), registered_paths)
    connect(registered_paths).set_registered_model_alias("dates", "champion", "2")
    after = digests_of_code(followed, registered_paths)
    assert {name for name in before if after[name] != before[name]} == {"prepare"}
    assert json.loads(after["prepare"])["outside_inputs"] == {"teacher": bundle_digest(registered_paths.served)}
    assert digests_of_code(numbered, registered_paths) == fixed
    pinned = distilled("models:/dates@champion", first)
    assert json.loads(digests_of_code(pinned, registered_paths)["prepare"])["outside_inputs"] == {"teacher": first}


def test_an_alias_means_its_version_and_a_pinned_one_needs_no_registry(
    registered_paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = bundle_digest(registered_paths.served)
    champion = distilled("models:/dates@champion").prepare.distill
    assert champion is not None
    found = find_teacher(champion, registered_paths)
    assert found.record == PreparedTeacher("models:/dates/1", digest)
    assert bundle_digest(found.found.folder) == digest
    other = distilled("models:/dates@champion", "1" * 64).prepare.distill
    assert other is not None
    with pytest.raises(UserError, match=rf"models:/dates@champion has the digest {digest}, expected {'1' * 64}"):
        find_teacher(other, registered_paths)
    monkeypatch.setattr(loading, "find_model", lambda *_: pytest.fail("the registry was asked"))
    pinned = distilled("models:/dates@champion", digest).prepare.distill
    assert pinned is not None
    assert find_teacher(pinned, registered_paths).found.folder == found.found.folder


def test_version_receipt_lineage_and_card_name_the_teacher(
    tracked_paths: Paths, tracked_settings: Settings, make_bundle: Callable[..., None]
) -> None:
    make_bundle(tracked_paths)
    PreparedTeacher("models:/large/3", "a" * 64).save(tracked_paths.prepared_teacher)
    tracked_paths.params.write_text("{}\n")
    run_register(tracked_settings, tracked_paths, NullRecorder())
    receipt = json.loads(tracked_paths.receipt.read_text())
    assert receipt["teacher"] == {"teacher": "models:/large/3", "digest": "a" * 64}
    version, client = find_version("models:/dates/1", tracked_paths), connect(tracked_paths)
    model = logged_model_id(version) or ""
    tags = client.get_logged_model(model).tags
    assert (tags["teacher"], tags["teacher_bundle_digest"]) == ("models:/large/3", "a" * 64)
    lineage = read_lineage(version, tracked_paths)
    assert lineage.record["parents"]["teacher"] == {"reference": "models:/large/3", "digest": "a" * 64}
    assert f"teacher models:/large/3: bundle {'a' * 12}\n" in lineage_tree(lineage, [])
    folder = Path(client.get_logged_model(model).artifact_location.removeprefix("file://"))
    page = (folder / HTML_FILE).read_text(encoding="utf-8")
    assert f"models:/large/3, bundle {'a' * 64}" in page


def test_a_model_without_a_teacher_has_a_receipt_as_before(
    tracked_paths: Paths, tracked_settings: Settings, make_bundle: Callable[..., None]
) -> None:
    make_bundle(tracked_paths)
    assert "teacher" not in json.loads(register_bundle(tracked_settings, tracked_paths).receipt.to_json())
