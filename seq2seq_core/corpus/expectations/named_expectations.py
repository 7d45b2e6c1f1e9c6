"""Great Expectations' own expectations, by name and arguments, as users write them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any

from seq2seq_core.config.validate import UserContract
from seq2seq_core.errors import UserError

COLUMN_ARGUMENTS = ("column", "column_A", "column_B", "column_list")
"""Arguments that name columns which must exist."""


def build_expectation(contract: UserContract, columns: Sequence[str], common: dict[str, Any]) -> Any:
    """The expectation that a user's contract names.

    Args:
        contract: name and arguments.
        columns: the columns that it may name.
        common: further arguments: severity, description and such.

    Raises:
        UserError: there is no such expectation or column, an argument is missing, unknown or wrong, or a bound is empty.
    """
    from great_expectations.compatibility.pydantic import ValidationError
    from great_expectations.expectations.registry import list_registered_expectation_implementations

    fault = f"validate.contracts: {contract.title}: "
    known = list_registered_expectation_implementations()
    if contract.expectation not in known:
        close = get_close_matches(contract.expectation, known, n=3) or ["expect_column_values_to_be_unique"]
        raise UserError(
            f"{fault}Great Expectations has no expectation {contract.expectation!r}; similar ones are {', '.join(close)}; "
            f"the columns are {', '.join(columns)}"
        )
    if missing := next((name for name in _named_columns(contract.arguments) if name not in columns), None):
        raise UserError(f"{fault}there is no column {missing!r}; the columns are {', '.join(columns)}")
    least, most = (contract.arguments.get(name) for name in ("min_value", "max_value"))
    if isinstance(least, int | float) and isinstance(most, int | float) and least > most:
        raise UserError(f"{fault}min_value must be at most max_value, got {least} > {most}")
    from great_expectations.expectations.registry import get_expectation_impl

    arguments = {**contract.arguments, **common}
    if contract.limit:
        arguments["mostly"] = round(1 - contract.limit, 12)
    try:
        return get_expectation_impl(contract.expectation)(**arguments)
    except (ValidationError, TypeError, ValueError) as error:
        shown = " ".join(str(error).split())
        raise UserError(
            f"{fault}wrong arguments of {contract.expectation}: {shown}; the columns are {', '.join(columns)}"
        ) from None


def _named_columns(arguments: dict[str, Any]) -> Iterator[str]:
    for name in COLUMN_ARGUMENTS:
        value = arguments.get(name, [])
        yield from [value] if isinstance(value, str) else [str(item) for item in value]
