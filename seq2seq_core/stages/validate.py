"""``validate``: checks data contracts on the raw corpus; writes a report and Great Expectations' Data Docs."""

from __future__ import annotations

import hashlib
import json
import logging
from contextlib import closing
from dataclasses import dataclass

from seq2seq_core import atomic
from seq2seq_core.artifacts import Paths
from seq2seq_core.cluster.connection import open_cluster
from seq2seq_core.config.settings import Settings
from seq2seq_core.corpus.contracts import own_contracts_of
from seq2seq_core.corpus.expectations.check_result import FILES, CheckResult
from seq2seq_core.corpus.expectations.expectation_checker import ExpectationChecker
from seq2seq_core.corpus.reading import SplitReader
from seq2seq_core.corpus.rows.row_store import RowStore
from seq2seq_core.corpus.rows.store_opening import open_row_store
from seq2seq_core.errors import ContractViolation
from seq2seq_core.recorder import Recorder
from seq2seq_core.stages.inspection import Inspection, judge_corpus, load_corpus, open_readers
from seq2seq_core.stages.kept_database import find_kept_rows

logger = logging.getLogger(__name__)

REPORT_FORMAT_VERSION = 1
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
    paths.last_validation.unlink(missing_ok=True)
    readers = open_readers(settings, paths)
    kept = find_kept_rows("validate", settings, paths, readers)
    with (
        open_cluster("validate", settings, paths) as cluster,
        open_row_store(paths.rows, settings.runtime.memory_limit, kept, cluster) as store,
    ):
        inspection = load_corpus(settings, paths, readers, store, settings.validate_.examples)
        judge_corpus(settings, store, inspection)
        store.close()
        checks = _check(settings, paths, inspection, store)
    report = _format_report(inspection, checks)
    # A failed stage has no outputs; this copy of the report helps to mend the corpus.
    atomic.write_text(paths.last_validation, report)
    _record(settings, paths, recorder, readers, inspection, checks)
    broken = [check for check in checks if not check.success]
    warnings = tuple(_describe(check) for check in broken if check.contract.severity == "warning")
    for warning in warnings:
        logger.warning("%s", warning)
    errors = [_describe(check) for check in broken if check.contract.severity == "error"]
    if errors:
        raise ContractViolation(_format_violation(settings, paths, errors))
    atomic.write_text(paths.validation_report, report)
    counts = ", ".join(f"{count} rows of {split}" for split, count in inspection.rows.items())
    logger.info("%d contracts checked on %s", len(checks), counts)
    return ValidationResult(inspection.rows, tuple(checks), warnings)


def _check(settings: Settings, paths: Paths, inspection: Inspection, store: RowStore) -> list[CheckResult]:
    logger.info("checking the contracts with Great Expectations")
    checker = ExpectationChecker(store, paths.data_docs, settings.validate_.examples, settings.corpus.path)
    with closing(checker):
        checks = checker.check(FILES, inspection.file_contracts, len(inspection.files))
        for split, rows in inspection.rows.items():
            named = [contract for contract in own_contracts_of(settings.validate_, split) if contract.expectation]
            checks += checker.check(split, inspection.contracts[split], rows, named, inspection.columns[split])
        checker.write_data_docs()
    return checks


def _format_report(inspection: Inspection, checks: list[CheckResult]) -> str:
    """The report as JSON; deterministic, because it is a stage output."""
    splits = {split: {"files": names, "rows": inspection.rows.get(split)} for split, names in inspection.file_names.items()}
    for split, count in inspection.set_aside.items():
        splits[split] |= {"set_aside": count} if count else {}
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
        **({"observed": check.observed} if check.observed else {}),
    }


def _describe(check: CheckResult) -> str:
    """The message of a broken contract: its statement, the count and the first examples."""
    contract = check.contract
    lines = [line for example in check.examples for line in example.split("\n")]
    more = [f"… and {check.num_untold} more"] if check.num_untold else []
    head = f"{contract.split}, {contract.name}: {contract.statement}; got {check.found}"
    return "\n".join([head, *(f"    {line}" for line in lines + more)])


def _format_violation(settings: Settings, paths: Paths, errors: list[str]) -> str:
    noun = "contract" if len(errors) == 1 else "contracts"
    report = paths.last_validation.relative_to(paths.root)
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
    inspection: Inspection,
    checks: list[CheckResult],
) -> None:
    """Logs counts, results, data sets and reports to the recorder."""
    metrics: dict[str, float] = {f"{split}.rows": rows for split, rows in inspection.rows.items()}
    metrics |= {f"{check.contract.split}.{check.contract.name}": check.unexpected for check in checks}
    metrics |= {f"{split}.set_aside": count for split, count in inspection.set_aside.items() if count}
    recorder.log_metrics(metrics)
    for reader in readers:
        folder = paths.root / settings.corpus.path
        digest = reader.digest()
        if found := inspection.file_digests.get(reader.split):
            digest = hashlib.sha256(f"{digest} {found}".encode()).hexdigest()
        context = CONTEXTS.get(reader.split, "training")
        recorder.log_dataset(folder, f"{folder.name}/{reader.split}", digest[:32], context)
    recorder.log_file(paths.last_validation)
    recorder.log_file(paths.data_docs)
