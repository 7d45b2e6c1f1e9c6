"""Preparation of monolingual sentences: cleaning, deduplication, and removal of sentences of dev and test."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from seq2seq_core.config.prepare import PrepareSection
from seq2seq_core.corpus.cleaning import text_rules
from seq2seq_core.corpus.deduplication import DEDUPLICATE
from seq2seq_core.corpus.leakage.similar_leaks import SimilarLeaks, leakage_rules
from seq2seq_core.corpus.monolingual import MonolingualReader
from seq2seq_core.corpus.preparation.changed_texts import settings_in_use
from seq2seq_core.corpus.preparation.funnel import SentenceFunnel, all_taken_away
from seq2seq_core.corpus.preparation.row_lines import RowLines, write_pages
from seq2seq_core.corpus.preparation.row_samples import RowSamples, count_and_sample
from seq2seq_core.corpus.preparation.split_rows import KEY_MACROS, SplitRows
from seq2seq_core.corpus.rows.row_store import RowStore
from seq2seq_core.corpus.rows.split_loading import SplitLoader
from seq2seq_core.errors import UserError

PROTECTED = "protected_texts"
"""The table of the keys of texts of dev and test; also the function that finds similar ones."""


class SentencePreparation:
    """Prepares monolingual corpora, once dev and test are known.

    Args:
        section: rules and policies.
        readers: one for each language.
        samples: receives the rows that are dropped or changed.
        store: the database, with its macros.

    Attributes:
        funnels: rows in, dropped and written, by the names of the splits.
    """

    def __init__(self, section: PrepareSection, readers: list[MonolingualReader], samples: RowSamples, store: RowStore) -> None:
        self.readers, self.samples, self.store = readers, samples, store
        policy = "none" if section.deduplicate == "none" else "source"
        self.section = section.model_copy(update={"deduplicate": policy, "leakage": section.leakage if readers else "keep"})
        self.funnels = {reader.split: SentenceFunnel(changed=dict.fromkeys(settings_in_use(section), 0)) for reader in readers}
        self._similar = SimilarLeaks(section.leakage_similarity) if self.section.leakage == "similar" else None
        store.connection.execute(f"CREATE TABLE {PROTECTED} (leak_key UHUGEINT)")
        if self._similar is not None:
            store.add_function(f"similar_to_{PROTECTED}", self._similar.find, ["VARCHAR"], "VARCHAR")

    def protect(self, rows: SplitRows, split: str) -> None:
        """Adds both sides of the pairs of dev or test, whatever the language: a model of both directions reads either as a source.

        Args:
            rows: those that hold the pairs.
            split: ``dev`` or ``test``.
        """
        if self.section.leakage == "keep":
            return
        macro, texts = KEY_MACROS[self.section.leakage], rows.texts(rows.left(split))
        for side in ("source", "target"):
            self.store.connection.execute(f"INSERT INTO {PROTECTED} SELECT md5_number({macro}({side})) FROM {texts}")
        if self._similar is not None:
            for pair in rows.left_texts(split, "source, target"):
                self._similar.protect(*pair)

    def write(self, folder: Path, on_progress: Callable[[int], None]) -> None:
        """Writes ``monolingual.<language>.jsonl`` of each language.

        Args:
            folder: the output folder.
            on_progress: called with the number of bytes read.

        Raises:
            CorpusError: a file cannot be read.
            UserError: no sentence of a language is left.
        """
        done = 0
        for reader in self.readers:
            loader = SplitLoader(self.store, reader, None, partial(_report, on_progress, reader, done), is_strict=True)
            for entry in reader.entries:
                loader.load(entry)
            self._write_language(reader.split, folder)
            done += reader.total_bytes
            _check_not_empty(reader.split, self.funnels[reader.split])

    def _write_language(self, split: str, folder: Path) -> None:
        rules = text_rules(self.section)
        funnel = self.funnels[split]
        funnel.rows_in = self.store.counts[split]
        funnel.dropped = dict.fromkeys([*(rule.name for rule in rules), DEDUPLICATE, *leakage_rules(self.section.leakage)], 0)
        rows = SplitRows(self.store, split, self.section)
        rows.judge(rules)
        rows.drop_repeated()
        if self.section.leakage != "keep":
            rows.drop_leaks(PROTECTED)
        if self._similar is not None:
            rows.drop_similar(f"similar_to_{PROTECTED}")
        with (folder / f"{split}.jsonl").open("wb") as file:
            for _ in write_pages(RowLines(rows).pages(split), file, funnel):
                pass
        count_and_sample(rows, split, self.funnels, self.samples)


def _report(on_progress: Callable[[int], None], reader: MonolingualReader, done: int) -> None:
    # Files are read in blocks: all bytes are read before the last rows come, but only the end may report the total.
    on_progress(done + reader.bytes_read - 1)


def _check_not_empty(split: str, funnel: SentenceFunnel) -> None:
    """Raises UserError if no sentence is left; the error names the rules that dropped them."""
    if funnel.rows_out:
        return
    losses = {f"prepare.{rule}": count for rule, count in funnel.dropped.items() if count}
    if not losses:
        raise UserError(f"{split} is empty: the files of corpus.monolingual have no rows; expected at least one")
    raise all_taken_away(split, funnel.rows_in, losses)
