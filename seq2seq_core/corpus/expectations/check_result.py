"""The result of one contract, read from the validation result of Great Expectations, without ids and times."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from seq2seq_core.corpus.contracts import Contract
from seq2seq_core.corpus.file_faults.text_faults import quote

FILES = "files"
"""Name of the suite about the files themselves, of all splits."""


@dataclass(frozen=True)
class CheckResult:
    """The result of one contract.

    Attributes:
        contract: the contract.
        success: whether it is kept.
        checked: number of rows (or files) checked.
        unexpected: how many of them break it; for a bound on the number of rows, how many are missing.
        examples: the first offenders, each ``file:line: what``.
        observed: what an expectation about a whole column found; empty: the contract is about single rows.
    """

    contract: Contract
    success: bool
    checked: int
    unexpected: int
    examples: tuple[str, ...]
    observed: str = ""

    @property
    def fraction(self) -> float:
        """Share of the checked rows that break the contract; 0 for a bound on the number of rows."""
        return self.unexpected / self.checked if self.checked and not self.contract.bounds_row_count else 0.0

    @property
    def found(self) -> str:
        """What was found, in words, such as ``290 of 1,000,000 rows``; without separators, as messages write numbers."""
        if self.contract.bounds_row_count:
            return str(self.checked)
        if self.observed:
            return self.observed
        if self.contract.split == FILES:
            return f"{self.unexpected} of {self.checked} files"
        return f"{self.unexpected} of {self.checked} rows ({100 * self.fraction:.3g} %)"

    @property
    def num_untold(self) -> int:
        """Number of offenders beyond the examples."""
        return 0 if self.contract.bounds_row_count or self.observed else max(0, self.unexpected - len(self.examples))


def describe_for_meta(contract: Contract, is_named: bool, rows: int) -> dict[str, Any]:
    """What an expectation carries of its contract, so that its result can be read from a store of Great Expectations.

    Args:
        contract: the contract.
        is_named: whether it is an expectation that a user names.
        rows: number of rows (or files) that are checked.
    """
    return {"contract": asdict(contract), "is_named": is_named, "rows": rows}


def read_result(result: Any) -> CheckResult:
    """The result of a contract.

    Args:
        result: of an expectation with the meta of :func:`describe_for_meta`.
    """
    meta = result.expectation_config.meta
    contract, rows, success, found = Contract(**meta["contract"]), int(meta["rows"]), bool(result.success), result.result
    if contract.bounds_row_count:
        return CheckResult(contract, success, rows, max(0, int(contract.limit) - int(found["observed_value"])), ())
    if "unexpected_count" not in found:
        return CheckResult(contract, success, rows, 0, (), str(found.get("observed_value")))
    examples = tuple(str(value) for value in found.get("partial_unexpected_list", ()))
    if meta["is_named"]:
        examples = tuple(_describe_place(place) for place in found.get("partial_unexpected_index_list", ()))
    return CheckResult(contract, success, rows, int(found["unexpected_count"] or 0), examples)


def _describe_place(place: dict[str, Any]) -> str:
    """``file:line: values`` of an unexpected row."""
    values = [value for name, value in place.items() if name not in ("file", "line")]
    return f"{place['file']}:{place['line']}: {', '.join(quote(str(value)) for value in values)}"


def find_exception(result: Any) -> str:
    """The first exception of an expectation's result, in one line; empty: there is none.

    Args:
        result: of an expectation.
    """
    info = result.exception_info
    faults = [info] if "raised_exception" in info else list(info.values())
    messages = (str(fault["exception_message"]).strip().splitlines() for fault in faults if fault.get("raised_exception"))
    return next((lines[0] if lines else "unknown error" for lines in messages), "")
