from __future__ import annotations

import re
from pathlib import Path

import pytest

from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.bundle_folder import bundle_digest
from seq2seq_core.errors import BundleError, UserError
from seq2seq_core.registry.bundles import fetch_bundle
from seq2seq_core.tracking.mlflow.store import connect

pytestmark = pytest.mark.usefixtures("light_registration")


@pytest.mark.parametrize("reference", ["models:/dates@champion", "models:/dates/1"])
def test_a_registered_bundle_is_fetched_byte_for_byte(registered_paths: Paths, reference: str) -> None:
    folder = fetch_bundle(reference, registered_paths)
    assert bundle_digest(folder) == bundle_digest(registered_paths.served)
    assert sorted(path.name for path in folder.iterdir()) == sorted(path.name for path in registered_paths.served.iterdir())


def test_a_fetched_bundle_is_kept_and_a_damaged_copy_is_fetched_again(registered_paths: Paths) -> None:
    folder = fetch_bundle("models:/dates/1", registered_paths)
    marker = folder.stat().st_ino
    assert fetch_bundle("models:/dates/1", registered_paths).stat().st_ino == marker
    (folder / "config.json").write_text("{}")
    assert bundle_digest(fetch_bundle("models:/dates/1", registered_paths)) == bundle_digest(registered_paths.served)


def test_a_folder_is_taken_as_it_is(registered_paths: Paths) -> None:
    assert fetch_bundle(str(registered_paths.served), registered_paths) == registered_paths.served


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        (
            "no/folder",
            "no/folder: no such folder; expected a bundle's folder, models:/NAME@ALIAS or models:/NAME/VERSION",
        ),
        ("models:/dates", "models:/dates: not a registered model; expected models:/NAME@ALIAS or models:/NAME/VERSION"),
        ("models:/times@champion", "models:/times@champion: the registry sqlite:///mlflow.db has no model 'times'; it has: dates"),
        ("models:/dates@best", "models:/dates@best: the model 'dates' has no alias 'best'; it has: champion"),
        ("models:/dates/9", "models:/dates/9: the model 'dates' has no version 9 in sqlite:///mlflow.db; it has: 1"),
    ],
)
def test_what_is_not_there_is_named_with_what_is(registered_paths: Paths, reference: str, message: str) -> None:
    with pytest.raises(UserError, match=f"^{re.escape(message)}$"):
        fetch_bundle(reference, registered_paths)


def test_a_bundle_that_was_exchanged_in_the_store_is_refused_and_nothing_is_left(registered_paths: Paths) -> None:
    (stored,) = registered_paths.mlflow_artifacts.rglob("artifacts/bundle/config.json")
    stored.write_text(stored.read_text() + "\n")
    with pytest.raises(BundleError, match=r"^version 1 of 'dates': damaged or exchanged: the digest of its bundle is \w+, "):
        fetch_bundle("models:/dates/1", registered_paths)
    assert list((registered_paths.work / "bundles").iterdir()) == []


def test_a_version_that_is_not_ours_holds_no_bundle(tracked_paths: Paths, tmp_path: Path) -> None:
    client = connect(tracked_paths)
    client.create_registered_model("foreign")
    client.create_model_version("foreign", (tmp_path / "foreign").as_uri())
    expected = "version 1 of 'foreign' has no tag 'bundle_digest': it was not registered by `s2s register` and holds no bundle"
    with pytest.raises(BundleError, match=f"^{re.escape(expected)}$"):
        fetch_bundle("models:/foreign/1", tracked_paths)
