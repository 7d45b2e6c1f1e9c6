"""A registration that dies between any two calls of the registry leaves nothing that the next one does not complete."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.model_seal import BUNDLE_PATH, CODE_SEAL
from seq2seq_core.config.settings import Settings
from seq2seq_core.registry import registration
from seq2seq_core.registry.moves import read_history
from seq2seq_core.registry.registration import register_bundle
from seq2seq_core.registry.versions import current_champion, logged_model_id
from seq2seq_core.tracking.mlflow.store import connect
from tests.unit.registry.dying_client import DyingClient, Killed

pytestmark = pytest.mark.usefixtures("light_registration")


def leave_a_mark(bundle: Path, model: Any, *_: object) -> Any:
    """In place of the upload of a model, which takes a second: the bundle, and the file by which a version counts as whole."""
    folder = Path(model.artifact_location.removeprefix("file://"))
    shutil.copytree(bundle, folder / BUNDLE_PATH, dirs_exist_ok=True)
    (folder / "MLmodel").write_text("{}")
    return SimpleNamespace(metadata={CODE_SEAL: "0" * 64})


@pytest.fixture
def before(tracked_paths: Paths, tracked_settings: Settings, make_bundle: Callable[..., None]) -> Paths:
    """A champion, and a better bundle that is not registered yet."""
    make_bundle(tracked_paths, 1, 0.25)
    register_bundle(tracked_settings, tracked_paths)
    return tracked_paths


@pytest.mark.proof
def test_the_next_registration_completes_whatever_the_last_one_began(
    before: Paths, tracked_settings: Settings, make_bundle: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registration, "log_bundle", leave_a_mark)
    for moment in itertools.count():
        # Each round has a bundle of its own; its seed makes another one champion.
        make_bundle(before, 10 + moment, min(1.0, 0.5 + moment / 100))
        with monkeypatch.context() as dying:
            dying.setattr(registration, "connect", lambda paths, last=moment: DyingClient(connect(paths), last))
            try:
                register_bundle(tracked_settings, before)
            except Killed:
                died = True
            else:
                died = False
        receipt = register_bundle(tracked_settings, before).receipt
        client, history = connect(before), read_history("dates", before)
        about = [entry for entry in history if entry.version == receipt.version]
        assert len(about) == 1, "decided once"
        assert current_champion(client, "dates") == history[-1].champion
        found = client.search_model_versions(f"name = 'dates' and tag.bundle_digest = '{receipt.bundle_digest}'")
        assert [str(version.version) for version in found] == [receipt.version], "one version a bundle"
        version = client.get_model_version("dates", receipt.version)
        assert version.tags["decision"] == receipt.decision
        description = version.description or ""
        assert description.partition("\n")[0].endswith(f": {receipt.decision}")
        assert f"models/{logged_model_id(version)}/artifacts)" in description, "with its card"
        aliases = client.get_registered_model("dates").aliases
        assert str(aliases["champion" if receipt.decision == "champion" else "challenger"]) == receipt.version
        if not died:
            break
    assert moment > 10
