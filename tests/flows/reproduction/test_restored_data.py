"""Where the corpus of a version comes from, and that every byte of it is checked."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from flows.dvc.command import Dvc
from flows.reproduction.restored_data import restore_corpus, restore_parents
from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.bundle_folder import bundle_digest
from seq2seq_core.config.settings import Settings, parse_settings
from seq2seq_core.corpus.samples.sample_dates import write_sample_corpus
from seq2seq_core.errors import UserError
from seq2seq_core.lineage.lineage_record import describe_corpus
from seq2seq_core.lineage.lineage_storage import Lineage

CORPUS = "data/raw/words"


def settings_of(path: str) -> Settings:
    return parse_settings({"corpus": {"path": path, "files": {"train": ["a.tsv"]}}, "register": {"model_name": "words"}}, "test")


def lineage_of(corpus: dict[str, Any]) -> Lineage:
    return Lineage(cast(Any, SimpleNamespace(version="3", name="words")), {"corpus": corpus})


class Places:
    """A workspace with a corpus that has been recorded, and an empty copy of its repository."""

    def __init__(self, root: Path, path: str = CORPUS) -> None:
        self.here, self.copy, self.path = Paths(root / "here"), Paths(root / "copy"), path
        self.copy.root.mkdir()
        self.folder = self.here.root / path
        self.folder.mkdir(parents=True)
        for name in ("a.tsv", "b.tsv"):
            (self.folder / name).write_text(f"{name}\n")

    def record(self) -> Lineage:
        return lineage_of(describe_corpus(settings_of(self.path), self.here))

    def restore(self, lineage: Lineage) -> list[str]:
        """Restores the corpus; returns DVC's lines."""
        lines: list[str] = []
        restore_corpus(lineage, self.here, self.copy, Dvc(self.copy.root), lines.append)
        return lines


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path)


def test_the_files_of_this_workspace_are_taken(places: Places) -> None:
    lineage = places.record()
    (places.folder / "later.tsv").write_text("of no interest")
    assert places.restore(lineage) == []
    assert sorted(file.name for file in (places.copy.root / CORPUS).iterdir()) == ["a.tsv", "b.tsv"]


def test_a_changed_or_missing_file_is_refused_by_name_and_nothing_is_copied(places: Places) -> None:
    lineage = places.record()
    (places.folder / "b.tsv").write_text("b.tsW\n")
    with pytest.raises(UserError, match=rf"{CORPUS}/b.tsv: has changed since version 3 of words was registered: its SHA-256 is"):
        places.restore(lineage)
    (places.folder / "b.tsv").unlink()
    with pytest.raises(UserError, match=rf"{CORPUS}/b.tsv: no such file; expected the corpus of version 3 of words"):
        places.restore(lineage)
    assert not (places.copy.root / "data").exists()


def test_a_corpus_that_dvc_names_otherwise_at_the_commit_comes_from_its_cache(places: Places) -> None:
    lineage = places.record()
    for name, known in lineage.record["corpus"]["files"].items():
        cached = places.here.root / ".dvc" / "cache" / "files" / "md5" / known["md5"][:2] / known["md5"][2:]
        cached.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(places.folder / name, cached)
    (places.folder / "a.tsv").write_text("the corpus of tonight\n")
    for paths, md5 in ((places.here, "2"), (places.copy, "1")):
        (paths.root / f"{CORPUS}.dvc").parent.mkdir(parents=True, exist_ok=True)
        (paths.root / f"{CORPUS}.dvc").write_text(f"outs: [{{md5: '{md5}', path: words}}]\n")
    assert places.restore(lineage) == []
    assert (places.copy.root / CORPUS / "a.tsv").read_text() == "a.tsv\n"


def test_a_corpus_that_is_nowhere_is_named(places: Places) -> None:
    lineage = places.record()
    shutil.rmtree(places.folder)
    with pytest.raises(UserError, match=rf"{CORPUS}: the corpus is not here, and no {CORPUS}.dvc names it for DVC; expected it"):
        places.restore(lineage)


def test_the_sample_corpus_is_generated_again_and_checked(tmp_path: Path) -> None:
    places = Places(tmp_path, "data/raw/dates")
    shutil.rmtree(places.folder)
    write_sample_corpus(places.folder)
    lineage = lineage_of(describe_corpus(settings_of(places.path), places.here))
    shutil.rmtree(places.folder)
    places.restore(lineage)
    lineage.record["corpus"]["files"]["dev.tsv"]["sha256"] = "0" * 64
    with pytest.raises(UserError, match=r"data/raw/dates/dev.tsv: has changed since"):
        places.restore(lineage)


def test_a_corpus_of_very_many_files_is_checked_as_a_whole(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seq2seq_core.lineage.lineage_record.MAX_FILES", 1)
    lineage = places.record()
    assert lineage.record["corpus"]["files"] == {}
    places.restore(lineage)
    assert (places.copy.root / CORPUS / "b.tsv").is_file()
    (places.folder / "b.tsv").write_text("b.tsW\n")
    shutil.rmtree(places.copy.root / "data")
    with pytest.raises(UserError, match=rf"{CORPUS}: is not the corpus of version 3 of words: the digest of its files is"):
        places.restore(lineage)


def test_a_corpus_that_was_gone_at_the_registration_cannot_be_checked(places: Places) -> None:
    shutil.rmtree(places.folder)
    with pytest.raises(UserError, match=f"its corpus {CORPUS} was gone when it was registered"):
        places.restore(places.record())


@pytest.mark.parametrize(
    ("name", "setting"), [("initial_weights", "train.initial_weights"), ("teacher", "prepare.distill.teacher")]
)
def test_a_folder_with_a_model_that_a_version_comes_of_is_taken_where_its_digest_is_right(
    name: str, setting: str, places: Places
) -> None:
    folder = places.here.root / "data" / "large"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    parent = {"reference": "data/large", "digest": bundle_digest(folder)}
    lineage = Lineage(places.record().version, {"parents": {name: parent, "champion": "2"}})
    restore_parents(lineage, places.here, places.copy)
    assert (places.copy.root / "data" / "large" / "config.json").read_text() == "{}"
    (places.copy.root / "data" / "large" / "config.json").write_text("{ }")
    with pytest.raises(UserError, match=f"^{setting}: {folder}: its digest is [0-9a-f]{{64}}, expected {parent['digest']}$"):
        restore_parents(lineage, places.here, places.copy)
    registered = Lineage(places.record().version, {"parents": {name: {"reference": "models:/large/3", "digest": "a" * 64}}})
    restore_parents(registered, places.here, places.copy)
