"""CTranslate2: Transformers on a CPU, by converted weights.

The engine makes up for what its search does otherwise, so that texts and scores are those of the reference:

- It divides by another length penalty. So it is asked for log-probabilities, and ranks nothing.
- Without a penalty it ends a sentence once ``beam_size`` hypotheses are finished and one of them was the likeliest of its step.
  Ours also goes on while a live hypothesis scores above the finished ones. That is rare, and the one difference that remains:
  docs/adr/0025-engines.md has its measured rate.
- It has one length limit for a batch, ours is one for each sentence, at which hypotheses are made to end. A greedy path is cut
  there, and scored once more. A beam that reaches it is searched again up to it, so that all hypotheses are known.
- It may have gone on where ours would have stopped. :mod:`~seq2seq_core.decoding.engines.found_hypotheses` tells where it matters.
- It returns the likeliest that ended, and a longer one may win by our length penalty. Where it may, the steps of the search are
  gone through once more, so that all hypotheses are known.
- It takes a forced prefix as certain, and behind it lets only the likeliest hypothesis end.
- It may predict pad and bos, and its positions end somewhere.

Sentences for which the result is not certain are decoded by the reference, with the bundle's own weights; so is what
:meth:`CTranslate2Engine.why_not` names.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from typing import Any

import torch

from seq2seq_core.batching.length_batches import BatchBounds, parallel_batches
from seq2seq_core.bundle.bundle import EngineFile
from seq2seq_core.bundle.config_file import BundleConfig
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.decoding.constraints import EVEN_CHANCE, make_constraints
from seq2seq_core.decoding.engines import ctranslate2_conversion as conversion
from seq2seq_core.decoding.engines.ctranslate2_limits import num_positions, why_not_decode
from seq2seq_core.decoding.engines.engine import Engine
from seq2seq_core.decoding.engines.found_hypotheses import (
    Ended,
    Sentence,
    Winner,
    batches_to_see,
    choose,
    choose_at_limit,
    choose_of_all,
)
from seq2seq_core.decoding.engines.parallel_run import run_in_parallel
from seq2seq_core.decoding.hypothesis import Hypothesis, length_penalty
from seq2seq_core.decoding.phrases.phrase_rules import RowsOfPhrases
from seq2seq_core.decoding.stopping import Stop, check_stop
from seq2seq_core.errors import BundleError, NonFiniteOutput, first_line
from seq2seq_core.tokenization.encode import SourceRow
from seq2seq_core.tokenization.special_tokens import BOS_ID, PAD_ID

logger = logging.getLogger(__name__)

FIRST_BOUND, GROWTH = 256, 4
"""Most target ids of a first search. Sentences that need more are searched again with more, so that none holds up the others."""

HARDLY = math.log(0.01)
"""Log-probability of what a trained model hardly predicts, label smoothing included."""

NO_PENALTY = 1e-30
"""A length penalty that changes no score, and makes CTranslate2 wait for as many hypotheses as its ``patience`` asks for."""

FEWEST_HYPOTHESES = 8
"""Hypotheses that a batch has on average at least if it was cut to keep all cores busy."""


class CTranslate2Engine:
    """Decodes with a Transformer's converted weights.

    Args:
        file: the converted weights.
        config: the configuration of the model.
        reference: decodes what CTranslate2 would decode otherwise.

    Raises:
        BundleError: the file was exchanged, or cannot be read.
        UserError: the package is missing.
    """

    name = "ctranslate2"

    def __init__(self, file: EngineFile, config: BundleConfig, reference: Engine) -> None:
        package = conversion.load_package()
        self.reference, self.vocabulary_size = reference, config.target_vocabulary_size
        self.max_positions = num_positions(config.model)
        files = conversion.model_files(file.read(), conversion.numbered(config))
        self.num_parallel = torch.get_num_threads()
        threads = {"inter_threads": self.num_parallel, "intra_threads": 1}
        try:
            self.translator = package.Translator(str(file.path), "cpu", files=files, **threads)
        except (RuntimeError, ValueError) as error:
            raise BundleError(f"{file.path}: cannot be read by CTranslate2 ({first_line(error)})") from None
        self.compute_type = str(self.translator.compute_type)
        self.label = f"{self.name} {package.__version__} cpu"

    def why_not(self, options: DecodingOptions, keep_attention: bool = False, has_phrases: bool = False) -> str | None:
        """See :class:`~seq2seq_core.decoding.engines.engine.Engine`."""
        return why_not_decode(options, self.vocabulary_size, keep_attention, has_phrases)

    def decode(
        self,
        rows: Sequence[SourceRow],
        options: DecodingOptions,
        bounds: BatchBounds,
        keep_attention: bool = False,
        prefixes: Sequence[Sequence[int]] | None = None,
        stop: Stop | None = None,
        phrases: RowsOfPhrases | None = None,
    ) -> list[list[Hypothesis]]:
        """See :class:`~seq2seq_core.decoding.engines.engine.Engine`.

        ``stop`` is asked before each search, and in greedy decoding at each symbol; a beam search goes on to its end.
        """
        reason = self.why_not(options, keep_attention, phrases is not None and any(phrases))
        assert reason is None, reason
        constraints = make_constraints(options, [len(row) for row in rows], prefixes)
        starts = constraints.prefixes or ((),) * len(rows)
        sentences = [
            Sentence(place, tuple(map(int, row)), tuple(start), limit)
            for place, (row, start, limit) in enumerate(zip(rows, starts, constraints.limits, strict=True))
        ]
        found: dict[int, list[Hypothesis]] = {}
        for winners, cut in run_in_parallel(
            lambda batch: self._decode_batch(batch, options, stop), self._batches(sentences, options, bounds), self.num_parallel
        ):
            found |= cut | {winner.sentence.place: [winner.best] for winner in winners}
        if others := [place for place in range(len(rows)) if place not in found]:
            logger.debug("PyTorch decodes %d of %d sentences, which CTranslate2 would decode otherwise", len(others), len(rows))
            own = None if prefixes is None else [prefixes[place] for place in others]
            try:
                again = self.reference.decode([rows[place] for place in others], options, bounds, prefixes=own, stop=stop)
            except NonFiniteOutput as error:
                raise NonFiniteOutput(others[error.place]) from None
            found |= dict(zip(others, again, strict=True))
        return [found[place] for place in range(len(rows))]

    def _batches(self, sentences: Sequence[Sentence], options: DecodingOptions, bounds: BatchBounds) -> list[list[Sentence]]:
        """Batches of sentences that all have a prefix, or none: a prefix anywhere in a batch changes how the others may end."""
        batches = []
        for has_prefix in (False, True):
            group = [one for one in sentences if bool(one.prefix) == has_prefix and self._holds(len(one.ids))]
            lengths = [len(one.ids) for one in group]
            cut = parallel_batches(lengths, bounds, self.num_parallel, -(-FEWEST_HYPOTHESES // options.beam_size))
            batches += [[group[place] for place in places] for places in cut]
        return batches

    def _decode_batch(
        self, batch: Sequence[Sentence], options: DecodingOptions, stop: Stop | None
    ) -> tuple[list[Winner], dict[int, list[Hypothesis]]]:
        """The best hypotheses of the sentences of a batch, without those in doubt, and those that are cut, by place."""
        waiting, bound, winners = list(batch), FIRST_BOUND, list[Winner]()
        found, at_limit = dict[int, list[Hypothesis]](), list[Sentence]()
        while waiting:
            check_stop(stop)
            bound = min(bound, max(one.limit for one in waiting) + 1, self.max_positions or bound)
            ended = self._search(waiting, options, bound, stop)
            is_over = [all(hypothesis.has_end for hypothesis in hypotheses) for hypotheses in ended]
            before = self._before(waiting)
            for one, hypotheses, has_ended, chances in zip(waiting, ended, is_over, before, strict=True):
                if has_ended and (winner := choose(one, hypotheses, options, *chances)) is not None:
                    winners.append(winner)
                elif any(len(hypothesis.ids) >= one.limit for hypothesis in hypotheses):
                    at_limit.append(one)
            if options.beam_size == 1:
                found |= self._cut([(one, path.ids) for one, (path,) in zip(waiting, ended, strict=True)], options)
            waiting = [
                one
                for one, has_ended in zip(waiting, is_over, strict=True)
                if not has_ended and one.limit >= bound and self._holds(bound + 1)
            ]
            bound *= GROWTH
        if options.beam_size > 1:
            winners += self._search_to_limit(self._without_unusual_ids(at_limit), options, stop)
        settled, refused = self._confirm([winner for winner in winners if not winner.is_open], options)
        refused += [winner for winner in winners if winner.is_open]
        settled += self._confirm(self._search_in_full(refused, options, stop), options)[0]
        return settled, found

    def _search_in_full(self, winners: Sequence[Winner], options: DecodingOptions, stop: Stop | None) -> list[Winner]:
        """The best hypotheses of sentences whose first search does not tell them, by searches that go on whatever has ended."""
        chosen = []
        for num_steps, sentences in batches_to_see(winners, self.max_positions):
            check_stop(stop)
            ended = self._search(sentences, options, num_steps, None, to_the_end=True)
            chosen += [
                choose_of_all(one, hypotheses, num_steps, options, *chances)
                for one, hypotheses, chances in zip(sentences, ended, self._before(sentences), strict=True)
            ]
        return [winner for winner in chosen if winner is not None]

    def _search_to_limit(self, sentences: Sequence[Sentence], options: DecodingOptions, stop: Stop | None) -> list[Winner]:
        """The best hypotheses of sentences whose beams reach their limit, by searches that go on to it, whatever has ended.

        Nothing stops such a search, so limits above the first bound are left to the reference.
        """
        by_limit: dict[int, list[Sentence]] = {}
        for one in sentences:
            if len(one.prefix) < one.limit <= FIRST_BOUND and self._holds(one.limit + 1):
                by_limit.setdefault(one.limit, []).append(one)
        winners = []
        for limit, group in by_limit.items():
            check_stop(stop)
            ended = self._search(group, options, limit, None, to_the_end=True)
            live = [[one for one in hypotheses if not one.has_end] for hypotheses in ended]
            paths = [(one, path.ids) for one, own in zip(group, live, strict=True) for path in own]
            ends = iter([log_probabilities[-1] for log_probabilities in self._score(paths)])
            for one, hypotheses, own, chances in zip(group, ended, live, self._before(group), strict=True):
                winners.append(choose_at_limit(one, hypotheses, options, *chances, [next(ends) for _ in own]))
        return [winner for winner in winners if winner is not None]

    def _without_unusual_ids(self, sentences: Sequence[Sentence]) -> list[Sentence]:
        """The sentences that pad and bos hardly begin: else these, which the reference never predicts, displace live hypotheses."""
        firsts = [self._score([(one, (id_,)) for one in sentences]) for id_ in (PAD_ID, BOS_ID)]
        return [one for one, *own in zip(sentences, *firsts, strict=True) if max(first[0] for first in own) < HARDLY]

    def _confirm(self, winners: Sequence[Winner], options: DecodingOptions) -> tuple[list[Winner], list[Winner]]:
        """The winners that the reference finds for certain, and those of which a search that is seen in full may tell."""
        confirmed = [winner for winner in winners if not winner.is_in_doubt]
        in_doubt = [winner for winner in winners if winner.is_in_doubt]
        usual = {one.place for one in self._without_unusual_ids([winner.sentence for winner in in_doubt])}
        in_doubt = [winner for winner in in_doubt if winner.sentence.place in usual]
        log_probabilities = self._score([(winner.sentence, winner.best.ids) for winner in in_doubt])
        refused = list[Winner]()
        for winner, own in zip(in_doubt, log_probabilities, strict=True):
            is_found = winner.is_found_by_reference(own[:-1], options)
            (confirmed if is_found else refused).append(winner)
        return confirmed, [winner for winner in refused if winner.num_steps]

    def _holds(self, length: int) -> bool:
        """Whether the converted model has positions for a sequence of a length."""
        return self.max_positions is None or length <= self.max_positions

    def _search(
        self, sentences: Sequence[Sentence], options: DecodingOptions, bound: int, stop: Stop | None, to_the_end: bool = False
    ) -> list[list[Ended]]:
        """The likeliest ``beam_size`` hypotheses that a search of at most ``bound`` ids, prefix included, finds for each sentence.

        ``to_the_end``: it goes on to the bound whatever has ended, and gives all that have ended.
        """
        beam_size = options.beam_size
        ending: dict[str, Any] = {"num_hypotheses": beam_size, "length_penalty": 0.0}
        if to_the_end:
            ending = {"num_hypotheses": beam_size * bound, "length_penalty": NO_PENALTY, "patience": bound}
        extra = {"callback": lambda _: stop()} if stop is not None and beam_size == 1 else {}
        results = self.translator.translate_batch(
            [[str(id_) for id_ in one.ids] for one in sentences],
            [[str(id_) for id_ in one.prefix] for one in sentences] if sentences[0].prefix else None,
            beam_size=beam_size,
            max_input_length=0,
            max_decoding_length=bound,
            min_decoding_length=0,
            return_scores=True,
            return_end_token=True,
            **ending,
            **extra,
        )
        if extra:
            check_stop(stop)
        return [
            [Ended.read(tokens, score) for tokens, score in zip(result.hypotheses, result.scores, strict=True)]
            for result in results
        ]

    def _before(self, sentences: Sequence[Sentence]) -> list[tuple[float, float]]:
        """The log-probability of each sentence's prefix, and that of eos behind it; 0 where there is none."""
        if not sentences or not sentences[0].prefix:
            return [(0.0, 0.0)] * len(sentences)
        return [(sum(own[:-1]), own[-1]) for own in self._score([(one, one.prefix) for one in sentences])]

    def _cut(self, paths: Sequence[tuple[Sentence, tuple[int, ...]]], options: DecodingOptions) -> dict[int, list[Hypothesis]]:
        """The hypotheses of sentences whose greedy path reaches their length limit: the path up to it, then eos."""
        cut = [
            (one, ids[: one.limit])
            for one, ids in paths
            if len(ids) >= one.limit and self._holds(one.limit + 1) and not {PAD_ID, BOS_ID}.intersection(ids[: one.limit])
        ]
        found = {}
        for (one, ids), log_probabilities in zip(cut, self._score(cut), strict=True):
            total = sum(log_probabilities)
            score = total / length_penalty(len(ids) + 1, options.length_penalty)
            found[one.place] = [Hypothesis(ids, score, total, is_cut=log_probabilities[-1] < EVEN_CHANCE)]
        return found

    def _score(self, targets: Sequence[tuple[Sentence, tuple[int, ...]]]) -> list[list[float]]:
        """The log-probabilities of each target's ids, and of eos behind them."""
        if not targets:
            return []
        results = self.translator.score_batch(
            [[str(id_) for id_ in one.ids] for one, _ in targets],
            [[str(id_) for id_ in ids] for _, ids in targets],
            max_input_length=0,
        )
        return [list(result.log_probs) for result in results]
