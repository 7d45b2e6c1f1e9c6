"""Great Expectations' data source for a DuckDB file: its own one for SQL, with an engine that reads each result at once.

The module imports the library, which takes seconds: it is imported where the first contract is checked.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import sqlalchemy
from great_expectations.datasource.fluent.sql_datasource import SQLDatasource
from great_expectations.execution_engine.sqlalchemy_execution_engine import SqlAlchemyExecutionEngine

from seq2seq_core.corpus.rows.row_store import CONFINEMENT
from seq2seq_core.corpus.rows.statement_interrupts import watch_connection


class DuckDBEngine(SqlAlchemyExecutionEngine):
    """Executes statements on DuckDB.

    The library reads a result after it has given the connection back. DuckDB's results end there, so they are read before.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        _confine(self.engine)

    def execute_query(self, query: Any) -> Any:
        """See :class:`SqlAlchemyExecutionEngine`."""
        with self.get_connection() as connection:
            return connection.execute(query).freeze()()


class DuckDBDatasource(SQLDatasource):
    """A DuckDB file; ``add_duckdb_rows`` of the library's data sources makes one."""

    asset_types: ClassVar[list[Any]] = list(SQLDatasource.asset_types)
    type: Literal["duckdb_rows"] = "duckdb_rows"  # type: ignore[assignment]  # the library's own sources do the same

    @property
    def execution_engine_type(self) -> Any:
        """See :class:`SQLDatasource`."""
        return DuckDBEngine

    def _create_engine(self) -> Any:
        return _confine(super()._create_engine())


def _confine(engine: Any) -> Any:
    """An engine of SQLAlchemy whose connections are confined to the database, and whose statements a signal ends."""

    def confine(connection: Any, _: object) -> None:
        ((is_locked,),) = connection.execute("SELECT current_setting('lock_configuration')").fetchall()
        for statement in CONFINEMENT if not is_locked else ():
            connection.execute(statement)
        watch_connection(connection)

    sqlalchemy.event.listen(engine, "connect", confine)
    return engine
