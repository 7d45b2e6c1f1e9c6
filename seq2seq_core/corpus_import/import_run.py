"""An import from start to end: a corpus that was found is fetched, made and put into ``data/raw``, whole or not at all."""

from __future__ import annotations

import json
import logging
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import join

from seq2seq_core.artifacts import Paths
from seq2seq_core.atomic import new_folder, write_text
from seq2seq_core.corpus_import.http_answers import Web
from seq2seq_core.corpus_import.import_plan import CorpusPlace, ImportPlan
from seq2seq_core.corpus_import.resumable_download import Downloader
from seq2seq_core.corpus_import.size_limit import SizeLimit
from seq2seq_core.corpus_import.source_record import (
    NOT_STATED,
    SOURCE_FILE,
    Fetched,
    SourceRecord,
    describe_files,
    dvc_file,
    read_pin,
    read_record,
    write_record,
)
from seq2seq_core.errors import StorageFault, UserError, WorkspaceBusy
from seq2seq_core.file_lock import hold_lock
from seq2seq_core.redaction.redactor import redact

UPSTREAM_SOURCE_FILE = "SOURCE.upstream.yaml"
_NAME = re.compile(r"(?!.*\.dvc$)[A-Za-z0-9][\w.-]{0,99}")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ImportChoices:
    """What the user chose for an import.

    Attributes:
        name: of the folder in ``data/raw``.
        licence: in the user's words; empty: as the source states it.
        most_bytes: most bytes to fetch, and most to unpack.
        force: whether a folder that is there is replaced.
    """

    name: str
    licence: str
    most_bytes: int
    force: bool


@dataclass(frozen=True)
class ImportResult:
    """The end of an import.

    Attributes:
        record: of the corpus that is now there.
        notes: what was left out or changed.
        is_new: whether the folder was written; it was there already otherwise.
    """

    record: SourceRecord
    notes: Sequence[str]
    is_new: bool


def corpus_place(name: str, paths: Paths) -> Path:
    """The folder of an imported corpus.

    Args:
        name: its name.
        paths: the workspace.

    Raises:
        UserError: it cannot be the name of a folder.
    """
    if not _NAME.fullmatch(name):
        raise UserError(
            f"--name: must be letters, digits, points, dashes and underscores, and no name of a .dvc file; got {name!r}"
        )
    return paths.root / "data" / "raw" / name


def describe_plan(plan: ImportPlan, choices: ImportChoices, paths: Paths) -> Iterator[str]:
    """Lines that say what an import would fetch, and where it would go.

    Args:
        plan: of the import.
        choices: the user's.
        paths: the workspace.
    """
    target = corpus_place(choices.name, paths)
    yield f"{plan.source}, version {plan.version or 'by the checksums of its files'}"
    yield f"licence: {choices.licence or plan.licence or 'not stated here; the files may state it'}"
    for download in plan.downloads:
        stated = f", {download.checksum}" if download.checksum else ""
        yield f"fetch {download.name}: {_shown_size(download.size)}{stated}, from {redact(download.url)}"
    yield f"in all: {_shown_size(plan.num_bytes)} to fetch" if plan.downloads else "in all: nothing to fetch, the files are here"
    state = "is there already" if target.exists() else "is not there yet"
    yield f"into {target.relative_to(paths.root)}, which {state}"


def run_import(place: CorpusPlace, choices: ImportChoices, paths: Paths) -> ImportResult:
    """Imports a corpus, or finds that the same version is there. What was fetched before a kill is used.

    Args:
        place: the corpus.
        choices: the user's.
        paths: the workspace.

    Raises:
        UserError: another corpus is there, the source sends other bytes than git has on record, or its files are faulty.
        EnvironmentFault: a server does not answer.
        WorkspaceBusy: another process imports into the same folder.
    """
    target = corpus_place(choices.name, paths)
    work = paths.imports / choices.name
    with hold_lock(paths.imports / f"{choices.name}.lock", lambda pid: _busy(choices.name, pid)):
        plan = place.plan()
        record = _find_same(plan, choices, target, paths)
        if record is not None:
            return ImportResult(record, [], is_new=False)
        fetched = _fetch(plan, work, choices.most_bytes)
        with new_folder(target) as draft:
            record, notes = _build(place, plan, choices, work, fetched, draft)
            _check_pin(record, target, choices)
        shutil.rmtree(work, ignore_errors=True)
    return ImportResult(record, notes, is_new=True)


def _find_same(plan: ImportPlan, choices: ImportChoices, target: Path, paths: Paths) -> SourceRecord | None:
    """The record of the folder that is there, if an import of this version made it and it is unchanged; None without a folder.

    Raises:
        UserError: something else is there, and nobody asked to replace it.
    """
    shown, known = target.relative_to(paths.root), read_record(target)
    if not target.exists():
        return None
    changed = [] if known is None else _changes(known, target)
    is_same = known is not None and known.kind == plan.kind and known.request == plan.request
    if known is not None and is_same and not changed and plan.version in ("", known.version) and not choices.force:
        return known if choices.licence in ("", known.licence) else _relabel(known, choices.licence, target)
    if choices.force:
        return None
    advice = "expected another --name, or --force to replace the folder"
    if known is None:
        raise UserError(f"{shown}: is there, and no import made it; {advice}")
    if not is_same:
        raise UserError(f"{shown}: holds {known.in_words()}; {advice}")
    if changed:
        raise UserError(f"{shown}: was changed since its import ({', '.join(changed[:5])}); {advice}")
    raise UserError(
        f"{shown}: has version {known.version}, and the source now has {plan.version}; expected --force to replace the folder, "
        f"or the version that is there: {known.command}"
    )


def _changes(known: SourceRecord, target: Path) -> list[str]:
    """The files of a corpus folder that are not as they were imported."""
    found = describe_files(target)
    return sorted(name for name in known.files.keys() | found.keys() if known.files.get(name) != found.get(name))


def _relabel(known: SourceRecord, licence: str, target: Path) -> SourceRecord:
    """The record with the licence that the user states, also on the disk."""
    record = known.model_copy(update={"licence": licence})
    write_record(record, target)
    return record


def _fetch(plan: ImportPlan, work: Path, most_bytes: int) -> list[Fetched]:
    """Fetches the files, those of an earlier run left out."""
    _keep_only(plan, work)
    needed = plan.num_bytes or 0
    free = shutil.disk_usage(work).free
    if needed > free:
        raise StorageFault(f"{work}: has {_shown_size(free)} left; expected {_shown_size(needed)} for the download")
    limit = SizeLimit(most_bytes)
    limit.check(needed, plan.source)
    if not plan.downloads:
        return []
    downloader = Downloader(work / "files", limit, Web())
    return [downloader.fetch(download) for download in plan.downloads]


def _keep_only(plan: ImportPlan, work: Path) -> None:
    """Deletes what was fetched for another request or another version."""
    key = json.dumps([plan.kind, plan.request, plan.version])
    file = work / "request.json"
    if not file.is_file() or file.read_text(encoding="utf-8") != key:
        shutil.rmtree(work, ignore_errors=True)
        write_text(file, key)


def _build(
    place: CorpusPlace, plan: ImportPlan, choices: ImportChoices, work: Path, fetched: list[Fetched], draft: Path
) -> tuple[SourceRecord, list[str]]:
    """Makes the folder with its record."""
    logger.info("making data/raw/%s", choices.name)
    built = place.build(work / "files", draft, SizeLimit(choices.most_bytes))
    if not any(file.is_file() for file in draft.rglob("*")):
        raise UserError(f"{plan.source}: holds no file; expected at least one (hidden files are left out)")
    if (draft / SOURCE_FILE).exists():
        (draft / SOURCE_FILE).rename(draft / UPSTREAM_SOURCE_FILE)
        built.notes.append(f"its own {SOURCE_FILE} is now {UPSTREAM_SOURCE_FILE}")
    arguments = ["s2s", "import", *plan.command, "--name", choices.name]
    if choices.licence:
        arguments += ["--licence", choices.licence]
    record = SourceRecord(
        kind=plan.kind, source=plan.source, version=plan.version, page=plan.page, command=redact(join(arguments)),
        licence=choices.licence or plan.licence or built.licence or NOT_STATED,
        request=plan.request, downloads=fetched, files=describe_files(draft),
    )  # fmt: skip
    if not record.version:
        record = record.model_copy(update={"version": f"sha256:{record.digest[:16]}"})
    write_record(record, draft)
    return record, built.notes


def _check_pin(record: SourceRecord, target: Path, choices: ImportChoices) -> None:
    """Refuses other bytes than those that git has on record for this folder."""
    pin = read_pin(target)
    if choices.force or not pin or pin.get("digest") == record.digest:
        return
    what = f"{pin.get('source')}, version {pin.get('version')}"
    if (pin.get("source"), pin.get("version")) == (record.source, record.version):
        what = "other bytes of the same version"
    raise UserError(
        f"{dvc_file(target).name}: has on record {what}, with the digest {pin.get('digest', '')[:16]}; the import made "
        f"{record.source}, version {record.version}, with {record.digest[:16]}. Expected the same ({pin.get('command')}), another "
        "--name, or --force to replace it"
    )


def _busy(name: str, pid: str) -> WorkspaceBusy:
    return WorkspaceBusy(f"another process{f' ({pid})' if pid else ''} imports into data/raw/{name}; wait for its end, or end it")


def _shown_size(size: int | None) -> str:
    if size is None:
        return "of unknown size"
    return f"{size / 1e9:.2f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size:,} bytes"
