"""CTranslate2: Transformers on a CPU, by converted weights.

The engine makes up for what its search does otherwise, so that texts and scores are those of the reference:

- It divides by another length penalty. So it is asked for log-probabilities, and ranks nothing.
- Without a penalty it ends a sentence once ``beam_size`` hypotheses are finished and one of them was the likeliest of its step.
  Ours also goes on while a live hypothesis scores above the finished ones. That is rare, and the one difference that remains:
  docs/adr/0025-engines.md has its measured rate.
- It has one length limit for a batch, ours is one for each sentence, at which hypotheses are made to end. A greedy path is cut
  there, and scored once more.
- It takes a forced prefix as certain, and behind it lets only the likeliest hypothesis end.
- It may predict pad and bos, and its positions end somewhere.

Sentences for which that does not suffice are decoded by the reference, with the bundle's own weights; so is what
:meth:`CTranslate2Engine.why_not` names.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import NamedTuple

import torch

from seq2seq_core.batching.length_batches import BatchBounds, parallel_batches
from seq2seq_core.bundle.bundle import EngineFile
from seq2seq_core.bundle.config_file import BundleConfig
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.decoding.constraints import EVEN_CHANCE, make_constraints
from seq2seq_core.decoding.engines import ctranslate2_conversion as conversion
from seq2seq_core.decoding.engines.ctranslate2_limits import num_positions, why_not_decode
from seq2seq_core.decoding.engines.engine import Engine
from seq2seq_core.decoding.engines.parallel_run import run_in_parallel
from seq2seq_core.decoding.hypothesis import Hypothesis, length_penalty
from seq2seq_core.decoding.phrases.phrase_rules import RowsOfPhrases
from seq2seq_core.decoding.stopping import Stop, check_stop
from seq2seq_core.errors import BundleError, NonFiniteOutput, first_line
from seq2seq_core.tokenization.encode import SourceRow
from seq2seq_core.tokenization.special_tokens import BOS_ID, EOS_ID, PAD_ID

logger = logging.getLogger(__name__)

FIRST_BOUND, GROWTH = 256, 4
"""Most target ids of a first search. Sentences that need more are searched again with more, so that none holds up the others."""

FEWEST_HYPOTHESES = 8
"""Hypotheses that a batch has on average at least if it was cut to keep all cores busy."""


class _Sentence(NamedTuple):
    """A sentence to decode.

    Attributes:
        place: its position among the rows.
        ids: the source.
        prefix: the ids that its hypotheses begin with.
        limit: most ids of a hypothesis.
    """

    place: int
    ids: tuple[int, ...]
    prefix: tuple[int, ...]
    limit: int


class _Ended(NamedTuple):
    """A hypothesis that CTranslate2 found.

    Attributes:
        ids: the target, prefix included, without eos.
        log_probability: of what follows the prefix, eos included.
        has_end: whether it ends by eos, not by the bound of the search.
    """

    ids: tuple[int, ...]
    log_probability: float
    has_end: bool


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
            _Sentence(place, tuple(map(int, row)), tuple(start), limit)
            for place, (row, start, limit) in enumerate(zip(rows, starts, constraints.limits, strict=True))
        ]
        found: dict[int, list[Hypothesis]] = {}
        for part in run_in_parallel(
            lambda batch: self._decode_batch(batch, options, stop), self._batches(sentences, options, bounds), self.num_parallel
        ):
            found |= part
        if others := [place for place in range(len(rows)) if place not in found]:
            logger.debug("PyTorch decodes %d of %d sentences, which CTranslate2 would decode otherwise", len(others), len(rows))
            own = None if prefixes is None else [prefixes[place] for place in others]
            try:
                again = self.reference.decode([rows[place] for place in others], options, bounds, prefixes=own, stop=stop)
            except NonFiniteOutput as error:
                raise NonFiniteOutput(others[error.place]) from None
            found |= dict(zip(others, again, strict=True))
        return [found[place] for place in range(len(rows))]

    def _batches(self, sentences: Sequence[_Sentence], options: DecodingOptions, bounds: BatchBounds) -> list[list[_Sentence]]:
        """Batches of sentences that all have a prefix, or none: a prefix anywhere in a batch changes how the others may end."""
        batches = []
        for has_prefix in (False, True):
            group = [one for one in sentences if bool(one.prefix) == has_prefix and self._holds(len(one.ids))]
            lengths = [len(one.ids) for one in group]
            cut = parallel_batches(lengths, bounds, self.num_parallel, -(-FEWEST_HYPOTHESES // options.beam_size))
            batches += [[group[place] for place in places] for places in cut]
        return batches

    def _decode_batch(self, batch: Sequence[_Sentence], options: DecodingOptions, stop: Stop | None) -> dict[int, list[Hypothesis]]:
        """The hypotheses of the sentences of a batch, without those in doubt."""
        waiting, bound, found = list(batch), FIRST_BOUND, dict[int, list[Hypothesis]]()
        while waiting:
            check_stop(stop)
            bound = min(bound, max(one.limit for one in waiting) + 1, self.max_positions or bound)
            ended = self._search(waiting, options, bound, stop)
            before = self._score([(one, one.prefix) for one in waiting]) if waiting[0].prefix else [(0.0, 0.0)] * len(waiting)
            for one, hypotheses, (prefix, end) in zip(waiting, ended, before, strict=True):
                if all(hypothesis.has_end for hypothesis in hypotheses):
                    found |= _choose(one, hypotheses, options, prefix, end)
            if options.beam_size == 1:
                found |= self._cut([(one, path.ids) for one, (path,) in zip(waiting, ended, strict=True)], options)
            waiting = [
                one
                for one, hypotheses in zip(waiting, ended, strict=True)
                if not all(hypothesis.has_end for hypothesis in hypotheses) and one.limit >= bound and self._holds(bound + 1)
            ]
            bound *= GROWTH
        return found

    def _holds(self, length: int) -> bool:
        """Whether the converted model has positions for a sequence of a length."""
        return self.max_positions is None or length <= self.max_positions

    def _search(
        self, sentences: Sequence[_Sentence], options: DecodingOptions, bound: int, stop: Stop | None
    ) -> list[list[_Ended]]:
        """All hypotheses that a search of at most ``bound`` ids, eos and prefix included, finishes for each sentence."""
        beam_size = options.beam_size
        extra = {"callback": lambda _: stop()} if stop is not None and beam_size == 1 else {}
        results = self.translator.translate_batch(
            [[str(id_) for id_ in one.ids] for one in sentences],
            [[str(id_) for id_ in one.prefix] for one in sentences] if sentences[0].prefix else None,
            beam_size=beam_size,
            num_hypotheses=beam_size,
            length_penalty=0.0,
            max_input_length=0,
            max_decoding_length=bound,
            min_decoding_length=0,
            return_scores=True,
            return_end_token=True,
            **extra,
        )
        if extra:
            check_stop(stop)
        return [
            [_read(tokens, score) for tokens, score in zip(result.hypotheses, result.scores, strict=True)] for result in results
        ]

    def _cut(self, paths: Sequence[tuple[_Sentence, tuple[int, ...]]], options: DecodingOptions) -> dict[int, list[Hypothesis]]:
        """The hypotheses of sentences whose greedy path reaches their length limit: the path up to it, then eos."""
        cut = [
            (one, ids[: one.limit])
            for one, ids in paths
            if len(ids) >= one.limit and self._holds(one.limit + 1) and not {PAD_ID, BOS_ID}.intersection(ids[: one.limit])
        ]
        found = {}
        for (one, ids), (log_probability, end) in zip(cut, self._score(cut), strict=True):
            total = log_probability + end
            score = total / length_penalty(len(ids) + 1, options.length_penalty)
            found[one.place] = [Hypothesis(ids, score, total, is_cut=end < EVEN_CHANCE)]
        return found

    def _score(self, targets: Sequence[tuple[_Sentence, tuple[int, ...]]]) -> list[tuple[float, float]]:
        """The log-probability of a target of each sentence, and that of eos behind it."""
        if not targets:
            return []
        results = self.translator.score_batch(
            [[str(id_) for id_ in one.ids] for one, _ in targets],
            [[str(id_) for id_ in ids] for _, ids in targets],
            max_input_length=0,
        )
        return [(sum(result.log_probs[:-1]), result.log_probs[-1]) for result in results]


def _read(tokens: Sequence[str], score: float) -> _Ended:
    ids = tuple(map(int, tokens))
    has_end = bool(ids) and ids[-1] == EOS_ID
    return _Ended(ids[:-1] if has_end else ids, score, has_end)


def _choose(
    sentence: _Sentence, hypotheses: Sequence[_Ended], options: DecodingOptions, prefix: float, end: float
) -> dict[int, list[Hypothesis]]:
    """The best hypothesis of a sentence, by its place; nothing if the reference might find another one.

    Args:
        sentence: the sentence.
        hypotheses: all that ended.
        options: the decoding options.
        prefix: log-probability of the prefix.
        end: log-probability of eos behind the prefix, where CTranslate2 may have passed it over.
    """
    if any(len(one.ids) >= sentence.limit or {PAD_ID, BOS_ID}.intersection(one.ids) for one in hypotheses):
        return {}

    def rank(length: int, log_probability: float) -> float:
        return log_probability / length_penalty(length + 1, options.length_penalty)

    scored = [(rank(len(one.ids), total := prefix + one.log_probability), total, one.ids) for one in hypotheses]
    score, total, ids = max(scored, key=lambda item: item[0])
    num_before = sum(len(one.ids) < len(ids) for one in hypotheses)
    if sentence.prefix and all(one.ids != sentence.prefix for one in hypotheses):  # it may have been passed over
        if rank(len(sentence.prefix), prefix + end) >= score:
            return {}
        num_before += 1
    if len(hypotheses) > 1 and num_before >= options.beam_size - 1:
        return {}  # the reference may have had enough hypotheses before
    return {sentence.place: [Hypothesis(ids, score, total)]}
