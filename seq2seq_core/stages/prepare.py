"""``prepare``: clean, deduplicated pairs in splits without leakage, and a funnel that accounts for every row."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from seq2seq_core import atomic
from seq2seq_core.artifacts import SPLITS, Paths
from seq2seq_core.cluster.connection import open_cluster
from seq2seq_core.config.settings import Settings
from seq2seq_core.console import Progress, progress
from seq2seq_core.corpus.language_identification import check_languages
from seq2seq_core.corpus.leakage.split_note import split_note
from seq2seq_core.corpus.monolingual import open_monolingual
from seq2seq_core.corpus.named_files.source_files import open_source_files
from seq2seq_core.corpus.preparation.dropped_fraction import check_dropped_fraction
from seq2seq_core.corpus.preparation.funnel import (
    TEACHER,
    Funnel,
    SentenceFunnel,
    all_taken_away,
    figures_of,
    format_funnels,
    format_lengths,
)
from seq2seq_core.corpus.preparation.pair_preparation import PairPreparation
from seq2seq_core.corpus.preparation.row_samples import RowSamples
from seq2seq_core.corpus.preparation.sentence_preparation import SentencePreparation
from seq2seq_core.corpus.reading import SplitReader
from seq2seq_core.corpus.rows.comparison_macros import create_comparison_macros
from seq2seq_core.corpus.rows.row_store import RowStore
from seq2seq_core.corpus.rows.store_opening import open_row_store
from seq2seq_core.errors import RowsLost, UserError
from seq2seq_core.recorder import Recorder
from seq2seq_core.stages.kept_database import find_kept_rows
from seq2seq_core.tokenization.manifest import file_digest

if TYPE_CHECKING:
    from seq2seq_core.distillation.distillation import Distillation

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PrepareResult:
    """The result of ``prepare``.

    Attributes:
        funnels: counts of rows read, dropped, carved out and written, by split.
    """

    funnels: dict[str, Funnel]


def run_prepare(settings: Settings, paths: Paths, recorder: Recorder) -> PrepareResult:
    """Writes ``data/prepared``, the funnels (``reports/prepare.json``) and samples of the rows dropped (``reports/dropped.jsonl``).

    Args:
        settings: the sections ``corpus`` and ``prepare``.
        paths: the workspace; reads the raw corpus, writes the outputs.
        recorder: receives the counts and the tables of funnels and lengths.

    Raises:
        CorpusError: a file is missing or cannot be read, or a recording or picture cannot be used.
        RowsLost: a split loses too many rows, or all; the message names the rule that dropped most. The funnels and the samples
            stay in ``.s2s``.
        UserError: a split that is carved out of train is empty, there is no such teacher, or a language cannot be told.
        Interrupted: the process was asked to stop while the teacher decoded; what is decoded stays.
    """
    shutil.rmtree(paths.stopped_prepare, ignore_errors=True)
    check_languages("prepare.drop_other_languages", settings.prepare.drop_other_languages)
    preparation = _Preparation(settings, paths, RowSamples(settings.prepare.examples))
    try:
        preparation.run(recorder)
    except RowsLost:
        preparation.leave_report(paths.stopped_prepare)
        raise
    # The teacher's pairs are part of train's file.
    written = {
        name: preparation.digests.get(name) or file_digest(paths.prepared / f"{name}.jsonl")
        for name in preparation.funnels
        if name != TEACHER
    }
    report = preparation.leave_report(paths.prepare_report.parent, written)
    _record(preparation.funnels, report, recorder)
    if settings.prepare.leakage == "keep" and not settings.prepare.leakage_reason:
        logger.info("prepare.leakage is keep: say why in prepare.leakage_reason, which then stands beside the scores")
    if note := split_note(report):
        logger.info("%s", note)
    recorder.log_file(paths.dropped_rows, "reports")
    return PrepareResult(preparation.funnels)


class _Preparation:
    """One execution of the stage.

    Args:
        settings: the sections ``corpus`` and ``prepare``.
        paths: the workspace.
        samples: receives the rows that are dropped or changed.

    Attributes:
        digests: SHA-256 of the files that are as they were written first, by split.
    """

    def __init__(self, settings: Settings, paths: Paths, samples: RowSamples) -> None:
        self.settings, self.paths, self.samples = settings, paths, samples
        self.readers = {split: SplitReader(settings.corpus, paths.root, split) for split in SPLITS}
        self.monolingual = open_monolingual(settings.corpus, paths.root)
        self._of_pairs, self._of_sentences = dict[str, Funnel](), dict[str, SentenceFunnel]()
        self.digests: dict[str, str] = {}

    @property
    def funnels(self) -> dict[str, Funnel]:
        """The counts so far: of the splits, the teacher, the languages."""
        return self._of_pairs | self._of_sentences

    def run(self, recorder: Recorder) -> None:
        """Writes the folder of the prepared corpus.

        Args:
            recorder: receives the teacher's name.

        Raises:
            RowsLost: the rules drop too many rows.
        """
        settings, paths = self.settings, self.paths
        with _open_distillation(settings, paths) as distillation, atomic.new_folder(paths.prepared) as folder:
            kept = find_kept_rows("prepare", settings, paths, self.readers.values())
            with (
                open_cluster("prepare", settings, paths) as cluster,
                open_row_store(paths.rows, settings.runtime.memory_limit, kept, cluster) as store,
            ):
                create_comparison_macros(store, settings.prepare)
                self._select(store, folder, distillation)
            settings.prepare.normal_form.save(folder / paths.prepared_normal_form.name)
            if settings.prepare.score_filter is not None:
                from seq2seq_core.score_filter.pair_filter import filter_train

                train = folder / paths.prepared_split("train").name
                filter_train(train, settings, paths, self._of_pairs["train"], self.samples, recorder)
            check_dropped_fraction(settings.prepare, self.funnels)
            if distillation is not None:
                self._of_pairs |= distillation.add_pairs(folder, self._of_pairs["train"], self.samples)
                recorder.set_tags(distillation.teacher.record.tags)
            if settings.prepare.augment.kinds():
                from seq2seq_core.corpus.augmentation.noisy_copies import add_noisy_copies

                add_noisy_copies(folder, settings.prepare, self._of_pairs["train"], self.samples)
            for split in SPLITS:
                self._check_not_empty(split)

    def _select(self, store: RowStore, folder: Path, distillation: Distillation | None) -> None:
        """Writes the pairs and sentences that are kept.

        Args:
            store: an empty database, with its macros.
            folder: receives the files.
            distillation: what asks a teacher for targets of train's sources.
        """
        settings = self.settings
        sentences = SentencePreparation(settings.prepare, self.monolingual, self.samples, store)
        num_bytes = sum(reader.total_bytes for reader in self.readers.values())
        total = (num_bytes + sum(reader.total_bytes for reader in self.monolingual)) / 1e6
        with progress("prepare", total, "MB", settings.runtime.progress) as bar:
            files = open_source_files(settings.corpus, self.paths.root)
            pairs = PairPreparation(settings, store, self.readers, files, sentences, self.samples, folder, distillation)
            self._of_pairs, self._of_sentences = pairs.funnels, sentences.funnels
            done = 0
            for split in ("dev", "test", "train"):
                reader = self.readers[split]
                pairs.load(split, partial(_report_bytes, bar, reader, done))
                done += reader.total_bytes
            pairs.run()
            prepare = settings.prepare
            if prepare.score_filter is None and prepare.distill is None and not prepare.augment.kinds():
                self.digests = pairs.digests
            # Monolingual sentences come last: they depend on dev and test, which may be carved out of train.
            sentences.write(folder, lambda read: bar.update((num_bytes + read) / 1e6))
            bar.update(total)

    def _check_not_empty(self, split: str) -> None:
        """Checks that a split is not empty; the error explains where its rows went."""
        funnel, train = self.funnels[split], self.funnels["train"]
        if funnel.rows_out or not (self.readers[split].entries or split in train.carved):
            return
        if split in train.carved:
            fraction = getattr(self.settings.prepare, f"{split}_fraction")
            raise UserError(
                f"{split} is empty: prepare.{split}_fraction {fraction:g} of the {train.rows_out} pairs left of train gave none; "
                f"expected a larger fraction, or files in corpus.files.{split}"
            )
        losses = {f"prepare.{rule}": count for rule, count in funnel.dropped.items() if count}
        losses |= {f"prepare.{other}_fraction": count for other, count in funnel.carved.items() if count}
        if not losses:
            raise UserError(f"{split} is empty: the files of corpus.files.{split} have no rows; expected at least one")
        raise all_taken_away(split, funnel.rows_in, losses)

    def leave_report(self, folder: Path, digests: Mapping[str, str] = MappingProxyType({})) -> dict[str, dict[str, object]]:
        """Writes the funnels and the samples; returns the funnels as they are written.

        Args:
            folder: receives both files.
            digests: of the written files, by split.
        """
        report = {
            name: funnel.as_report() | ({"sha256": digests[name]} if name in digests else {})
            for name, funnel in self.funnels.items()
        }
        if (reason := self.settings.prepare.leakage_reason) and "train" in report:
            report["train"]["leakage_reason"] = reason
        atomic.write_text(folder / self.paths.prepare_report.name, json.dumps(report, ensure_ascii=False, indent=1) + "\n")
        atomic.write_text(folder / self.paths.dropped_rows.name, "".join(self.samples.lines(self.funnels)))
        return report


def _report_bytes(bar: Progress, reader: SplitReader, done: int) -> None:
    # Files are read in blocks: all bytes are read before the last rows come, but only the end may report the total.
    bar.update((done + reader.bytes_read - 1) / 1e6)


@contextmanager
def _open_distillation(settings: Settings, paths: Paths) -> Iterator[Distillation | None]:
    """What asks a teacher; None: the settings name none. Its packages are imported only here, because few settings need them."""
    if settings.prepare.distill is None:
        yield None
        return
    from seq2seq_core.distillation.distillation import Distillation

    with closing(Distillation(settings.prepare.distill, settings, paths)) as distillation:
        yield distillation


def _record(funnels: dict[str, Funnel], report: dict[str, dict[str, object]], recorder: Recorder) -> None:
    """Logs the funnels, also to the recorder."""
    table = format_funnels(funnels)
    for line in table.split("\n"):
        logger.info("%s", line)
    recorder.log_metrics(dict(figures_of(report)))
    recorder.log_text(f"{table}\n\n{format_lengths(funnels)}\n", "tables/funnel.md")
