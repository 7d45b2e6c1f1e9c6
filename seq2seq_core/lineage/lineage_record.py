"""The lineage of a version: everything that it was made of, as one JSON object."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.config_file import INITIAL_BUNDLE, JUDGE_BUNDLE, WEIGHTS_FILE, read_config
from seq2seq_core.code_digests.stage_digest import digest_stage
from seq2seq_core.config.corpus import names_of
from seq2seq_core.config.named.judge import judges_asked
from seq2seq_core.config.settings import Settings
from seq2seq_core.corpus.pairs import read_teacher
from seq2seq_core.corpus.reading import find_folder
from seq2seq_core.corpus_import.source_record import read_sources
from seq2seq_core.errors import CorpusError
from seq2seq_core.lineage.code_state import CodeState
from seq2seq_core.lineage.corpus_rows import CorpusRows
from seq2seq_core.lineage.file_digests import digest_path
from seq2seq_core.lineage.record_check import ROWS_DIGEST
from seq2seq_core.redaction.redactor import redact, redact_values
from seq2seq_core.registry.receipts import Receipt
from seq2seq_core.stage_history.stage_files import StageFiles, read_stage_files
from seq2seq_core.stage_table import STAGES

FORMAT = 1
MAX_FILES = 20_000
"""Files of a corpus that are listed one by one; a larger corpus (of recordings) has one digest over all of them."""
SHORT_DIGEST = 16
"""Digits of the digest of a module's code."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Origin:
    """What is known of a registration beside the workspace's files.

    Attributes:
        receipt: the version and its decision.
        code: the workspace's code.
        machine: what trained the model.
        machine_is_of: the stage that ``machine`` is of: ``register`` where the training's own is not known.
        runs: ids of MLflow runs, by stage.
    """

    receipt: Receipt
    code: CodeState
    machine: Mapping[str, Any]
    machine_is_of: str
    runs: Mapping[str, str]


def build_record(origin: Origin, settings: Settings, paths: Paths) -> dict[str, Any]:
    """The lineage of the workspace's served bundle, without secrets.

    Args:
        origin: what the workspace's files do not say.
        settings: all.
        paths: the workspace; reads the corpus and every stage output.
    """
    receipt, content, teacher = origin.receipt, read_config(paths.served), read_teacher(paths.prepared_teacher)
    record = {
        "format": FORMAT,
        "model": {
            "name": receipt.model_name,
            "version": receipt.version,
            "bundle_digest": receipt.bundle_digest,
            "trained_digest": content.trained_digest,
            "weights_sha256": content.digests.get(WEIGHTS_FILE),
        },
        "code": origin.code.summary() | {"stages": _code_digests(settings)},
        "settings": {"text": redact(_read_text(paths.params)), "values": settings_values(settings)},
        "machine": {**origin.machine, "of": origin.machine_is_of},
        "corpus": describe_corpus(settings, paths),
        "stages": describe_stages(read_stage_files(paths.root), paths),
        "test_set": receipt.test_digest,
        "parents": {
            "initial_weights": {"reference": settings.train.initial_weights, "digest": content.data_digests.get(INITIAL_BUNDLE)}
            if settings.train.initial_weights
            else None,
            **_judges(settings, content.data_digests),
            **({} if teacher is None else {"teacher": {"reference": teacher.teacher, "digest": teacher.digest}}),
            "champion": receipt.champion_version,
        },
        "decision": {"decision": receipt.decision, "reason": receipt.reason, "metric": receipt.metric, "score": receipt.score},
        "runs": dict(origin.runs),
    }
    return redact_values(record)


def _judges(settings: Settings, digests: Mapping[str, str]) -> dict[str, Any]:
    """The models that judged in training, in the order of their phases; nothing where there was none."""
    found = [
        {"reference": judge.reader, "digest": digests.get(f"{JUDGE_BUNDLE}.{number}")}
        for number, judge in judges_asked(settings.train.phases)
    ]
    return {"judges": found} if found else {}


def settings_values(settings: Settings) -> dict[str, Any]:
    """All settings with their defaults, by section.

    Args:
        settings: all.
    """
    return {name.removesuffix("_"): value for name, value in settings.model_dump(mode="json").items()}


def describe_corpus(settings: Settings, paths: Paths) -> dict[str, Any]:
    """Where the corpus is, with the digest of each of its files.

    Args:
        settings: section ``corpus``.
        paths: the workspace.
    """
    folder = corpus_folder(settings, paths)
    found = None if folder is None else digest_path(folder)
    if folder is None or found is None:
        return {"path": settings.corpus.path, "is_missing": True, "files": {}}
    listed = found.files if len(found.files) <= MAX_FILES else {}
    files = {name: {"sha256": file.sha256, "size": file.size, "md5": _md5(folder / name)} for name, file in sorted(listed.items())}
    sources = [one.model_dump(include={"source", "version", "licence", "command"}) for one in read_sources(folder)]
    described = {"path": settings.corpus.path, **found.summary(), "files": files, "num_files": len(found.files)}
    return described | ({"sources": sources} if sources else {})


def row_files(settings: Settings, paths: Paths) -> list[str]:
    """The files of the corpus that hold rows, relative to its folder, those that are missing left out.

    Args:
        settings: section ``corpus``.
        paths: the workspace.
    """
    corpus, folder = settings.corpus, corpus_folder(settings, paths)
    names = [name for entry in (*corpus.files.train, *corpus.files.dev, *corpus.files.test) for name in names_of(entry)]
    names += [item.file for item in corpus.monolingual]
    return [] if folder is None else [name for name in dict.fromkeys(names) if (folder / name).is_file()]


def corpus_folder(settings: Settings, paths: Paths) -> Path | None:
    """The corpus folder; None where there is none.

    Args:
        settings: section ``corpus``.
        paths: the workspace.
    """
    try:
        return find_folder(settings.corpus, paths.root)
    except CorpusError:
        return None


def describe_stages(stages: Sequence[StageFiles], paths: Paths) -> dict[str, dict[str, Any]]:
    """The digest of each output that is there, by stage in the order of the graph and by path; the receipt is none of them.

    Args:
        stages: of the graph.
        paths: the workspace.
    """
    described: dict[str, dict[str, Any]] = {}
    for stage in stages:
        outputs = [output for output in stage.outputs if paths.root / output != paths.receipt]
        found = {output: digests.summary() for output in outputs if (digests := digest_path(paths.root / output))}
        if found:
            described[stage.name] = found
    return described


def add_row_counts(record: dict[str, Any], rows: CorpusRows | None, content: bytes = b"") -> None:
    """Adds the number of rows to the files of a corpus, and the digest of their hashes.

    Args:
        record: from :func:`build_record`.
        rows: of the corpus; None where it is too large.
        content: the file with the hashes of the rows.
    """
    if content:
        record["corpus"][ROWS_DIGEST] = hashlib.sha256(content).hexdigest()
    for name, hashes in (rows.files if rows else {}).items():
        record["corpus"]["files"].get(name, {})["rows"] = len(hashes)


def to_text(record: Mapping[str, Any]) -> str:
    """The record as the text of a JSON file.

    Args:
        record: from :func:`build_record`.
    """
    return json.dumps(record, ensure_ascii=False, indent=1) + "\n"


def _code_digests(settings: Settings) -> dict[str, dict[str, str]]:
    """A digest of each module that a stage reaches, by stage."""
    found: dict[str, dict[str, str]] = {}
    for stage in STAGES:
        code = digest_stage(stage, settings)["code"] if stage.is_tracked else {}
        if isinstance(code, dict) and code:
            found[stage.name] = {name: digest[:SHORT_DIGEST] for name, digest in code.items()}
    return found


def _md5(file: Path) -> str:
    """DVC's digest of a file, by which its cache has it."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _read_text(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
