"""Installation of a ready settings file of ``configs/`` as the workspace's ``params.yaml``."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from seq2seq_core import atomic
from seq2seq_core.artifacts import Paths
from seq2seq_core.config.corpus import names_of
from seq2seq_core.config.settings import Settings, load_settings, load_values, parse_settings
from seq2seq_core.config.yaml_text import parse_document, write_document
from seq2seq_core.dvc_files import read_stages
from seq2seq_core.errors import ConfigError, UserError


def install_settings(source: Path, paths: Paths, corpus_folder: Path | None, model_name: str | None, force: bool) -> Settings:
    """Writes ``params.yaml`` from a ready settings file; its comments are kept.

    Args:
        source: the ready file.
        paths: the workspace; writes ``params.yaml``.
        corpus_folder: replaces ``corpus.path``; None: it stays.
        model_name: replaces ``register.model_name``; None: it stays.
        force: whether to overwrite uncommitted changes.

    Raises:
        ConfigError: the file has faults.
        UserError: the corpus folder lacks the files that the settings name, or ``params.yaml`` has uncommitted changes.
    """
    document = read_ready_document(source, paths, corpus_folder, model_name)
    settings = parse_settings(document, source=str(source))
    if missing := missing_files(settings, paths):
        folder = paths.root / settings.corpus.path
        there = ", ".join(sorted(entry.name for entry in folder.iterdir())[:12]) or "nothing"
        raise UserError(f"{folder}: expected {', '.join(missing)} (corpus.files in the settings), found {there}")
    return install_document(document, str(source), paths, force)


def read_ready_document(source: Path, paths: Paths, corpus_folder: Path | None, model_name: str | None) -> Any:
    """The document of a ready settings file, with a corpus folder and a name of one's own.

    Args:
        source: the ready file.
        paths: the workspace.
        corpus_folder: replaces ``corpus.path``; None: it stays.
        model_name: replaces ``register.model_name``; None: it stays.

    Raises:
        ConfigError: the file has faults.
    """
    load_settings(source)
    document = parse_document(source.read_text(encoding="utf-8"))
    if corpus_folder is not None:
        document["corpus"]["path"] = as_written(corpus_folder, paths)
    if model_name is not None:
        document["register"]["model_name"] = model_name
    return document


def install_document(document: Any, source: str, paths: Paths, force: bool) -> Settings:
    """Writes ``params.yaml``, every section that the graph reads included.

    Args:
        document: the settings, from :func:`~seq2seq_core.config.yaml_text.parse_document`.
        source: their origin, for errors.
        paths: the workspace; writes ``params.yaml``.
        force: whether to overwrite uncommitted changes.

    Raises:
        ConfigError: the settings have faults.
        UserError: ``params.yaml`` has uncommitted changes.
    """
    for section in sections_of_the_graph(paths):
        document.setdefault(section, {})
    settings = parse_settings(document, source=source)
    if not force and has_uncommitted_changes(paths.params) and not _is_own_proposal(paths):
        raise UserError(f"{paths.params}: has changes that git does not have; commit them, or overwrite them with --force")
    text = write_document(document)
    atomic.write_text(paths.params, text)
    atomic.write_text(_proposal_file(paths), text)
    return settings


def _is_own_proposal(paths: Paths) -> bool:
    """Whether ``params.yaml`` is as this command wrote it last: nobody's work is lost with it."""
    try:
        return paths.params.read_bytes() == _proposal_file(paths).read_bytes()
    except FileNotFoundError:
        return False


def _proposal_file(paths: Paths) -> Path:
    return paths.work / "params.proposed.yaml"


def load_workspace_settings(paths: Paths) -> Settings:
    """The settings of a workspace, every section that its stages read included.

    Args:
        paths: the workspace; reads ``params.yaml``.

    Raises:
        ConfigError: the file has faults, or lacks a section: DVC runs no stage then, whatever the defaults.
    """
    values = load_values(paths.params)
    settings = parse_settings(values, str(paths.params))
    if faults := [
        f"{section}: must be there, because dvc.yaml reads it ({{}} takes every default), got nothing"
        for section in sections_of_the_graph(paths)
        if section not in values
    ]:
        raise ConfigError(faults, str(paths.params))
    return settings


def sections_of_the_graph(paths: Paths) -> list[str]:
    """The sections of ``params.yaml`` that the stages of ``dvc.yaml`` read, in order; none where it cannot be read.

    Args:
        paths: the workspace; reads ``dvc.yaml``.
    """
    try:
        stages = read_stages(paths.root / "dvc.yaml").values()
        named = [name for stage in stages for name in stage.get("params", []) if isinstance(name, str)]
    except (AttributeError, TypeError):
        return []  # DVC says what is wrong with its file
    return list(dict.fromkeys(name.partition(".")[0] for name in named))


def has_uncommitted_changes(path: Path) -> bool:
    """Whether git tracks the file (or sees it as new) and its content differs from the last commit; False outside git."""
    command = ["git", "-C", str(path.parent), "status", "--porcelain", "--", path.name]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    return result.returncode == 0 and bool(result.stdout.strip())


def as_written(folder: Path, paths: Paths) -> str:
    """A folder as ``params.yaml`` names it: relative to the workspace if it is inside, else absolute."""
    absolute = folder.resolve()
    return str(absolute.relative_to(paths.root)) if absolute.is_relative_to(paths.root) else str(absolute)


def missing_files(settings: Settings, paths: Paths) -> list[str]:
    """The files that settings name and the corpus folder lacks.

    Args:
        settings: reads the section ``corpus``.
        paths: the workspace; a relative corpus path starts there.

    Raises:
        UserError: there is no corpus folder.
    """
    folder = paths.root / settings.corpus.path
    files = settings.corpus.files
    names = [name for entry in (*files.train, *files.dev, *files.test) for name in names_of(entry)]
    names += [item.file for item in settings.corpus.monolingual]
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; name the corpus with --corpus FOLDER")
    return [name for name in names if not (folder / name).exists()]
