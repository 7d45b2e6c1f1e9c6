"""The corpus of a version in a clean copy: from git, this workspace, DVC or the generator; every byte is checked."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from flows.dvc.command import Dvc
from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.bundle_folder import bundle_digest
from seq2seq_core.console import progress
from seq2seq_core.corpus.samples.sample_dates import write_sample_corpus
from seq2seq_core.errors import Seq2SeqError, UserError
from seq2seq_core.lineage.file_digests import digest_path, iterate_files
from seq2seq_core.lineage.known_bytes import find_cached, has_bytes
from seq2seq_core.lineage.lineage_storage import Lineage
from seq2seq_core.tokenization.manifest import file_digest
from seq2seq_core.training.initial.initial_bundle import is_remote

SAMPLE_FOLDER = "data/raw/dates"

logger = logging.getLogger(__name__)


def restore_corpus(lineage: Lineage, paths: Paths, copy: Paths, dvc: Dvc, log: Callable[[str], None]) -> None:
    """Brings the corpus of a version into a clean copy.

    Where this workspace has the corpus, and git or DVC names no other one at the version's commit, its files are taken, and each
    must have the recorded bytes. Otherwise DVC's cache or remote has it, or the sample corpus is generated again.

    Args:
        lineage: of the version.
        paths: this workspace.
        copy: the workspace in the clean copy.
        dvc: of the copy.
        log: receives DVC's lines.

    Raises:
        UserError: a file is missing, or has other bytes than the version's; the message names it.
    """
    corpus, label = lineage.record["corpus"], lineage.label
    source, target = paths.root / corpus["path"], copy.root / corpus["path"]
    if corpus.get("is_missing"):
        raise UserError(f"{label}: its corpus {corpus['path']} was gone when it was registered, so that no digest of it is known")
    if not _has_all(target, corpus):
        if source.is_dir() and source != target and not _is_other(paths, copy, corpus["path"]):
            check_corpus(source, corpus, label)
            _copy(source, target, corpus)
        elif not _from_cache(target, corpus, paths):
            _pull_or_generate(target, corpus, copy, dvc, log)
    check_corpus(target, corpus, label)


PARENTS = {"initial_weights": "train.initial_weights", "teacher": "prepare.distill.teacher"}
"""The models that a version comes of, by their names in its lineage, with the settings that name them."""


def restore_parents(lineage: Lineage, paths: Paths, copy: Paths) -> None:
    """Brings folders with the models that a version comes of, which git does not track, into a clean copy; stages fetch MLflow's.

    Args:
        lineage: of the version.
        paths: this workspace.
        copy: the workspace in the clean copy.

    Raises:
        UserError: a folder is missing, or is another bundle than the version's.
    """
    for name, setting in PARENTS.items():
        parent = (lineage.record.get("parents") or {}).get(name)
        if not parent or is_remote(parent["reference"]):
            continue
        target, source = copy.root / parent["reference"], paths.root / parent["reference"]
        if not target.exists() and source.is_dir():
            shutil.copytree(source, target)
        if not target.is_dir():
            raise UserError(f"{setting}: {source}: no such folder; expected the bundle {parent['digest']} there")
        if (found := bundle_digest(target)) != parent["digest"]:
            raise UserError(f"{setting}: {source}: its digest is {found}, expected {parent['digest']}")


def check_corpus(folder: Path, corpus: Mapping[str, Any], label: str) -> None:
    """Compares every file of a corpus with its recorded digest.

    Args:
        folder: the corpus folder.
        corpus: of the record.
        label: the version's name, for messages.

    Raises:
        UserError: a file is missing or differs; the message names it.
    """
    files: Mapping[str, Any] = corpus["files"]
    with progress("digests of the corpus", len(files), "files") as shown:
        for number, (name, known) in enumerate(files.items(), start=1):
            _check_file(folder / name, known, label)
            shown.update(number)
    found = digest_path(folder)
    if not files and (found is None or found.sha256 != corpus["sha256"]):
        got = "nothing" if found is None else found.sha256
        raise UserError(f"{folder}: is not the corpus of {label}: the digest of its files is {got}, expected {corpus['sha256']}")


def _check_file(file: Path, known: Mapping[str, Any], label: str) -> None:
    if not file.is_file():
        raise UserError(f"{file}: no such file; expected the corpus of {label}, with the SHA-256 {known['sha256']} there")
    if not has_bytes(file, known):
        raise UserError(
            f"{file}: has changed since {label} was registered: its SHA-256 is {file_digest(file)}, expected {known['sha256']}; "
            "expected the same bytes, because a model is reproduced from its own corpus alone"
        )


def _has_all(folder: Path, corpus: Mapping[str, Any]) -> bool:
    return bool(corpus["files"]) and all(has_bytes(folder / name, known) for name, known in corpus["files"].items())


def _is_other(paths: Paths, copy: Paths, path: str) -> bool:
    """Whether the version's commit names another corpus than this workspace does, by the file that DVC tracks it with."""
    ours, theirs = paths.root / f"{path}.dvc", copy.root / f"{path}.dvc"
    return theirs.is_file() and not (ours.is_file() and ours.read_bytes() == theirs.read_bytes())


def _copy(source: Path, target: Path, corpus: Mapping[str, Any]) -> None:
    logger.info("the corpus comes from %s", source)
    names = list(corpus["files"]) or [file.relative_to(source).as_posix() for file in iterate_files(source)]
    for name in names:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, target / name)


def _from_cache(target: Path, corpus: Mapping[str, Any], paths: Paths) -> bool:
    """Takes the corpus from this workspace's DVC cache; False where it is not all there."""
    cached = {name: find_cached(target / name, known, paths.root) for name, known in corpus["files"].items()}
    if not cached or None in cached.values():
        return False
    logger.info("the corpus comes from DVC's cache")
    for name, file in cached.items():
        if file is not None and file != target / name:
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target / name)
    return True


def _pull_or_generate(target: Path, corpus: Mapping[str, Any], copy: Paths, dvc: Dvc, log: Callable[[str], None]) -> None:
    tracked, trouble = f"{corpus['path']}.dvc", f"no {corpus['path']}.dvc names it for DVC"
    if (copy.root / tracked).is_file():
        logger.info("the corpus comes from the DVC remote")
        result = dvc.run(["pull", tracked], log)
        if result.exit_code == 0:
            return
        trouble = f"`dvc pull {tracked}` failed: {' '.join(result.lines[-1:])}"
    if corpus["path"] == SAMPLE_FOLDER:
        logger.info("the sample corpus is generated again (%s)", trouble)
        try:
            write_sample_corpus(target)
        except Seq2SeqError as error:
            raise UserError(f"{target}: {error}") from None
        return
    raise UserError(f"{corpus['path']}: the corpus is not here, and {trouble}; expected it in this workspace or in a DVC remote")
