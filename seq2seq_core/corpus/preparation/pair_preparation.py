"""Preparation of pairs in the database: cleaning, deduplication, removal of pairs that leak dev or test, splits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from seq2seq_core.artifacts import SPLITS
from seq2seq_core.config.settings import Settings
from seq2seq_core.corpus.cleaning import rules_in_use, text_rules
from seq2seq_core.corpus.deduplication import DEDUPLICATE
from seq2seq_core.corpus.leakage.similar_leaks import SimilarLeaks, leakage_rules
from seq2seq_core.corpus.named_files.source_files import SourceFiles
from seq2seq_core.corpus.pairs import SOURCE, SOURCE_LANGUAGE, TARGET_LANGUAGE, exchange_sides
from seq2seq_core.corpus.preparation.changed_texts import settings_in_use
from seq2seq_core.corpus.preparation.funnel import REAL_PAIRS, Funnel
from seq2seq_core.corpus.preparation.kept_lines import LinesFile, copy_earlier_lines, keep_lines, new_lines_file
from seq2seq_core.corpus.preparation.row_lines import EXCHANGED_NAMES, Page, RowLines, write_pages
from seq2seq_core.corpus.preparation.row_samples import RowSamples, count_and_sample
from seq2seq_core.corpus.preparation.sentence_preparation import SentencePreparation
from seq2seq_core.corpus.preparation.split_rows import KEY_MACROS, SplitRows
from seq2seq_core.corpus.reading import SplitReader
from seq2seq_core.corpus.rows.row_store import RowStore
from seq2seq_core.corpus.rows.split_loading import SplitLoader

if TYPE_CHECKING:
    from seq2seq_core.distillation.distillation import Distillation

PROTECTED, CARVED = "protected", "protected_carved"
"""Tables of the keys of dev's and test's files, and of the pairs carved out for them."""


class PairPreparation:
    """Prepares the pairs of a corpus.

    Args:
        settings: the sections ``corpus`` and ``prepare``.
        store: the database, with its macros.
        readers: the readers of the corpus, by split.
        files: the recordings or pictures that a side names; None where both sides are texts.
        sentences: the preparation of monolingual sentences; receives the pairs of dev and test, which it must not contain.
        samples: receives the rows that are dropped or changed.
        folder: the output folder of ``{split}.jsonl`` and of the files that sources name.
        distillation: what asks a teacher for targets of train's sources; None: there is no teacher.

    Attributes:
        funnels: counts of rows read, dropped, carved out and written, by split.
        digests: SHA-256 of the files that are written, by split.
    """

    def __init__(
        self,
        settings: Settings,
        store: RowStore,
        readers: dict[str, SplitReader],
        files: SourceFiles | None,
        sentences: SentencePreparation,
        samples: RowSamples,
        folder: Path,
        distillation: Distillation | None = None,
    ) -> None:
        self.section, self.corpus, self.store = settings.prepare, settings.corpus, store
        self.readers, self.files, self.folder = readers, files, folder
        self.sentences, self.samples, self.distillation = sentences, samples, distillation
        self.rules = (rules_in_use if files is None else text_rules)(self.section)
        self.funnels = {
            split: Funnel(changed=dict.fromkeys(settings_in_use(self.section), 0), has_files=files is not None) for split in SPLITS
        }
        self.digests: dict[str, str] = {}
        # Only a split without files is carved out of train; the fraction of a split with files has no effect.
        self.carved = [split for split in ("dev", "test") if not readers[split].entries]
        for table in (PROTECTED, CARVED):
            store.connection.execute(f"CREATE TABLE {table} (leak_key UHUGEINT)")
        self._similar = {table: SimilarLeaks(self.section.leakage_similarity) for table in self._compared_tables()}
        for table, similar in self._similar.items():
            store.add_function(f"similar_to_{table}", similar.find, ["VARCHAR", "VARCHAR"], "VARCHAR")

    def _compared_tables(self) -> tuple[str, ...]:
        return (PROTECTED, CARVED) if self.section.leakage == "similar" else ()

    def load(self, split: str, report: Callable[[], None]) -> None:
        """Reads a split into the database.

        Args:
            split: its name.
            report: called after each batch.

        Raises:
            CorpusError: a file, a line, a recording or a picture cannot be read.
        """
        loader = SplitLoader(self.store, self.readers[split], self.files, report, is_strict=True)
        for entry in self.readers[split].entries:
            loader.load(entry)

    def run(self) -> None:
        """Writes all splits, once they are loaded. Dev and test come first: train must not contain their sources."""
        with ExitStack() as stack:
            files = {split: stack.enter_context(new_lines_file(self.folder / f"{split}.jsonl")) for split in SPLITS}
            for split in ("dev", "test"):
                if split not in self.carved:
                    self._write_evaluation(split, files[split])
            self._write_train(files)
            self.digests = {split: file.state.digest for split, file in files.items()}

    def _rows(self, split: str) -> SplitRows:
        return SplitRows(self.store, split, self.section, self.corpus.input_columns, self.files)

    def _write_evaluation(self, split: str, file: LinesFile) -> None:
        """Writes dev or test from its own files, without dropping rows unless ``clean_evaluation_splits`` is set."""
        rows, funnel = self._rows(split), self.funnels[split]
        funnel.rows_in = self.store.counts[split]
        is_cleaned = self.section.clean_evaluation_splits
        if is_cleaned:
            funnel.dropped = dict.fromkeys([*(rule.name for rule in self.rules), DEDUPLICATE], 0)
        rows.judge(self.rules if is_cleaned else ())
        if is_cleaned:
            rows.drop_repeated()
        self._protect(rows, split, PROTECTED)
        self._write(RowLines(rows), split, file)
        rows.keep_verdicts()
        count_and_sample(rows, split, self.funnels, self.samples)

    def _protect(self, rows: SplitRows, split: str, table: str) -> None:
        """Protects the rows that fall into dev or test: no row of train may leak them."""
        if self.section.leakage != "keep":
            self.store.connection.execute(f"INSERT INTO {table} SELECT leak_key FROM ({rows.left(split)})")
        self.sentences.protect(rows, split)
        if table in self._similar:
            for texts in rows.left_texts(split, "rule_source, target"):
                self._similar[table].protect(*texts)

    def _write_train(self, files: Mapping[str, LinesFile]) -> None:
        """Writes train, and carves dev and test out of it where they have no files."""
        rows, funnel, section = self._rows("train"), self.funnels["train"], self.section
        funnel.rows_in = self.store.counts["train"]
        funnel.dropped = dict.fromkeys([*(rule.name for rule in self.rules), DEDUPLICATE, *leakage_rules(section.leakage)], 0)
        if self.distillation is not None and self.distillation.settings.real_pairs < 1:
            funnel.dropped[REAL_PAIRS] = 0
        conversations = self.corpus.conversations
        fractions = [getattr(section, f"{split}_fraction") if split in self.carved else 0.0 for split in ("dev", "test")]
        rows.judge(self.rules, SOURCE if conversations is None else conversations.id_column, (fractions[0], fractions[1]))
        rows.drop_repeated()
        self._drop_leaks(rows, PROTECTED)
        for split in self.carved:
            self._protect(rows, split, CARVED)
        if self.carved and section.leakage == "similar":
            self._drop_leaks(rows, CARVED, "train")
        lines = RowLines(rows)
        for split in self.carved:
            self._write(lines, split, files[split])
            self.funnels[split].rows_in = funnel.carved[split] = self.funnels[split].rows_out
        self._write(lines, "train", files["train"], self._exchanged(rows))
        rows.keep_verdicts()
        count_and_sample(rows, "train", self.funnels, self.samples)

    def _drop_leaks(self, rows: SplitRows, table: str, split: str = "") -> None:
        if self.section.leakage != "keep":
            rows.drop_leaks(table, split)
        if table in self._similar:
            rows.drop_similar(f"similar_to_{table}", split)

    def _exchanged(self, rows: SplitRows) -> str:
        """SQL that is true of a train pair that is also written in the other direction: its source leaks from neither dev nor test.

        Raises:
            UserError: a pair has no language of a side.
        """
        if not self.corpus.both_directions:
            return ""
        names = [name for name in (SOURCE_LANGUAGE, TARGET_LANGUAGE) if name in self.store.columns["train"]]
        absent = " OR ".join(f"{self.store.column('train', name)} IS NULL" for name in names)
        columns = "".join(f", {self.store.column('train', name)}" for name in names)
        lacking = self.store.fetch(
            f"SELECT source, target{columns} FROM {rows.table} SEMI JOIN ({rows.left('train')}) m USING (position) "
            f"{f'WHERE {absent}' if len(names) == 2 else ''} ORDER BY position LIMIT 1"
        )
        for found in lacking:
            pair = dict(zip(("source", "target", *names), found, strict=True))
            exchange_sides({name: value for name, value in pair.items() if value is not None})
        if self.section.leakage == "keep":
            return "true"
        inputs = rows.join_cells([EXCHANGED_NAMES.get(name, name) for name in self.corpus.input_columns])
        key = f"md5_number({KEY_MACROS[self.section.leakage]}(target){inputs})"
        leaks = f"{key} IN (SELECT leak_key FROM {PROTECTED})"
        similar = f" OR similar_to_{PROTECTED}(target, source) <> ''" if self._similar else ""
        return f"NOT ({leaks}{similar})"

    def _write(self, lines: RowLines, split: str, file: LinesFile, exchanged: str = "") -> None:
        """Writes the rows that fall into a split."""
        distillation = self.distillation if split == "train" else None
        # What is exchanged or asked about depends on other rows or on a teacher besides.
        can_be_kept = distillation is None and not exchanged and self.files is None
        first = copy_earlier_lines(lines.rows, file, self.funnels[split]) if can_be_kept else 0

        def keeps(pair: dict[str, str]) -> bool:
            assert distillation is not None
            distillation.ask(pair)
            return distillation.keeps(pair[SOURCE])

        pages = lines.pages(split, exchanged, first)
        for page, left_out in write_pages(pages, file, self.funnels[split], None if distillation is None else keeps):
            lines.rows.drop_positions(left_out, REAL_PAIRS)
            if self.files is not None:
                self._copy_files(self.files, page, split)
        if can_be_kept:
            keep_lines(self.store, file, self.funnels[split])

    def _copy_files(self, files: SourceFiles, page: Page, split: str) -> None:
        funnel = self.funnels[split]
        column = "raw_source" if files.side == "source" else "recording_name"
        for name, seconds in zip(page.column(column), page.column("seconds"), strict=True):
            files.copy(name, self.folder / files.prepared_folder)
            if seconds is not None:
                funnel.recorded_seconds = (funnel.recorded_seconds or 0.0) + seconds
