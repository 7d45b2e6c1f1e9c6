"""Scores the pairs of train, and drops the doubtful ones. Scored blocks are kept, so that a killed run goes on where it was."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from seq2seq_core.artifacts import Paths
from seq2seq_core.code_digests.features import ANY_MODEL
from seq2seq_core.code_digests.reach import digest_reached_code
from seq2seq_core.config.prepare import ScoreFilter
from seq2seq_core.config.runtime import RuntimeSection
from seq2seq_core.config.settings import Settings
from seq2seq_core.console import progress
from seq2seq_core.corpus.formats import Row
from seq2seq_core.corpus.pairs import SOURCE, TARGET, count_lines, parse_pair
from seq2seq_core.corpus.preparation.funnel import Funnel
from seq2seq_core.corpus.preparation.row_samples import RowSamples
from seq2seq_core.recorder import Recorder
from seq2seq_core.reproducibility import digest
from seq2seq_core.score_filter.scorers import BACKWARD, FORWARD, FoundScorer, Scorer, Scores, combine, find_scorers
from seq2seq_core.tokenization.kept_arrays import KeptArrays
from seq2seq_core.tokenization.line_blocks import iterate_line_blocks

logger = logging.getLogger(__name__)

SCORE_FILTER = "score_filter"
"""The rule's name in the funnel."""
SHOWN = {"5 %": 0.05, "median": 0.5, "95 %": 0.95}
SCORED_LINES = 512
"""Lines that are scored at once: what a killed run does again at most."""
SCORING = "seq2seq_core.score_filter.scorers"
"""The module whose code, with all that it reaches, scores depend on."""


def filter_train(train: Path, settings: Settings, paths: Paths, funnel: Funnel, samples: RowSamples, recorder: Recorder) -> None:
    """Rewrites ``train.jsonl`` without the pairs that the two models doubt.

    Args:
        train: the prepared pairs of train.
        settings: ``prepare.score_filter``, and the section ``runtime``: device, threads, progress.
        paths: the workspace; scores are kept in ``.s2s/scored``.
        funnel: of train; receives the counts.
        samples: receives the dropped pairs.
        recorder: receives the models' names and the quantiles of the scores.

    Raises:
        UserError, BundleError, TrackingUnreachable: a model cannot be found, or does not fit the pairs.
    """
    section = settings.prepare.score_filter
    assert section is not None
    scorers = find_scorers(section, paths)
    for scorer in scorers:
        recorder.set_tags(scorer.tags)
    scores = _score(train, scorers, settings.runtime, KeptArrays(paths.scored_blocks))
    bound = _bound(scores, section)
    draft = train.with_name(".filtered.jsonl")
    dropped = 0
    with train.open("rb") as lines, draft.open("wb") as kept:
        for number, (line, score) in enumerate(zip(lines, scores, strict=True), start=1):
            if score >= bound:
                kept.write(line)
                continue
            pair = parse_pair(line, train, number)
            dropped += 1
            funnel.take_back(pair[SOURCE], pair[TARGET])
            samples.add_dropped("train", SCORE_FILTER, Row(pair[SOURCE], pair[TARGET], {}, "", 0))
    draft.replace(train)
    funnel.dropped[SCORE_FILTER] = dropped
    _tell(scores, bound, dropped, recorder)


def _score(train: Path, scorers: tuple[FoundScorer, FoundScorer], runtime: RuntimeSection, store: KeptArrays) -> Scores:
    """The score of each pair, of shape (N,)."""
    code = digest_reached_code([SCORING], frozenset({"score_filter", *ANY_MODEL}))
    loaded, key = dict[str, Scorer](), digest([code, *(scorer.found.digest for scorer in scorers)])
    if runtime.num_threads:
        torch.set_num_threads(runtime.num_threads)
    found, done, total = list[Scores](), 0, count_lines(train)
    with progress(SCORE_FILTER, total, "pairs", runtime.progress) as bar, train.open("rb") as file:
        for lines in _blocks(file):
            own_key = digest([key, *(line.decode() for line in lines)])
            arrays = store.find(own_key)
            if arrays is None:
                loaded = loaded or {scorer.direction: Scorer(scorer, runtime.device) for scorer in scorers}
                pairs = [parse_pair(line, train, number) for number, line in enumerate(lines, start=done + 1)]
                arrays = {direction: loaded[direction].cross_entropy(pairs) for direction in (FORWARD, BACKWARD)}
                store.add(own_key, arrays)
            found.append(combine(arrays[FORWARD], arrays[BACKWARD]))
            done += len(lines)
            bar.update(done)
    store.remove_unused()
    return np.concatenate(found) if found else np.empty(0, dtype=np.float32)


def _blocks(file: Iterator[bytes]) -> Iterator[list[bytes]]:
    """Lines in blocks that grow or shrink only where lines are added or removed."""
    for lines in iterate_line_blocks(file):
        for first in range(0, len(lines), SCORED_LINES):
            yield lines[first : first + SCORED_LINES]


def _bound(scores: Scores, section: ScoreFilter) -> float:
    """The least score of a pair that is kept; of few pairs at least one is."""
    wanted = max(1, round(section.keep_fraction * len(scores)))
    if wanted >= len(scores):
        return section.min_score
    return max(section.min_score, float(np.partition(scores, len(scores) - wanted)[len(scores) - wanted]))


def _tell(scores: Scores, bound: float, dropped: int, recorder: Recorder) -> None:
    if not len(scores):
        return
    quantiles = {name: float(np.quantile(scores, share)) for name, share in SHOWN.items()}
    listed = ", ".join(f"{name} {value:.3f}" for name, value in quantiles.items())
    logger.info("score_filter: scores %s; %d pairs below %.3f are dropped", listed, dropped, bound)
    recorder.log_metrics({f"train.score_filter.{name.replace(' %', '_percent')}": value for name, value in quantiles.items()})
