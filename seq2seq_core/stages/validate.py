"""``validate``: checks data contracts on the raw corpus; writes a report and Great Expectations' Data Docs."""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass, field
from pathlib import Path

from seq2seq_core import atomic
from seq2seq_core.artifacts import SPLITS, Paths
from seq2seq_core.config.settings import Settings
from seq2seq_core.console import Progress, progress
from seq2seq_core.corpus.contracts import Contract, RowInspector, SeenLines, SplitBreaches, contracts_of, is_monolingual
from seq2seq_core.corpus.expectations import FILES, CheckResult, ExpectationChecker
from seq2seq_core.corpus.file_faults.broken_lines import BrokenLines
from seq2seq_core.corpus.monolingual import open_monolingual
from seq2seq_core.corpus.normalization import digest, normalize_exactly
from seq2seq_core.corpus.reading import PROGRESS_ROWS, CorpusEntry, SplitReader, find_head_faults
from seq2seq_core.corpus.recordings import open_recordings
from seq2seq_core.errors import ContractViolation, CorpusError
from seq2seq_core.recorder import Recorder

logger = logging.getLogger(__name__)

REPORT_FORMAT_VERSION = 1
READABLE = Contract("readable", FILES, "error", 0.0, "files that cannot be read as pairs in UTF-8: none")
CONTEXTS = {"train": "training", "dev": "validation", "test": "testing"}


@dataclass(frozen=True)
class ValidationResult:
    """The result of ``validate``; no contract of severity ``error`` is broken.

    Attributes:
        rows: number of rows of each split that has files.
        checks: the result of every contract.
        warnings: one text for each broken contract of severity ``warning``.
    """

    rows: dict[str, int]
    checks: tuple[CheckResult, ...]
    warnings: tuple[str, ...]


@dataclass
class _Inspection:
    """The findings of one pass over the corpus.

    Attributes:
        found: the breaches of each readable split.
        files: the breaches of the files themselves, a file counted as a row.
        file_names: the file names of each split.
        recordings: for an audio corpus, a digest of the recordings of each split.
    """

    found: dict[str, SplitBreaches] = field(default_factory=dict)
    files: SplitBreaches = field(default_factory=lambda: SplitBreaches(breaches={READABLE.name: {}}))
    file_names: dict[str, list[str]] = field(default_factory=dict)
    recordings: dict[str, str] = field(default_factory=dict)


def run_validate(settings: Settings, paths: Paths, recorder: Recorder) -> ValidationResult:
    """Checks the raw corpus, and writes ``reports/validation.json`` and the Data Docs.

    Args:
        settings: the sections ``corpus`` and ``validate``.
        paths: the workspace; reads the raw corpus, writes ``reports/validation.json`` and the Data Docs.
        recorder: receives counts, the report, the Data Docs and the corpus's digests.

    Raises:
        CorpusError: the corpus folder or a file is missing.
        ContractViolation: a contract of severity ``error`` is broken; the report stays in ``.s2s``, beside the Data Docs.
    """
    readers = [reader for split in SPLITS if (reader := SplitReader(settings.corpus, paths.root, split)).entries]
    readers += open_monolingual(settings.corpus, paths.root)
    inspection = _inspect(settings, paths, readers)
    checks = _check(settings, paths, inspection)
    report = _format_report(inspection, checks)
    # A failed stage has no outputs; this copy of the report helps to mend the corpus.
    atomic.write_text(_work_report(paths), report)
    _record(settings, paths, recorder, readers, inspection, checks)
    broken = [check for check in checks if not check.success]
    warnings = tuple(_describe(check) for check in broken if check.contract.severity == "warning")
    for warning in warnings:
        logger.warning("%s", warning)
    errors = [_describe(check) for check in broken if check.contract.severity == "error"]
    if errors:
        raise ContractViolation(_format_violation(settings, paths, errors))
    atomic.write_text(paths.validation_report, report)
    rows = {split: found.rows for split, found in inspection.found.items()}
    logger.info("%d contracts checked on %s", len(checks), ", ".join(f"{count} rows of {split}" for split, count in rows.items()))
    return ValidationResult(rows, tuple(checks), warnings)


def _work_report(paths: Paths) -> Path:
    return paths.work / paths.validation_report.name


def _inspect(settings: Settings, paths: Paths, readers: list[SplitReader]) -> _Inspection:
    """Reads every split once: train first, monolingual sentences last, because leakage is looked up in the splits before."""
    inspection, recordings = _Inspection(), open_recordings(settings.corpus, paths.root)
    train_sources: SeenLines | None = None
    evaluation_texts = SeenLines() if settings.corpus.monolingual else None
    total = sum(reader.total_bytes for reader in readers)
    with progress("validate", total / 1e6, "MB", settings.runtime.progress) as bar:
        done = 0
        for reader in readers:
            is_text = is_monolingual(reader.split)
            guarded, asked = (evaluation_texts, []) if is_text else (train_sources, settings.corpus.input_columns)
            heard = None if is_text else recordings
            inspector = RowInspector(settings.validate_, reader.split, guarded, asked, heard)
            collect = evaluation_texts if reader.split in ("dev", "test") else None
            is_readable = _inspect_split(reader, inspector, inspection, bar, done, collect)
            done += reader.total_bytes
            if is_readable:
                inspection.found[reader.split] = inspector.found
            if recordings is not None:
                inspection.recordings[reader.split] = inspector.recordings_hash.hexdigest()
            if reader.split == "train" and is_readable:
                train_sources = inspector.sources
        bar.update(total / 1e6)
    return inspection


def _inspect_split(
    reader: SplitReader, inspector: RowInspector, inspection: _Inspection, bar: Progress, done: int, collect: SeenLines | None
) -> bool:
    """Reads all files of a split; returns whether all were readable, and records the faults of those that were not.

    Both sides of its rows are added to ``collect``.
    """
    is_readable = True
    inspection.file_names[reader.split] = [file.name for entry in reader.entries for file in entry.files]
    for entry in reader.entries:
        faults = find_head_faults(entry) or _inspect_entry(reader, entry, inspector, bar, done, collect)
        if faults:
            inspection.files.breaches[READABLE.name][inspection.files.rows] = "\n".join(str(fault) for fault in faults)
            is_readable = False
        inspection.files.rows += 1
    return is_readable


def _inspect_entry(
    reader: SplitReader, entry: CorpusEntry, inspector: RowInspector, bar: Progress, done: int, collect: SeenLines | None
) -> list[CorpusError]:
    """Reads an entry to its end; returns its faults, those of all lines."""
    broken = BrokenLines()
    for number, row in enumerate(broken.collect(reader.iterate_entry(entry, broken))):
        inspector.inspect(row)
        if collect is not None:
            for text in (row.source, row.target):
                collect.add(digest(normalize_exactly(text)), row)
        if number % PROGRESS_ROWS == 0:
            # Files are read in blocks: all bytes are read before the last rows come, but only the end may report the total.
            bar.update((done + reader.bytes_read - 1) / 1e6)
    return broken.faults()


def _check(settings: Settings, paths: Paths, inspection: _Inspection) -> list[CheckResult]:
    logger.info("checking the contracts with Great Expectations")
    checker = ExpectationChecker(paths.data_docs, settings.validate_.examples)
    checks = checker.check(FILES, [READABLE], inspection.files)
    for split, found in inspection.found.items():
        contracts = contracts_of(settings.validate_, split, has_recordings=settings.corpus.source_kind == "audio")
        if "train" not in inspection.found:  # leakage needs a readable train split
            contracts = [contract for contract in contracts if contract.name not in ("dev_leakage", "test_leakage")]
        checks += checker.check(split, contracts, found)
    checker.write_data_docs()
    return checks


def _format_report(inspection: _Inspection, checks: list[CheckResult]) -> str:
    """The report as JSON; deterministic, because it is a stage output."""
    splits = {
        split: {"files": names, "rows": inspection.found[split].rows if split in inspection.found else None}
        for split, names in inspection.file_names.items()
    }
    broken = [check.contract.severity for check in checks if not check.success]
    report = {
        "format_version": REPORT_FORMAT_VERSION,
        "broken": {"error": broken.count("error"), "warning": broken.count("warning")},
        "splits": splits,
        "results": [_format_check(check) for check in checks],
    }
    return json.dumps(report, ensure_ascii=False, indent=1) + "\n"


def _format_check(check: CheckResult) -> dict[str, object]:
    contract = check.contract
    return {
        "expectation": contract.name,
        "split": contract.split,
        "severity": contract.severity,
        "statement": contract.statement,
        "limit": contract.limit,
        "success": check.success,
        "checked": check.checked,
        "unexpected": check.unexpected,
        "unexpected_fraction": check.fraction,
        "examples": list(check.examples),
    }


def _describe(check: CheckResult) -> str:
    """The message of a broken contract: its statement, the count and the first examples."""
    contract = check.contract
    if contract.bounds_row_count:
        return f"{contract.split}, {contract.name}: {contract.statement}; got {check.checked}"
    unit = "files" if contract is READABLE else "rows"
    head = f"{contract.split}, {contract.name}: {contract.statement}; got {check.unexpected} of {check.checked} {unit}"
    if contract is not READABLE:
        head += f" ({100 * check.fraction:.3g} %)"
    lines = [line for example in check.examples for line in example.split("\n")]
    more = [f"… and {check.unexpected - len(check.examples)} more"] if check.unexpected > len(check.examples) else []
    return "\n".join([head, *(f"    {line}" for line in lines + more)])


def _format_violation(settings: Settings, paths: Paths, errors: list[str]) -> str:
    noun = "contract" if len(errors) == 1 else "contracts"
    report = _work_report(paths).relative_to(paths.root)
    docs = (paths.data_docs / "index.html").relative_to(paths.root)
    lines = [
        f"the corpus {settings.corpus.path} breaks {len(errors)} data {noun} of severity error",
        *(f"  {error}" for error in errors),
    ]
    return "\n".join([*lines, f"  report: {report}, Data Docs: {docs}; bounds and severities: section validate of params.yaml"])


def _record(
    settings: Settings,
    paths: Paths,
    recorder: Recorder,
    readers: list[SplitReader],
    inspection: _Inspection,
    checks: list[CheckResult],
) -> None:
    """Logs counts, results, data sets and reports to the recorder."""
    metrics: dict[str, float] = {f"{split}.rows": found.rows for split, found in inspection.found.items()}
    metrics |= {f"{check.contract.split}.{check.contract.name}": check.unexpected for check in checks}
    recorder.log_metrics(metrics)
    for reader in readers:
        folder = paths.root / settings.corpus.path
        digest = reader.digest()
        if heard := inspection.recordings.get(reader.split):
            digest = hashlib.sha256(f"{digest} {heard}".encode()).hexdigest()
        context = CONTEXTS.get(reader.split, "training")
        recorder.log_dataset(folder, f"{folder.name}/{reader.split}", digest[:32], context)
    recorder.log_file(_work_report(paths))
    recorder.log_file(paths.data_docs)
