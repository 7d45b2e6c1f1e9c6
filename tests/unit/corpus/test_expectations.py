from __future__ import annotations

import os
import random
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
import sqlalchemy.exc

from seq2seq_core.config.validate import ValidateSection
from seq2seq_core.corpus.contracts import Contract
from seq2seq_core.corpus.expectations.check_result import CheckResult
from seq2seq_core.corpus.expectations.expectation_checker import ExpectationChecker
from seq2seq_core.corpus.rows.row_store import CONFINEMENT
from tests.unit.corpus.rows_in_duckdb import judged, pairs

EMPTY_SIDE = "rows with an empty side"


@contextmanager
def _checker(
    folder: Path, splits: Mapping[str, tuple[int, int]], examples: int = 3, name: str = ""
) -> Iterator[ExpectationChecker]:
    """A checker of splits, each with a number of rows, and of empty ones among them."""
    rows = {split: pairs(*[("", "x")] * broken, *[("a", "b")] * (count - broken)) for split, (count, broken) in splits.items()}
    with ExitStack() as stack:
        store = judged(stack, folder / "rows", rows, ValidateSection(examples=examples))
        store.close()
        yield stack.enter_context(closing(ExpectationChecker(store, folder / "docs", examples, name)))


def _check(folder: Path, contract: Contract, rows: int, broken: int) -> CheckResult:
    with _checker(folder, {"train": (rows, broken)}) as checker:
        (result,) = checker.check("train", [contract], rows)
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
    result = _check(tmp_path, contract, rows, broken)
    assert (result.success, result.checked, result.unexpected) == (success, rows, broken)
    assert result.fraction == (broken / rows if rows else 0.0)
    assert result.examples == tuple(f'c.tsv:{line}: empty source, target "x"' for line in range(2, min(broken, 3) + 2))


def test_the_count_is_right_for_any_number_of_offenders(tmp_path: Path, fresh_seed: int) -> None:
    generator = random.Random(fresh_seed)
    rows = generator.randrange(1, 2000)
    broken = generator.randrange(rows + 1)
    limit = generator.random()
    result = _check(tmp_path, Contract("empty", "train", "warning", limit, "rows"), rows, broken)
    assert result.unexpected == broken
    assert result.success == (broken / rows <= limit)


@pytest.mark.parametrize(("rows", "success", "missing"), [(9, False, 1), (10, True, 0), (0, False, 10)])
def test_too_few_rows_are_counted(tmp_path: Path, rows: int, success: bool, missing: int) -> None:
    result = _check(tmp_path, Contract("min_rows", "train", "error", 10, "rows: at least 10"), rows, 0)
    assert result == CheckResult(result.contract, success, rows, missing, ())


class _Page(HTMLParser):
    """The cells of the rows of each table by the heading before it, and the elements of a page with what they load."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        rows = next(reversed(self.tables.values()), [])
        if tag == "h2":
            self.tables[str(dict(attrs)["id"])] = []
        elif tag == "tr":
            rows.append([])
        elif tag == "td":
            rows[-1].append("")

    def handle_data(self, data: str) -> None:
        rows = next(reversed(self.tables.values()), [])
        if rows and rows[-1]:
            rows[-1][-1] += data.strip("\n")


def test_data_docs_are_one_page_that_tells_a_warning_from_a_failure_and_loads_nothing(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "old.html").write_text("old", encoding="utf-8")
    with _checker(tmp_path, {"train": (2000, 5), "dev": (20, 1), "monolingual.en": (1, 0)}, name="raw/<c>") as checker:
        strict, lenient = (Contract("empty", "train", one, 0.0, f"{EMPTY_SIDE}: none") for one in ("error", "warning"))
        rows = Contract("min_rows", "train", "error", 1, "rows: at least 1")
        checker.check("train", [rows, lenient], 2000)
        checker.check("dev", [replace(strict, split="dev")], 20)
        checker.check("monolingual.en", [replace(strict, split="monolingual.en")], 1)
        checker.write_data_docs()
    assert [path.name for path in docs.rglob("*")] == ["index.html"]
    text = (docs / "index.html").read_text(encoding="utf-8")
    page = _Page(text)
    loading = [one for one in page.elements if one[0] in ("script", "link", "img", "iframe") or "src" in one[1]]
    assert loading == []
    assert [values["href"] for tag, values in page.elements if tag == "a"] == ["#train", "#dev", "#monolingual.en"]
    assert "url(" not in text
    assert "@import" not in text
    offenders = "".join(f'c.tsv:{line}: empty source, target "x"\n' for line in (2, 3, 4))
    assert page.tables["train"][1:] == [
        ["Warning", "empty", "warning", f"{EMPTY_SIDE}: none", "5 of 2,000 rows (0.25 %)"],
        ["", f"{offenders}… and 2 more"],
        ["Passed", "min_rows", "error", "rows: at least 1", "2,000 rows"],
    ]
    assert page.tables["dev"][1] == ["Failed", "empty", "error", f"{EMPTY_SIDE}: none", "1 of 20 rows (5 %)"]
    assert page.tables["monolingual.en"][1:] == [["Passed", "empty", "error", f"{EMPTY_SIDE}: none", "0 of 1 row"]]
    assert "<h1>Data contracts of raw/&lt;c&gt;</h1>" in text
    assert "1 failed, 1 with a warning, 2 passed" in text


def test_nothing_is_written_where_nothing_is_asked(tmp_path: Path) -> None:
    with _checker(tmp_path, {"train": (3, 0)}) as checker:
        assert checker.check("train", [], 3) == []
    assert not (tmp_path / "docs").exists()


def test_analytics_are_off(tmp_path: Path) -> None:
    with _checker(tmp_path, {}) as checker:
        assert os.environ["GX_ANALYTICS_ENABLED"] == "false"
        assert checker._context.variables.analytics_enabled is False


def test_duckdb_gets_the_statements_and_refuses_all_but_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GX_ANALYTICS_ENABLED", "false")
    source = "seq2seq_core.corpus.expectations.duckdb_source.CONFINEMENT"
    monkeypatch.setattr(source, ("CALL enable_logging('QueryLog')", *CONFINEMENT))
    with _checker(tmp_path, {"train": (9, 2)}) as checker:
        engine = checker._source.get_execution_engine().engine
        (result,) = checker.check("train", [Contract("empty", "train", "error", 0.5, EMPTY_SIDE)], 9)
        with engine.connect() as connection:
            statements = [row[0] for row in connection.exec_driver_sql("SELECT message FROM duckdb_logs").fetchall()]
        refused = ["CREATE TABLE t (a INTEGER)", f"COPY train TO '{tmp_path}/x'", "SELECT * FROM read_text('/etc/hostname')"]
        for statement in [*refused, "SET enable_external_access = true", "INSTALL httpfs", f"ATTACH '{tmp_path}/y.duckdb'"]:
            with pytest.raises(sqlalchemy.exc.SQLAlchemyError), engine.connect() as connection:
                connection.exec_driver_sql(statement)
    assert result.unexpected == 2
    counts = [one for one in statements if "train" in one and "empty IS NOT NULL" in one and "sum(" in one.lower()]
    assert counts, statements
