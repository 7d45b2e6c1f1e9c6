"""``s2s configure --corpus FOLDER``: settings for a corpus of one's own, or a ready file fitted to its files."""

from __future__ import annotations

import re
import textwrap
from contextlib import nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from shlex import quote
from typing import Any

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.ready_settings import as_written, install_document, missing_files, read_ready_document
from seq2seq_core.config.settings import Settings, parse_settings
from seq2seq_core.config.yaml_text import parse_document, write_inline
from seq2seq_core.corpus_survey.choices.size_rules import nearer_file, resize, size_note, why_not_resize
from seq2seq_core.corpus_survey.choices.task_choice import parse_task
from seq2seq_core.corpus_survey.corpus_check import check_corpus
from seq2seq_core.corpus_survey.corpus_layout import CorpusLayout
from seq2seq_core.corpus_survey.folder_survey import folder_of, survey_folder
from seq2seq_core.corpus_survey.proposal import propose
from seq2seq_core.corpus_survey.table_columns import LayoutChoice
from seq2seq_core.corpus_survey.texts.recording_statistics import describe_recordings, describe_speech
from seq2seq_core.errors import UserError

CHECKED_ROWS = 100_000
"""Rows of each file that must be readable by the proposed settings before they are written."""
LAYOUT_SETTINGS = ("files", "format", "header", "columns", "delimiter", "comment_prefix", "source_column", "target_column")
"""Settings of ``corpus`` that say where files and columns are."""


def install_proposal(
    paths: Paths, place: Path, model_name: str | None, task: str, force: bool, chosen: LayoutChoice | None = None
) -> list[str]:
    """Writes ``params.yaml`` with settings for a corpus; returns what was found and decided, a line each.

    Args:
        paths: the workspace; writes ``params.yaml``.
        place: the corpus folder, or the one file of it that is the corpus.
        model_name: name of the registered model; None: the folder's, or the file's.
        task: name of the task; empty: the likeliest.
        force: whether to overwrite uncommitted changes.
        chosen: columns and header that the user chooses.

    Raises:
        UserError: no settings fit the corpus, its rows cannot be read, or ``params.yaml`` has uncommitted changes.
    """
    wanted = parse_task(task) if task else None
    chosen = replace(chosen or LayoutChoice(), speaks=wanted == "synthesis")
    folder, layout = folder_of(place), survey_folder(place, chosen)
    proposal = propose(layout, folder, wanted)
    name = place.resolve().name if place.is_dir() else place.name.partition(".")[0]
    name = model_name or re.sub(r"[^\w.-]+", "-", name).strip("-") or "model"
    sections = {section: dict(values) for section, values in proposal.sections.items()}
    sections["corpus"] = {"path": as_written(folder, paths), **sections["corpus"]}
    sections["register"] = {"model_name": name, **sections["register"]}
    check_corpus(parse_settings(sections, "the proposed settings"), paths.root, CHECKED_ROWS)
    install_document(parse_document(_as_text(sections, place, proposal.findings)), "the proposed settings", paths, force)
    return proposal.findings


def install_fitted(
    ready_file: Path,
    paths: Paths,
    place: Path,
    model_name: str | None,
    force: bool,
    chosen: LayoutChoice | None = None,
    fits_sizes: bool = False,
) -> list[str]:
    """Writes ``params.yaml`` from a ready file, with the files that a corpus folder has; returns what was replaced, a line each.

    Where train is far larger or smaller than that of the file's sizes, the last lines say so, and name a ready file that is nearer.

    Args:
        ready_file: the ready file.
        paths: the workspace; writes ``params.yaml``.
        place: the corpus folder, or the one file of it that is the corpus. Where the folder has the files that the ready file
            names, these stay.
        model_name: replaces ``register.model_name``; None: it stays.
        force: whether to overwrite uncommitted changes.
        chosen: columns and header that the user chooses.
        fits_sizes: whether the sizes of model and training are derived from the number of rows.

    Raises:
        ConfigError: the ready file has faults.
        UserError: the files in the folder do not suit the ready file; names the command that makes settings for them. Or its sizes
            cannot be derived.
    """
    folder = folder_of(place)
    document = read_ready_document(ready_file, paths, folder, model_name)
    missing = missing_files(parse_settings(document, str(ready_file)), paths)
    findings: list[str] = []
    if missing or chosen not in (None, LayoutChoice()) or folder != place:
        advice = f"`s2s configure --corpus {quote(str(place))}` proposes settings for what is there"
        try:
            speaks = document["corpus"].get("target_kind") == "audio"
            layout = survey_folder(place, replace(chosen or LayoutChoice(), speaks=speaks))
            _fit(document["corpus"], layout, folder)
            check_corpus(parse_settings(document, str(ready_file)), paths.root, CHECKED_ROWS)
        except UserError as error:
            raise UserError(f"{ready_file} does not fit {place} ({', '.join(missing) or 'its files'}): {error}\n{advice}") from None
        findings = [f"{ready_file} names {', '.join(missing)}, which are not there: its files are replaced", *layout.findings]
        findings = findings if missing else findings[1:]
    settings = parse_settings(document, str(ready_file))
    if fits_sizes and (reason := why_not_resize(settings)):
        raise UserError(f"--fit-sizes: must be left out with {ready_file}, got it: {reason}")
    rows = 0
    if settings.train.sized_for_pairs:
        # A corpus that a survey cannot read may be one for these settings.
        with nullcontext() if fits_sizes else suppress(UserError):
            rows = _count_rows(settings, place, chosen)
    told = resize(document, settings, rows) if fits_sizes else size_note(settings, rows)
    findings += [note for note in (told, nearer_file(ready_file, settings, rows)) if note]
    install_document(document, str(ready_file), paths, force)
    return findings


def _count_rows(settings: Settings, place: Path, chosen: LayoutChoice | None) -> int:
    """The rows of train, or about as many, of a corpus that settings are for."""
    if chosen in (None, LayoutChoice()) and settings.corpus.format in ("tsv", "csv", "auto") and not settings.corpus.header:
        chosen = LayoutChoice(header=False)
    return survey_folder(place, chosen).num_rows["train"]


def _fit(corpus: dict[str, Any], layout: CorpusLayout, folder: Path) -> None:
    """Replaces the files and columns of a section ``corpus`` by those of a layout.

    Raises:
        UserError: the section is for another kind of corpus.
    """
    files = layout.roles.files if layout.roles is not None else ""
    for kind, wanted, got in (
        ("turns of conversations", corpus.get("conversations") is not None, layout.turns is not None),
        ("recordings", corpus.get("source_kind") == "audio", files == "recordings" and not layout.speaks),
        ("recordings as targets", corpus.get("target_kind") == "audio", layout.speaks),
        ("pictures", corpus.get("source_kind") == "image", files == "pictures"),
    ):
        if wanted != got:
            raise UserError(f"expected {kind}, found none" if wanted else f"expected pairs of texts, found {kind}")
    names = corpus.get("columns") or []
    for setting in LAYOUT_SETTINGS:
        corpus.pop(setting, None)
    found = dict(layout.section)
    is_nameless = len(names) == len(found.get("columns", [])) and not found.keys() & {"source_column", "target_column"}
    if is_nameless and layout.roles is not None and layout.roles.source < layout.roles.target:
        found["columns"] = names  # the ready file names the columns beside source and target
    conversations = found.pop("conversations", {})
    corpus |= found
    if conversations:
        corpus["conversations"] |= conversations
    if layout.speaks:
        corpus["sample_rate"] = describe_speech(folder, [pair[1] for pair in layout.pairs]).sample_rate
    elif files == "recordings":
        corpus["sample_rate"] = describe_recordings(folder, [pair[0] for pair in layout.pairs]).sample_rate


def _as_text(sections: dict[str, dict[str, Any]], place: Path, findings: list[str]) -> str:
    """The parameters file, with the findings above the settings."""
    folder = sections["corpus"]["path"]
    typed = quote(folder if place.is_dir() else f"{folder}/{place.name}")
    lines = [f"# Settings for the corpus {folder}, proposed by `s2s configure --corpus {typed}`."]
    for finding in findings:
        lines += textwrap.wrap(finding, 124, initial_indent="# - ", subsequent_indent="#   ", break_long_words=False)
    lines.append("# docs/settings.md explains every setting; `s2s check-settings` checks them after an edit.")
    for name, values in sections.items():
        lines += ["", f"{name}:"]
        for key, value in values.items():
            if key == "files":
                lines += ["  files:", *(f"    {split}: {write_inline(files)}" for split, files in value.items())]
            else:
                lines.append(f"  {key}: {write_inline(value)}")
    return "\n".join(lines) + "\n"
