"""Runs a bulk job: survey, the shards that are missing, manifest. The same call goes on after any interruption."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from typing import Any

from seq2seq_core.allocation import count_cores
from seq2seq_core.bulk.answer_columns import AnswerColumns
from seq2seq_core.bulk.bulk_request import MOST_WORKERS, BulkRequest, BulkSummary
from seq2seq_core.bulk.decoded_shards import DecodedShards
from seq2seq_core.bulk.input_files import InputFile, find_inputs
from seq2seq_core.bulk.input_survey import survey_input
from seq2seq_core.bulk.job_manifest import LOCK_NAME, JobRecord, Manifest
from seq2seq_core.bulk.output_folder import begin, check_same, open_folder, stale_files
from seq2seq_core.bulk.worker_pool import WorkerPool
from seq2seq_core.bundle.config_file import TARGET_FILE, read_config
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.console import Progress
from seq2seq_core.decoding.confidence.abstention import check_threshold
from seq2seq_core.decoding.engines.ctranslate2_limits import why_not_decode
from seq2seq_core.decoding.lexicon.known_answers import check_lexicon
from seq2seq_core.decoding.phrases.asked_phrases import PhraseReader
from seq2seq_core.decoding.phrases.wanted_phrases import Phrases
from seq2seq_core.device import resolve_device
from seq2seq_core.errors import EXIT_INTERRUPTED, Interrupted, UserError, WorkspaceBusy
from seq2seq_core.file_lock import hold_lock
from seq2seq_core.serving.batching.ticket import Mode
from seq2seq_core.serving.loading import FoundModel
from seq2seq_core.serving.worker.worker_process import WorkerSettings
from seq2seq_core.tokenization.subword import SubwordModel

logger = logging.getLogger(__name__)

START_SECONDS, GRACE_SECONDS = 600.0, 1.0
ShowProgress = Callable[[int, int], AbstractContextManager[Progress]]
"""Opens a display of the progress; its arguments are all rows, and those that were finished before."""


def run_bulk(
    request: BulkRequest, model: FoundModel, options: DecodingOptions, shows: ShowProgress, stop: Callable[[], bool] = lambda: False
) -> BulkSummary:
    """Predicts every row of some files, into shards; goes on with an earlier run of the same job.

    Args:
        request: the job.
        model: decodes.
        options: the decoding options.
        shows: opens the progress display.
        stop: whether to end now; asked again and again.

    Raises:
        UserError: an input cannot be used, the output folder holds another job, or the model has no calibrator for
            ``min_confidence``.
        WorkspaceBusy: another process works on the folder.
        Interrupted: Ctrl-C, SIGTERM or ``stop``; what is finished stays.
        OSError: a shard cannot be written, such as on a full disk; what is finished stays.
    """
    started = time.monotonic()
    content = read_config(model.folder)
    config, stored = content.config, content.engine
    _check_tags(request, config.tags.all)
    if config.speech is not None:
        raise UserError(
            "--into: must be left out with a model of speech; `s2s predict --sound FOLDER` writes a WAV file for each line"
        )
    phrases = PhraseReader(SubwordModel.load(model.folder / TARGET_FILE), config.normal_form, bool(config.frame_width))
    phrases.check(request.phrases, options)
    check_threshold(options, content.calibrator)
    if options.lexicon:
        check_lexicon(content.lexicon is not None)
    answers = AnswerColumns(request.output_column, options.num_hypotheses, content.calibrator is not None, options.lexicon)
    if request.output.exists() and not request.output.is_dir():
        raise UserError(f"{request.output}: is a file; expected a folder for the shards, new or that of an earlier run")
    inputs = find_inputs(request.inputs, request.output, request.output_format)
    busy = WorkspaceBusy(f"{request.output}: another process writes to it; wait for its end, or give another folder")
    with hold_lock(request.output / LOCK_NAME, lambda _: busy):
        job = _describe_job(request, model, options, inputs, answers)
        manifest, stale = open_folder(request.output, job, request.restarts, request.renews)
        if manifest is not None and manifest.is_complete:
            return _summarise(request, manifest, 0, time.monotonic() - started)
        with closing(_start_workers(request, model)) as pool:
            # The last engine is the reference, which decodes what the other cannot.
            has_phrases = bool(request.phrases.force or request.phrases.forbid)
            reason = why_not_decode(options, config.target_vocabulary_size, has_phrases=has_phrases)
            is_reference = reason is not None and stored is not None and stored.name == "ctranslate2"
            engine = pool.engines[-1 if is_reference else 0]
            if manifest is not None and request.renews and manifest.engine != engine:
                stale = stale_files(manifest, request.output)
                manifest = None
            manifest = manifest or Manifest(model=model.label, engine=engine, job=job)
            check_same(request.output, [] if engine == manifest.engine else [f"engine was {manifest.engine}, is {engine}"])
            manifest = begin(request.output, manifest, stale)
            shards = DecodedShards(request, manifest, inputs, Mode(options), config.tags.all, phrases, answers)
            before = sum(shard.num_rows for shard in manifest.shards.values())
            with _resumable(shards), shows(job.num_rows, before) as display:
                shards.decode(pool, display, stop)
    summary = _summarise(request, shards.manifest, job.num_rows - before, time.monotonic() - started)
    _warn_of_cut(summary, options)
    return summary


def _check_tags(request: BulkRequest, known: tuple[str, ...]) -> None:
    if others := [name for name in request.tags if name not in known]:
        listed = ", ".join(map(repr, known)) or "none"
        raise UserError(f"--tag: must name a tag that the model takes ({listed}), got {others[0]!r}")


def _describe_job(
    request: BulkRequest, model: FoundModel, options: DecodingOptions, inputs: list[InputFile], answers: AnswerColumns
) -> JobRecord:
    """What shapes the output; reads every input to its end."""
    logger.info("reading %d input %s", len(inputs), "file" if len(inputs) == 1 else "files")
    return JobRecord(
        bundle_digest=model.digest,
        options=options.model_dump(mode="json"),
        tags=dict(request.tags),
        phrases=_describe_phrases(request.phrases),
        source_column=request.source_column,
        output_column=request.output_column,
        shard_rows=request.shard_rows,
        batch_sentences=request.batch_sentences,
        inputs=tuple(survey_input(source, request.source_column, answers) for source in inputs),
    )


def _describe_phrases(phrases: Phrases) -> dict[str, Any]:
    """What is asked, as JSON holds it; empty: nothing."""
    if phrases.is_empty:
        return {}
    return {"force": list(phrases.force), "forbid": list(phrases.forbid), "glossary": dict(phrases.glossary)}


def _start_workers(request: BulkRequest, model: FoundModel) -> WorkerPool:
    """The processes that decode: on a CPU they share its cores."""
    cores = count_cores()
    has_gpu = resolve_device(request.device).type != "cpu"
    count = request.workers or (1 if has_gpu else min(cores, MOST_WORKERS))
    threads = 0 if os.environ.get("OMP_NUM_THREADS") else max(1, cores // count)
    logger.info("%d %s of %s", count, "worker" if count == 1 else "workers", model.label)
    return WorkerPool(model.folder, WorkerSettings(request.device, threads, START_SECONDS, GRACE_SECONDS), count)


@contextmanager
def _resumable(shards: DecodedShards) -> Iterator[None]:
    """Says how to go on, whatever ends the ``with`` block."""
    try:
        yield
    except BaseException as error:
        manifest, output = shards.manifest, shards.request.output
        rows = sum(shard.num_rows for shard in manifest.shards.values())
        kept = f"{rows:,} of {manifest.job.num_rows:,} rows are finished in {output}; the same command goes on with the others"
        if isinstance(error, KeyboardInterrupt | Interrupted):
            reason = "interrupted" if isinstance(error, KeyboardInterrupt) else str(error).partition(";")[0]
            raise Interrupted(f"{reason}; {kept}", getattr(error, "exit_code", EXIT_INTERRUPTED)) from None
        logger.warning("%s", kept)
        raise


def _summarise(request: BulkRequest, manifest: Manifest, num_decoded: int, seconds: float) -> BulkSummary:
    shards = manifest.shards.values()
    return BulkSummary(
        output=request.output,
        model=manifest.model,
        bundle_digest=manifest.job.bundle_digest,
        engine=manifest.engine,
        num_files=len(manifest.job.inputs),
        num_shards=len(shards),
        num_rows=sum(shard.num_rows for shard in shards),
        num_errors=sum(shard.num_errors for shard in shards),
        num_cut=sum(shard.num_cut for shard in shards),
        num_withheld=sum(shard.num_withheld for shard in shards),
        first_error=next((shard.first_error for shard in shards if shard.first_error), ""),
        num_decoded=num_decoded,
        seconds=seconds,
    )


def _warn_of_cut(summary: BulkSummary, options: DecodingOptions) -> None:
    if summary.num_cut:
        name = options.limiting_option
        logger.warning(
            "%d of %d predictions were cut at their length limit; a larger --%s (now %g) gives more room",
            summary.num_cut, summary.num_rows, name.replace("_", "-"), getattr(options, name),
        )  # fmt: skip
