"""Great Expectations: the contracts as expectation suites that it executes on DuckDB, their results, and Data Docs.

Each split is a view with the columns of the corpus, and one for each contract, which is empty in the rows that keep the contract
and else a message (``file:line: ...``). The expectation is that at least a share of 1 - limit of that column is empty.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seq2seq_core.allocation import uncollected_loading
from seq2seq_core.config.validate import UserContract
from seq2seq_core.corpus.contracts import Contract
from seq2seq_core.corpus.expectations.check_result import CheckResult, describe_for_meta, find_exception, read_result
from seq2seq_core.corpus.expectations.named_expectations import build_expectation
from seq2seq_core.corpus.rows.row_store import RowStore, view_name
from seq2seq_core.errors import UserError
from seq2seq_core.imports.late_modules import load_late

_UNUSED_PACKAGES = ("altair", "scipy.stats")
"""Great Expectations imports them for other expectations: a third of its own import."""
GX_SEVERITY = {"error": "critical", "warning": "warning"}


class ExpectationChecker:
    """Checks views of rows against contracts with Great Expectations, and writes its Data Docs of them.

    Args:
        store: the views; it is closed for writing.
        data_docs: folder of the Data Docs; what it held before is removed.
        examples: how many offenders each result names.
        name: of the corpus, for the Data Docs.
    """

    def __init__(self, store: RowStore, data_docs: Path, examples: int, name: str = "") -> None:
        os.environ["GX_ANALYTICS_ENABLED"] = "false"  # read while the library is imported
        load_late(*_UNUSED_PACKAGES)
        with uncollected_loading():
            import great_expectations as gx
            from great_expectations.data_context.types.base import (
                DataContextConfig,
                InMemoryStoreBackendDefaults,
                ProgressBarsConfig,
            )

        if data_docs.exists():
            shutil.rmtree(data_docs)
        config = DataContextConfig(
            store_backend_defaults=InMemoryStoreBackendDefaults(),
            data_docs_sites={"corpus": _site(data_docs, name)},
            analytics_enabled=False,
            progress_bars=ProgressBarsConfig(globally=False),
        )
        self._gx: Any = gx
        self._context = gx.get_context(mode="ephemeral", project_config=config)
        import seq2seq_core.corpus.expectations.duckdb_source  # adds ``add_duckdb_rows``  # noqa: F401

        self._source = self._context.data_sources.add_duckdb_rows(
            "corpus", connection_string=store.address, create_temp_table=False, kwargs={"connect_args": store.reading}
        )
        self._examples = examples

    def check(
        self, name: str, contracts: Sequence[Contract], rows: int, own: Sequence[UserContract] = (), columns: Sequence[str] = ()
    ) -> list[CheckResult]:
        """The result of each contract on one view.

        Args:
            name: name of the suite and the view: a split, or ``files``.
            contracts: the contracts to check, those of ``own`` among them.
            rows: the number of rows.
            own: the users' contracts that are expectations of the library.
            columns: the columns that these may name.

        Raises:
            UserError: there is no such expectation, its arguments are wrong, or it cannot be checked on these rows.
        """
        if not contracts:
            return []
        gx, by_title = self._gx, {contract.title: contract for contract in own}
        # A suite that the library has is stored again with each expectation that is added to it.
        expectations = [self._expectation(contract, by_title.get(contract.name), columns, rows) for contract in contracts]
        suite = self._context.suites.add(gx.ExpectationSuite(name=name, expectations=expectations))
        batch = self._source.add_table_asset(name, table_name=view_name(name)).add_batch_definition_whole_table("all rows")
        definition = gx.ValidationDefinition(name=name, data=batch, suite=suite)
        places = {"result_format": "SUMMARY", "unexpected_index_column_names": ["file", "line"]}
        checkpoint = gx.Checkpoint(
            name=name,
            validation_definitions=[self._context.validation_definitions.add(definition)],
            result_format={**(places if own else {"result_format": "BASIC"}), "partial_unexpected_count": self._examples},
        )
        run_id = gx.core.run_identifier.RunIdentifier(run_name="validate")
        ran = self._context.checkpoints.add(checkpoint).run(run_id=run_id)
        (suite_result,) = ran.run_results.values()
        results: list[Any] = suite_result.results
        by_name = {result.expectation_config.meta["contract"]["name"]: result for result in results}
        for contract in contracts:
            _check_run(contract, by_name[contract.name], contract.name in by_title, columns)
        return [read_result(by_name[contract.name]) for contract in contracts]

    def write_data_docs(self) -> None:
        """Writes the Data Docs of all checks."""
        self._context.build_data_docs()

    def close(self) -> None:
        """Closes the library's connections to the database."""
        self._source.get_engine().dispose()
        self._source.get_execution_engine().engine.dispose()

    def _expectation(self, contract: Contract, own: UserContract | None, columns: Sequence[str], rows: int) -> Any:
        expectations = self._gx.expectations
        common = {
            "severity": GX_SEVERITY[contract.severity],
            "description": f"{contract.name}: {contract.statement}",
            "meta": describe_for_meta(contract, own is not None, contract.checked_of(rows)),
        }
        if own is not None:
            return build_expectation(own, columns, common)
        if contract.bounds_row_count:
            return expectations.ExpectTableRowCountToBeBetween(min_value=int(contract.limit), **common)
        # Rounded, because 1 - 0.7 is above 0.3 by the last bit and would fail a corpus that is exactly at its limit.
        limit = contract.limit * contract.checked_of(rows) / rows if rows else contract.limit
        return expectations.ExpectColumnValuesToBeNull(column=contract.name, mostly=round(1 - limit, 12), **common)


def _site(folder: Path, name: str) -> dict[str, object]:
    backend = {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(folder)}
    module = "seq2seq_core.corpus.expectations.data_docs"
    return {"module_name": module, "class_name": "OnePageSite", "store_backend": backend, "site_name": name}


def _check_run(contract: Contract, result: Any, is_named: bool, columns: Sequence[str]) -> None:
    """Raises an error if an expectation could not be checked."""
    fault = find_exception(result)
    if not fault:
        return
    if not is_named and not contract.is_own:
        raise RuntimeError(f"Great Expectations could not check {contract.name}: {fault}")
    advice = "write it as where, with regexp_matches; " if "regex" in fault.lower() else ""
    raise UserError(
        f"validate.contracts: {contract.name}: it cannot be checked on the rows of {contract.split}: {fault}; {advice}"
        f"the columns are {', '.join(columns)}"
    )
