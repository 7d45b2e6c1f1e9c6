"""``prepare``: clean, deduplicated pairs in splits without leakage, and a funnel that accounts for every row."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from seq2seq_core import atomic
from seq2seq_core.artifacts import AUDIO_FOLDER, SPLITS, Paths
from seq2seq_core.config.settings import Settings
from seq2seq_core.console import Progress, progress
from seq2seq_core.corpus.candidate_pairs import Candidate, make_candidates
from seq2seq_core.corpus.cleaning import cleaning_rules, text_rules
from seq2seq_core.corpus.deduplication import DEDUPLICATE, Deduplicator
from seq2seq_core.corpus.funnel import REAL_PAIRS, Funnel, all_taken_away, figures_of, format_funnels, format_lengths
from seq2seq_core.corpus.leakage.leakage_filter import LeakageFilter
from seq2seq_core.corpus.monolingual import open_monolingual
from seq2seq_core.corpus.pairs import SOURCE, TARGET, exchange_sides, format_pair
from seq2seq_core.corpus.reading import PROGRESS_ROWS, SplitReader
from seq2seq_core.corpus.recordings import Recordings, open_recordings
from seq2seq_core.corpus.sentence_preparation import SentencePreparation
from seq2seq_core.corpus.splitting import assign_split
from seq2seq_core.errors import UserError
from seq2seq_core.recorder import Recorder
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


class _Preparation:
    """One execution of the stage.

    Args:
        settings: the sections ``corpus`` and ``prepare``.
        readers: the readers of the corpus, by split.
        recordings: the recordings that the sources name; None where sources are texts.
        sentences: the preparation of monolingual sentences; receives the pairs of dev and test, which it must not contain.
        folder: the output folder of ``{split}.jsonl`` and ``audio``.
        bar: the progress bar, in megabytes read.
        distillation: what asks a teacher for targets of train's sources; None: there is no teacher.
    """

    def __init__(
        self,
        settings: Settings,
        readers: dict[str, SplitReader],
        recordings: Recordings | None,
        sentences: SentencePreparation,
        folder: Path,
        bar: Progress,
        distillation: Distillation | None = None,
    ) -> None:
        self.section, self.corpus = settings.prepare, settings.corpus
        self.readers, self.recordings, self.folder, self.bar = readers, recordings, folder, bar
        self.sentences, self.distillation = sentences, distillation
        self.rules = (cleaning_rules if recordings is None else text_rules)(self.section)
        self.leakage = LeakageFilter(self.section.leakage, self.section.leakage_similarity)
        self.carved_leakage = LeakageFilter("keep")
        self.funnels = {split: Funnel() for split in SPLITS}
        self._bytes_done = 0
        # Only a split without files is carved out of train; the fraction of a split with files has no effect.
        self.dev_fraction = 0.0 if readers["dev"].entries else self.section.dev_fraction
        self.test_fraction = 0.0 if readers["test"].entries else self.section.test_fraction

    def run(self) -> None:
        """Writes all splits. Dev and test come first: train must not contain their sources."""
        with ExitStack() as stack:
            files = {split: stack.enter_context(self._open(split)) for split in SPLITS}
            for split in ("dev", "test"):
                if self.readers[split].entries:
                    self._write_evaluation(split, files[split])
            self._write_train(files)

    def _open(self, split: str) -> IO[str]:
        return (self.folder / f"{split}.jsonl").open("w", encoding="utf-8", newline="\n")

    def _write_evaluation(self, split: str, file: IO[str]) -> None:
        """Writes dev or test from its own files, without dropping rows unless ``clean_evaluation_splits`` is set."""
        funnel = self.funnels[split]
        is_cleaned = self.section.clean_evaluation_splits
        repeated = Deduplicator(self.section.deduplicate if is_cleaned else "none")
        if is_cleaned:
            funnel.dropped = dict.fromkeys([*self.rules, DEDUPLICATE], 0)
        for candidate in self._read(split):
            rule = self._broken_rule(candidate, repeated) if is_cleaned else None
            if rule is not None:
                funnel.dropped[rule] += 1
                continue
            self.leakage.protect(candidate.identity, self._inputs(candidate), candidate.texts)
            self.sentences.protect(candidate.pair[SOURCE], candidate.pair[TARGET])
            self._write(split, file, candidate)

    def _write_train(self, files: dict[str, IO[str]]) -> None:
        """Writes train, and carves dev and test out of it where they have no files."""
        funnel = self.funnels["train"]
        funnel.dropped = dict.fromkeys([*self.rules, DEDUPLICATE, *self.leakage.rules], 0)
        if self.distillation is not None and self.distillation.settings.real_pairs < 1:
            funnel.dropped[REAL_PAIRS] = 0
        funnel.carved = {split: 0 for split in ("dev", "test") if not self.readers[split].entries}
        if funnel.carved and self.section.leakage == "similar":
            self._protect_carved()
        repeated = Deduplicator(self.section.deduplicate)
        for candidate in self._read("train"):
            rule, split = self._judge(candidate, repeated)
            if rule is None and split == "train":
                rule = self._leak(self.carved_leakage, candidate)
            if rule is not None:
                funnel.dropped[rule] += 1
                continue
            if split != "train":
                funnel.carved[split] += 1
                self.funnels[split].rows_in += 1
                self.sentences.protect(candidate.pair[SOURCE], candidate.pair[TARGET])
                self._write(split, files[split], candidate)
                continue
            if not self._write_taught(files[split], candidate):
                funnel.dropped[REAL_PAIRS] += 1
            if self.corpus.both_directions:
                self._write_exchanged(candidate.pair, files[split])

    def _protect_carved(self) -> None:
        """Reads train for the pairs that will be carved out of it: a pair of train before them may be similar to them."""
        self.carved_leakage = LeakageFilter(self.section.leakage, self.section.leakage_similarity)
        repeated = Deduplicator(self.section.deduplicate)
        for candidate in make_candidates(self.readers["train"], self.section, self.recordings):
            rule, split = self._judge(candidate, repeated)
            if rule is None and split != "train":
                self.carved_leakage.protect(candidate.identity, self._inputs(candidate), candidate.texts)

    def _judge(self, candidate: Candidate, repeated: Deduplicator) -> tuple[str | None, str]:
        """The rule that drops a pair of train's files, leakage of dev and test files included; and the split that it falls into."""
        rule = self._broken_rule(candidate, repeated) or self._leak(self.leakage, candidate)
        if rule is not None or not self.funnels["train"].carved:
            return rule, "train"
        return None, assign_split(self._split_key(candidate), self.dev_fraction, self.test_fraction, self.section.split_salt)

    def _leak(self, leakage: LeakageFilter, candidate: Candidate) -> str | None:
        """The name of the way in which a pair of train leaks dev or test; None: it does not."""
        return leakage.find(candidate.identity, self._inputs(candidate), candidate.texts)

    def _write_exchanged(self, pair: dict[str, str], file: IO[str]) -> None:
        """Writes a train pair in the other direction, unless its source leaks from dev or test."""
        exchanged = exchange_sides(pair)
        candidate = Candidate(exchanged, exchanged[SOURCE], None)
        if self._leak(self.leakage, candidate) is not None:
            return
        self.funnels["train"].exchanged += self._write_taught(file, candidate)

    def _write_taught(self, file: IO[str], candidate: Candidate) -> bool:
        """Asks the teacher, if there is one, for the target of a train pair's source; writes the pair unless it is left out."""
        if self.distillation is not None:
            self.distillation.ask(candidate.pair)
            if not self.distillation.keeps(candidate.identity):
                return False
        self._write("train", file, candidate)
        return True

    def _read(self, split: str) -> Iterator[Candidate]:
        """The split's pairs with normalised texts."""
        reader, funnel = self.readers[split], self.funnels[split]
        for candidate in make_candidates(reader, self.section, self.recordings):
            funnel.rows_in += 1
            if funnel.rows_in % PROGRESS_ROWS == 0:
                # Files are read in blocks: all bytes are read before the last rows come, but only the end may report the total.
                self.bar.update((self._bytes_done + reader.bytes_read - 1) / 1e6)
            yield candidate
        self._bytes_done += reader.total_bytes

    def _broken_rule(self, candidate: Candidate, repeated: Deduplicator) -> str | None:
        for name, drops in self.rules.items():
            if drops(*candidate.texts):
                return name
        target, inputs = candidate.pair[TARGET], self._inputs(candidate)
        return DEDUPLICATE if repeated.is_repeated(candidate.identity, target, inputs) else None

    def _inputs(self, candidate: Candidate) -> tuple[str, ...]:
        """The values of the model's input columns besides the source."""
        return tuple(candidate.pair.get(name, "") for name in self.corpus.input_columns)

    def _split_key(self, candidate: Candidate) -> str:
        """The key of a pair's split: its source, or its conversation's id, because sources of a conversation share turns."""
        conversations = self.corpus.conversations
        return candidate.identity if conversations is None else candidate.pair[conversations.id_column]

    def _write(self, split: str, file: IO[str], candidate: Candidate) -> None:
        pair = candidate.pair
        file.write(format_pair(pair))
        if self.recordings is None or candidate.recording is None:
            self.funnels[split].count_written(pair[SOURCE], pair[TARGET])
            return
        self.recordings.copy(pair[SOURCE], self.folder / AUDIO_FOLDER)
        self.funnels[split].count_recorded(candidate.recording.seconds, pair[TARGET])


def run_prepare(settings: Settings, paths: Paths, recorder: Recorder) -> PrepareResult:
    """Writes ``data/prepared`` and ``reports/prepare.json``.

    Args:
        settings: the sections ``corpus`` and ``prepare``.
        paths: the workspace; reads the raw corpus, writes ``data/prepared`` and ``reports/prepare.json``.
        recorder: receives the counts and the tables of funnels and lengths.

    Raises:
        CorpusError: a file is missing or cannot be read, or a recording cannot be used.
        UserError: a split is empty in the end; the message names the rule that dropped most rows. Or there is no such teacher.
        Interrupted: the process was asked to stop while the teacher decoded; what is decoded stays.
    """
    readers = {split: SplitReader(settings.corpus, paths.root, split) for split in SPLITS}
    sentences = SentencePreparation(settings.prepare, open_monolingual(settings.corpus, paths.root))
    num_bytes = sum(reader.total_bytes for reader in readers.values())
    total = (num_bytes + sum(reader.total_bytes for reader in sentences.readers)) / 1e6
    with _open_distillation(settings, paths) as distillation, atomic.new_folder(paths.prepared) as folder:
        with progress("prepare", total, "MB", settings.runtime.progress) as bar:
            recordings = open_recordings(settings.corpus, paths.root)
            preparation = _Preparation(settings, readers, recordings, sentences, folder, bar, distillation)
            preparation.run()
            # Monolingual sentences come last: they depend on dev and test, which may be carved out of train.
            sentences.write(folder, lambda done: bar.update((num_bytes + done) / 1e6))
            settings.prepare.normal_form.save(folder / paths.prepared_normal_form.name)
            bar.update(total)
        if distillation is not None:
            preparation.funnels |= distillation.add_pairs(folder, preparation.funnels["train"])
            recorder.set_tags(distillation.teacher.record.tags)
        for split in SPLITS:
            _check_not_empty(split, preparation.funnels[split], preparation)
    funnels = {**preparation.funnels, **sentences.funnels}
    # The teacher's pairs are part of train's file.
    written = {name: {"sha256": file_digest(paths.prepared / f"{name}.jsonl")} for name in (*SPLITS, *sentences.funnels)}
    report = {name: funnel.as_report() | written.get(name, {}) for name, funnel in funnels.items()}
    atomic.write_text(paths.prepare_report, json.dumps(report, ensure_ascii=False, indent=1) + "\n")
    _record(funnels, report, recorder)
    return PrepareResult(funnels)


@contextmanager
def _open_distillation(settings: Settings, paths: Paths) -> Iterator[Distillation | None]:
    """What asks a teacher; None: the settings name none. Its packages are imported only here, because few settings need them."""
    if settings.prepare.distill is None:
        yield None
        return
    from seq2seq_core.distillation.distillation import Distillation

    with closing(Distillation(settings.prepare.distill, settings, paths)) as distillation:
        yield distillation


def _check_not_empty(split: str, funnel: Funnel, preparation: _Preparation) -> None:
    """Checks that a split is not empty; the error explains where its rows went."""
    if funnel.rows_out or not (preparation.readers[split].entries or split in preparation.funnels["train"].carved):
        return
    train = preparation.funnels["train"]
    if split in train.carved:
        fraction = getattr(preparation.section, f"{split}_fraction")
        raise UserError(
            f"{split} is empty: prepare.{split}_fraction {fraction:g} of the {train.rows_out} pairs left of train gave none; "
            f"expected a larger fraction, or files in corpus.files.{split}"
        )
    losses = {f"prepare.{rule}": count for rule, count in funnel.dropped.items() if count}
    losses |= {f"prepare.{other}_fraction": count for other, count in funnel.carved.items() if count}
    if not losses:
        raise UserError(f"{split} is empty: the files of corpus.files.{split} have no rows; expected at least one")
    raise all_taken_away(split, funnel.rows_in, losses)


def _record(funnels: dict[str, Funnel], report: dict[str, dict[str, object]], recorder: Recorder) -> None:
    """Logs the funnels, also to the recorder."""
    table = format_funnels(funnels)
    for line in table.split("\n"):
        logger.info("%s", line)
    recorder.log_metrics(dict(figures_of(report)))
    recorder.log_text(f"{table}\n\n{format_lengths(funnels)}\n", "tables/funnel.md")
