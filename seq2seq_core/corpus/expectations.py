"""Great Expectations: the contracts as expectation suites, their results, and Data Docs. The only module that imports the library.

Each split becomes a table with one row per pair and one column per contract. A cell is empty if the pair keeps the contract, else
it holds a message (``file:line: ...``). The expectation is that at least a share of 1 - limit of the column is empty. So Data Docs
show positions in files, and a million offenders cost no more than a million rows.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seq2seq_core.corpus.contracts import Contract, SplitBreaches
from seq2seq_core.imports.late_modules import load_late

FILES = "files"
"""Name of the suite about the files themselves, of all splits."""
_UNUSED_PACKAGES = ("altair", "scipy.stats")
"""Great Expectations imports them for other expectations: a third of its own import."""
GX_SEVERITY = {"error": "critical", "warning": "warning"}


@dataclass(frozen=True)
class CheckResult:
    """The result of one contract.

    Attributes:
        contract: the contract.
        success: whether it is kept.
        checked: number of rows (or files) checked.
        unexpected: how many of them break it; for a bound on the number of rows, how many are missing.
        examples: the first offenders, each ``file:line: what``.
    """

    contract: Contract
    success: bool
    checked: int
    unexpected: int
    examples: tuple[str, ...]

    @property
    def fraction(self) -> float:
        """Share of the checked rows that break the contract; 0 for a bound on the number of rows."""
        return self.unexpected / self.checked if self.checked and not self.contract.bounds_row_count else 0.0


class ExpectationChecker:
    """Checks tables against contracts with Great Expectations, and writes its Data Docs of them.

    Args:
        data_docs: folder of the Data Docs; what it held before is removed.
        examples: how many offenders each result names.
    """

    def __init__(self, data_docs: Path, examples: int) -> None:
        os.environ["GX_ANALYTICS_ENABLED"] = "false"  # read while the library is imported
        load_late(*_UNUSED_PACKAGES)
        import great_expectations as gx
        from great_expectations.data_context.types.base import DataContextConfig, InMemoryStoreBackendDefaults, ProgressBarsConfig

        if data_docs.exists():
            shutil.rmtree(data_docs)
        config = DataContextConfig(
            store_backend_defaults=InMemoryStoreBackendDefaults(),
            data_docs_sites={"corpus": _site(data_docs)},
            analytics_enabled=False,
            progress_bars=ProgressBarsConfig(globally=False),
        )
        self._gx: Any = gx
        self._context = gx.get_context(mode="ephemeral", project_config=config)
        self._source = self._context.data_sources.add_pandas("corpus")
        self._examples = examples

    def check(self, name: str, contracts: Sequence[Contract], found: SplitBreaches) -> list[CheckResult]:
        """The result of each contract on one table.

        Args:
            name: name of the suite and the table: a split, or :data:`FILES`.
            contracts: the contracts to check.
            found: the number of rows, and the breaches by contract.
        """
        if not contracts:
            return []
        gx = self._gx
        suite = self._context.suites.add(gx.ExpectationSuite(name=name))
        for contract in contracts:
            suite.add_expectation(self._expectation(contract))
        batch = self._source.add_dataframe_asset(name).add_batch_definition_whole_dataframe("all rows")
        definition = gx.ValidationDefinition(name=name, data=batch, suite=suite)
        checkpoint = gx.Checkpoint(
            name=name,
            validation_definitions=[self._context.validation_definitions.add(definition)],
            result_format={"result_format": "BASIC", "partial_unexpected_count": self._examples},
        )
        run_id = gx.core.run_identifier.RunIdentifier(run_name="validate")
        ran = self._context.checkpoints.add(checkpoint).run(batch_parameters={"dataframe": _table(contracts, found)}, run_id=run_id)
        (suite_result,) = ran.run_results.values()
        results: list[Any] = suite_result.results
        by_name = {result.expectation_config.meta["contract"]: result for result in results}
        return [_distil(contract, by_name[contract.name], found.rows) for contract in contracts]

    def write_data_docs(self) -> None:
        """Writes the Data Docs of all checks at once: compiling the templates is most of the work."""
        self._context.build_data_docs()

    def _expectation(self, contract: Contract) -> Any:
        expectations = self._gx.expectations
        common = {
            "severity": GX_SEVERITY[contract.severity],
            "description": f"{contract.name}: {contract.statement}",
            "meta": {"contract": contract.name},
        }
        if contract.bounds_row_count:
            return expectations.ExpectTableRowCountToBeBetween(min_value=int(contract.limit), **common)
        # Rounded, because 1 - 0.7 is above 0.3 by the last bit and would fail a corpus that is exactly at its limit.
        return expectations.ExpectColumnValuesToBeNull(column=contract.name, mostly=round(1 - contract.limit, 12), **common)


def _site(folder: Path) -> dict[str, object]:
    return {
        "class_name": "SiteBuilder",
        "show_how_to_buttons": False,
        "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(folder)},
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
    }


def _table(contracts: Sequence[Contract], found: SplitBreaches) -> Any:
    """The table of a split: a column for each contract on rows, in which most cells are empty."""
    import numpy
    import pandas

    columns = {}
    for contract in (contract for contract in contracts if not contract.bounds_row_count):
        cells = numpy.full(found.rows, None, dtype=object)
        for position, what in found.breaches[contract.name].items():
            cells[position] = what
        columns[contract.name] = pandas.Series(cells, dtype="str")
    return pandas.DataFrame(columns, index=range(found.rows))


def _distil(contract: Contract, result: Any, rows: int) -> CheckResult:
    """The result of Great Expectations without ids and times."""
    if result.exception_info.get("raised_exception"):
        raise RuntimeError(f"Great Expectations could not check {contract.name}: {result.exception_info['exception_message']}")
    if contract.bounds_row_count:
        missing = max(0, int(contract.limit) - int(result.result["observed_value"]))
        return CheckResult(contract, bool(result.success), rows, missing, ())
    examples = tuple(str(value) for value in result.result.get("partial_unexpected_list", ()))
    return CheckResult(contract, bool(result.success), rows, int(result.result["unexpected_count"]), examples)
