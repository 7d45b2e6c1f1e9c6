"""The teacher's decoding of train: a bulk job, so that it is sharded, uses all cores and goes on after a kill."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from seq2seq_core import atomic
from seq2seq_core.bulk.bulk_request import BulkRequest
from seq2seq_core.bulk.bulk_run import run_bulk
from seq2seq_core.bulk.job_manifest import read_manifest
from seq2seq_core.bundle.bundle import load_bundle
from seq2seq_core.bundle.bundle_folder import bundle_digest
from seq2seq_core.bundle.config_file import read_config
from seq2seq_core.bundle.served_bundle import export_bundle
from seq2seq_core.code_digests.features import ANY_MODEL
from seq2seq_core.code_digests.reach import digest_reached_code
from seq2seq_core.config.decoding_options import DecodingOptions, SearchOptions
from seq2seq_core.config.evaluate import EvaluateSection
from seq2seq_core.config.runtime import RuntimeSection
from seq2seq_core.console import Progress, progress
from seq2seq_core.corpus.pairs import SOURCE
from seq2seq_core.decoding.engines.engine_choice import choose_engine, convert_bundle
from seq2seq_core.distillation.teacher import Teacher
from seq2seq_core.json_text import parse_object
from seq2seq_core.reproducibility import digest
from seq2seq_core.serving.loading import FoundModel

logger = logging.getLogger(__name__)
ANSWER = "_teacher"
"""The column of the teacher's output; the names of the other added columns begin with it."""
SHARDS, CODE_FILE = "shards", "code"
SHARD_ROWS = 2_000
"""Rows of a shard: those that are decoded again at most twice over after a kill."""


def search_options(teacher: Teacher, beam_size: int) -> DecodingOptions:
    """The decoding options of a teacher: those of the search that it is served with, by another beam.

    Args:
        teacher: the teacher.
        beam_size: the beam size.
    """
    stored = read_config(teacher.found.folder).decoding or DecodingOptions()
    own = {name: getattr(stored, name) for name in SearchOptions.model_fields}
    return DecodingOptions.model_validate(own | {"beam_size": beam_size, "lexicon": False})


def decode_sources(
    teacher: Teacher, beam_size: int, sources: Path, room: Path, runtime: RuntimeSection
) -> Iterator[dict[str, Any]]:
    """Decodes the rows of a file, or what an earlier run left of them; then gives all rows in order, with the answers' columns.

    Args:
        teacher: decodes.
        beam_size: its beam size.
        sources: JSON lines with a column ``source``, the teacher's tags and any others.
        room: keeps the shards that are finished, those of the same sources, teacher, options and code only.
        runtime: the device and the progress display.

    Raises:
        UserError: the rows cannot be decoded.
        Interrupted: the process was asked to stop; what is decoded stays.
    """
    options = search_options(teacher, beam_size)

    def show(total: int, finished: int) -> AbstractContextManager[Progress]:
        return progress("distill", total, "sources", runtime.progress, start=finished)

    _remove_those_of_other_code(room)
    request = BulkRequest(
        inputs=(sources,), output=room / SHARDS, source_column=SOURCE, output_column=ANSWER, output_format="jsonl",
        shard_rows=SHARD_ROWS, device=runtime.device, renews=True,
    )  # fmt: skip
    summary = run_bulk(request, _with_engine(teacher, options, room), options, show)
    logger.info("%s: %s", teacher.origin, summary.headline())
    manifest = read_manifest(request.output)
    assert manifest is not None, "a finished job has a manifest"
    for name in manifest.job.shard_names():
        with (request.output / name).open(encoding="utf-8") as shard:
            yield from map(parse_object, shard)


def code_of_decoding() -> dict[str, str]:
    """The digest of the code by which a teacher decodes, by module: what it consists of is in its bundle."""
    return dict(digest_reached_code([__name__], frozenset({"distill", *ANY_MODEL})))


def _remove_those_of_other_code(room: Path) -> None:
    """Removes what was decoded by other code, whose answers may differ."""
    record, code = room / CODE_FILE, digest(code_of_decoding())
    if not record.exists() or record.read_text(encoding="utf-8") != code:
        shutil.rmtree(room / SHARDS, ignore_errors=True)
        atomic.write_text(record, code)


def _with_engine(teacher: Teacher, options: DecodingOptions, room: Path) -> FoundModel:
    """The teacher's bundle as the fastest engine reads it; one that was exported for an engine stays as it is."""
    found = teacher.found
    content = read_config(found.folder)
    if content.engine is not None:
        return found
    section = EvaluateSection.model_validate(options.model_dump(include=set(SearchOptions.model_fields)))
    engine = choose_engine(section, content.config)
    if engine is None:
        return found
    folder = room / "teacher"
    export_bundle(found.folder, folder, options, convert_bundle(load_bundle(found.folder), engine))
    return FoundModel(folder, found.label, bundle_digest(folder))
