"""The rows of one split in the database, on their way through the rules of ``prepare``: verdicts say which are dropped, and why.

A row is dropped by the first rule that it breaks, so each rule looks only at the rows that have no verdict yet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from seq2seq_core.config.prepare import PrepareSection
from seq2seq_core.config.section import Side
from seq2seq_core.corpus.cleaning_rule import CleaningRule
from seq2seq_core.corpus.contracts import is_monolingual
from seq2seq_core.corpus.deduplication import DEDUPLICATE
from seq2seq_core.corpus.leakage.similar_leaks import LEAKAGE
from seq2seq_core.corpus.named_files.source_files import SourceFiles
from seq2seq_core.corpus.pairs import SOURCE, TARGET
from seq2seq_core.corpus.preparation.changed_texts import settings_in_use
from seq2seq_core.corpus.preparation.row_texts import RowKind, texts_of
from seq2seq_core.corpus.rows.row_results import has_table, make_table
from seq2seq_core.corpus.rows.row_store import RowStore, identifier, literal, rows_table, view_name
from seq2seq_core.corpus.splitting import split_of_form

KEY_MACROS = {"exact": "exact_key", "near": "near_key", "similar": "near_key"}
"""By policy of leakage: the macro that makes equal texts of those that leak each other."""


class SplitRows:
    """The rows of a split, all loaded.

    Args:
        store: the database, with its macros.
        split: the split.
        section: rules and policies.
        input_columns: columns that are part of the model's input, besides the source.
        files: those that a side names; None: both sides are texts.

    Attributes:
        table: of the rows, for SQL.
        verdicts: the table of the rows that are dropped: position and rule.
        num_known: number of the first rows, on which an earlier run has left its verdicts.
        kind: what the sides are.
        digest_column: the column of the pairs with the digests of files; empty: both sides are texts.
    """

    def __init__(
        self,
        store: RowStore,
        split: str,
        section: PrepareSection,
        input_columns: Sequence[str] = (),
        files: SourceFiles | None = None,
    ) -> None:
        self.store, self.split, self.section, self.table = store, split, section, rows_table(split)
        kinds: dict[Side | None, RowKind] = {"source": "file", "target": "spoken"}
        self.kind: RowKind = kinds.get(None if files is None else files.side, "sentence" if is_monolingual(split) else "text")
        self.digest_column = files.digest_column if files else ""
        self._key_table = f"prepared.{view_name(split)}"
        self._keys, self.verdicts = identifier(self._key_table), identifier(f"dropped.{view_name(split)}")
        self._earlier_table = f"earlier.{view_name(split)}"
        self._earlier, self.num_known = identifier(self._earlier_table), self._count_known()
        self._inputs = self.join_cells(input_columns)
        store.connection.execute(f"CREATE TABLE {self.verdicts} (position BIGINT, rule VARCHAR)")

    def _count_known(self) -> int:
        """The number of rows whose verdicts an earlier run has left."""
        is_there = has_table(self.store, self._earlier_table)
        return self.store.known.get(self.split, 0) if is_there else 0

    def keep_verdicts(self) -> None:
        """Leaves all verdicts to the next run."""
        self.store.connection.execute(f"CREATE OR REPLACE TABLE {self._earlier} AS SELECT * FROM {self.verdicts}")

    def drops_as_before(self) -> bool:
        """Whether of the rows that an earlier run has judged the same are dropped."""
        if not self.num_known:
            return False
        earlier, now = (f"SELECT position FROM {one} WHERE position < {self.num_known}" for one in (self._earlier, self.verdicts))
        ((differing,),) = self.store.fetch(f"SELECT count(*) FROM (({earlier} EXCEPT {now}) UNION ALL ({now} EXCEPT {earlier}))")
        return not differing

    def join_cells(self, names: Sequence[str]) -> str:
        """SQL that appends the values of columns to a text, empty where a row has none, so that different ones give different keys.

        Args:
            names: columns of a prepared pair.
        """
        return "".join(f" || chr(0) || {self._cell(name)}" for name in names)

    def _cell(self, name: str) -> str:
        if name in (SOURCE, TARGET):
            return name
        if name == self.digest_column and self.digest_column:
            return "identity"
        return f"coalesce({self.store.column(self.split, name)}, '')" if name in self.store.columns[self.split] else "''"

    def judge(
        self, rules: Sequence[CleaningRule] = (), split_column: str = SOURCE, fractions: tuple[float, float] = (0.0, 0.0)
    ) -> None:
        """Tries the rules that look at one row alone, and makes the keys of the rows that pass, in one pass over the rows.

        Args:
            rules: in the order in which they are tried.
            split_column: the column that decides the split into which a row is carved.
            fractions: shares of the rows that are carved out for dev and for test.
        """
        cases = " ".join(f"WHEN {self._condition(rule)} THEN {literal(rule.name)}" for rule in rules)
        rule = f"CASE {cases} END" if cases else "NULL::VARCHAR"
        macro = KEY_MACROS.get(self.section.leakage, "")
        decides = "identity" if split_column == SOURCE else self._cell(split_column)
        forms = {
            "leak_form": f"{macro}(identity)" if macro else "NULL::VARCHAR",
            "split_form": "NULL::VARCHAR" if fractions == (0.0, 0.0) else f"near_key({decides})",
        }
        if forms["leak_form"] == forms["split_form"]:
            forms["split_form"] = ""
        formed = "".join(f", CASE WHEN rule IS NULL THEN {form} END AS {name}" for name, form in forms.items() if form)
        columns = [
            "position",
            "rule",
            f"CASE WHEN rule IS NULL THEN {self._pair_key()} END AS pair_key",
            f"md5_number(leak_form{self._inputs}) AS leak_key",
            f"{self._carved_split('split_form' if forms['split_form'] else 'leak_form', fractions)} AS split",
            *(f"changed_by_{name}" for name in settings_in_use(self.section)),
        ]

        def judged(rows: str) -> str:
            passed = f"SELECT *, {rule} AS rule FROM {texts_of(f'SELECT * FROM {rows}', self.kind, self.section.mend)}"
            return f"SELECT {', '.join(columns)} FROM (SELECT *{formed} FROM ({passed}))"

        make_table(self.store, self._key_table, self.split, judged)
        self._drop(f"SELECT position, rule FROM {self._keys} WHERE rule IS NOT NULL")

    def _condition(self, rule: CleaningRule) -> str:
        """When a row breaks a rule, in SQL."""
        if not rule.condition:
            name = f"rule_{rule.name}"
            self.store.add_function(name, partial(rule.drops, section=self.section), ["VARCHAR", "VARCHAR"], "BOOLEAN")
            return f"{name}(rule_source, target)"
        condition = rule.condition.format(**self.section.model_dump())
        name, arguments = f"breaks_{rule.name}", "source, target" if rule.compares_sides else "text"
        self.store.define_macros(f"CREATE OR REPLACE MACRO {name}({arguments}) AS ({condition})")
        return f"{name}(rule_source, target)" if rule.compares_sides else f"({name}(rule_source) OR {name}(target))"

    def _pair_key(self) -> str:
        """The key that a row shares with those that repeat it."""
        if self.section.deduplicate == "none":
            return "NULL::UHUGEINT"
        target = " || chr(0) || target" if self.section.deduplicate == "pair" else ""
        return f"md5_number(identity{target}{self._inputs})"

    def _carved_split(self, form: str, fractions: tuple[float, float]) -> str:
        """The split that a row falls into, in SQL."""
        if fractions == (0.0, 0.0):
            return literal(self.split)
        assign = partial(split_of_form, dev_fraction=fractions[0], test_fraction=fractions[1], salt=self.section.split_salt)
        self.store.add_function("carved_split", assign, ["VARCHAR"], "VARCHAR")
        return f"carved_split({form})"

    def _drop(self, verdicts: str) -> None:
        """Adds verdicts.

        Args:
            verdicts: a query of positions and rules.
        """
        self.store.connection.execute(f"INSERT INTO {self.verdicts} {verdicts}")

    def left(self, split: str = "") -> str:
        """A query of the keys of the rows that no rule has dropped.

        Args:
            split: only those that fall into it: the rows' own split, or one that is carved out of them; empty: all.
        """
        chosen = f"SELECT k.* FROM {self._keys} k ANTI JOIN {self.verdicts} v ON k.position = v.position"
        return f"SELECT * FROM ({chosen}) WHERE split = {literal(split)}" if split else chosen

    def texts(self, positions: str, others: str = "") -> str:
        """A query of rows with their texts (:func:`~seq2seq_core.corpus.preparation.row_texts.texts_of`).

        Args:
            positions: a query with the positions of the rows.
            others: what else is asked of the rows' table: conditions, order, limit.
        """
        rows = f"SELECT r.* FROM {self.table} r SEMI JOIN ({positions}) p ON r.position = p.position {others}"
        return texts_of(rows, self.kind, self.section.mend)

    def texts_of_left(self, split: str, statement: Callable[[str], str], first: int = 0) -> Iterator[Any]:
        """Arrow tables of what the rows that no rule has dropped are by themselves, in their order, computed on a cluster.

        Args:
            split: only those that fall into it; empty: all.
            statement: makes the query of a query of rows with their texts.
            first: the position of the first row.
        """
        assert self.store.parts is not None
        statement_of = partial(texts_of, kind=self.kind, mend=self.section.mend)
        return self.store.parts.compute(
            self.split, lambda rows: statement(statement_of(f"SELECT * FROM {rows}")), first, self.left(split)
        )

    def drop_repeated(self) -> None:
        """Drops the rows that repeat an earlier one, by ``deduplicate``."""
        if self.section.deduplicate == "none":
            return
        start, among = self.num_known, ""
        if start:  # rows that are added repeat earlier ones, and never the other way round
            self._drop(f"SELECT position, rule FROM {self._earlier} WHERE rule = {literal(DEDUPLICATE)}")
            among = f"WHERE pair_key IN (SELECT pair_key FROM {self._keys} WHERE position >= {start})"
        first = f"SELECT pair_key, min(position) AS first FROM ({self.left()}) {among} GROUP BY pair_key HAVING count(*) > 1"
        self._drop(
            f"SELECT position, {literal(DEDUPLICATE)} FROM ({self.left()}) JOIN ({first}) USING (pair_key) "
            f"WHERE position <> first AND position >= {start}"
        )

    def drop_leaks(self, protected: str, split: str = "") -> None:
        """Drops the rows whose key is protected.

        Args:
            protected: the table of the keys of dev and test.
            split: only the rows that fall into it; empty: all.
        """
        self._drop(
            f"SELECT position, {literal(LEAKAGE)} FROM ({self.left(split)}) l SEMI JOIN {protected} p ON l.leak_key = p.leak_key"
        )

    def drop_similar(self, function: str, split: str = "") -> None:
        """Drops the rows that leak by similarity.

        Args:
            function: of SQL, from the texts to the rule's name, empty where they do not leak.
            split: only the rows that fall into it; empty: all.
        """
        arguments = "target" if self.kind == "sentence" else "rule_source, target"

        def found(texts: str) -> str:
            return f"SELECT position, rule FROM (SELECT position, {function}({arguments}) AS rule FROM {texts}) WHERE rule <> ''"

        if self.store.parts is None:
            self._drop(found(self.texts(self.left(split))))
            return
        for table in list(self.texts_of_left(split, found)):  # all of them before the first is dropped
            self.store.insert(self.verdicts, {name: table[name] for name in ("position", "rule")})

    def drop_positions(self, positions: Sequence[int], rule: str) -> None:
        """Drops rows that Python has chosen.

        Args:
            positions: of the rows.
            rule: the name in the funnel.
        """
        if positions:
            self.store.insert(self.verdicts, {"position": positions, "rule": [rule] * len(positions)})

    def left_texts(self, split: str, columns: str) -> Iterator[tuple[str, ...]]:
        """The texts of the rows that are left, and fall into a split.

        Args:
            split: the rows' own split, or one that is carved out of them.
            columns: of the query of :meth:`texts`.
        """
        yield from self.store.fetch(f"SELECT {columns} FROM {self.texts(self.left(split))}")
