from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from seq2seq_core.corpus.contracts import Contract, SplitBreaches
from seq2seq_core.corpus.expectations import CheckResult, ExpectationChecker


def _check(folder: Path, contract: Contract, rows: int, broken: int) -> CheckResult:
    breaches = {position: f"c.tsv:{position + 1}: it" for position in range(broken)}
    found = SplitBreaches(rows, {} if contract.bounds_row_count else {contract.name: breaches})
    (result,) = ExpectationChecker(folder, examples=3).check("train", [contract], found)
    return result


@pytest.mark.parametrize(
    ("limit", "rows", "broken", "success"),
    [
        (0.0, 10, 0, True),
        (0.0, 10, 1, False),
        (0.7, 10, 7, True),  # 1 - 0.7 is a little more than 0.3
        (0.7, 10, 8, False),
        (0.05, 100, 5, True),
        (0.05, 100, 6, False),
        (1.0, 10, 10, True),
        (0.0, 0, 0, True),
    ],
)
def test_a_share_of_rows_up_to_the_limit_may_break_a_contract(
    tmp_path: Path, limit: float, rows: int, broken: int, success: bool
) -> None:
    contract = Contract("empty", "train", "error", limit, "rows with an empty side")
    result = _check(tmp_path / "docs", contract, rows, broken)
    assert (result.success, result.checked, result.unexpected) == (success, rows, broken)
    assert result.fraction == (broken / rows if rows else 0.0)
    assert result.examples == tuple(f"c.tsv:{line}: it" for line in range(1, min(broken, 3) + 1))


def test_the_count_is_right_for_any_number_of_offenders(tmp_path: Path, fresh_seed: int) -> None:
    generator = random.Random(fresh_seed)
    rows = generator.randrange(1, 2000)
    broken = generator.randrange(rows + 1)
    limit = generator.random()
    result = _check(tmp_path / "docs", Contract("mojibake", "train", "warning", limit, "rows"), rows, broken)
    assert result.unexpected == broken
    assert result.success == (broken / rows <= limit)


@pytest.mark.parametrize(("rows", "success", "missing"), [(9, False, 1), (10, True, 0), (0, False, 10)])
def test_too_few_rows_are_counted(tmp_path: Path, rows: int, success: bool, missing: int) -> None:
    result = _check(tmp_path / "docs", Contract("min_rows", "train", "error", 10, "rows: at least 10"), rows, 0)
    assert result == CheckResult(result.contract, success, rows, missing, ())


def test_data_docs_show_statements_counts_and_places(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "old.html").write_text("old", encoding="utf-8")
    checker = ExpectationChecker(docs, examples=3)
    found = SplitBreaches(10, {"empty": {4: "c.tsv:5: empty source and target"}})
    checker.check("train", [Contract("empty", "train", "error", 0.0, "rows with an empty side: none")], found)
    checker.check(
        "dev", [Contract("empty", "dev", "warning", 0.0, "rows with an empty side: none")], SplitBreaches(1, {"empty": {}})
    )
    checker.write_data_docs()
    assert (docs / "index.html").is_file()
    assert not (docs / "old.html").exists()
    (page,) = docs.glob("validations/train/**/*.html")
    text = page.read_text(encoding="utf-8")
    assert "rows with an empty side: none" in text
    assert "c.tsv:5: empty source and target" in text
    assert len(list(docs.glob("validations/**/*.html"))) == 2


def test_nothing_is_written_where_nothing_is_asked(tmp_path: Path) -> None:
    checker = ExpectationChecker(tmp_path / "docs", examples=3)
    assert checker.check("train", [], SplitBreaches(3, {})) == []
    assert not (tmp_path / "docs").exists()


def test_analytics_are_off(tmp_path: Path) -> None:
    checker = ExpectationChecker(tmp_path / "docs", examples=3)
    assert os.environ["GX_ANALYTICS_ENABLED"] == "false"
    assert checker._context.variables.analytics_enabled is False
