"""Round-trip scores: how well monolingual sentences survive translation and back. They need no parallel pairs.

The criterion of Lample 2018, section 3.2, with chrF instead of BLEU.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from seq2seq_core.batching.batch import collate_sources
from seq2seq_core.batching.dataset import TokenizedDataset
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.config.train import Phase
from seq2seq_core.decoding.greedy import decode
from seq2seq_core.evaluation.scores import score
from seq2seq_core.modeling.ensemble import AnyModel
from seq2seq_core.tokenization.special_tokens import EOS_ID
from seq2seq_core.training.hardware.precision import Placement
from seq2seq_core.training.objectives.monolingual_corpora import MonolingualCorpora, num_held_out

METRIC = "chrf"
DECODED_TOGETHER = 64
"""Sentences decoded in one batch."""


class RoundTrips:
    """Translates sentences of each language into each other one and back.

    Args:
        corpora: tags and vocabulary.
        sentences: the sentences to translate, by language.
        placement: device and precision.
    """

    def __init__(self, corpora: MonolingualCorpora, sentences: Mapping[str, TokenizedDataset], placement: Placement) -> None:
        self.corpora, self.placement = corpora, placement
        self.rows = {
            language: [dataset.target(index)[:-1].tolist() for index in range(len(dataset))]
            for language, dataset in sentences.items()
        }

    def score(self, model: AnyModel, between_batches: Callable[[], None]) -> dict[str, float]:
        """The score of each round trip, by the name of its curve: ``round_trip_chrf_en_de`` is English to German and back.

        Args:
            model: in evaluation mode, on the placement's device.
            between_batches: called before each batch; may raise to abort.
        """
        scores = {}
        for language, pivot in self.corpora.directions:
            rows = self.rows[language]
            if not rows:
                continue
            there = self._translate(model, rows, language, pivot, between_batches)
            back = self._translate(model, there, pivot, language, between_batches)
            texts, references = self.corpora.tokenizer.decode(back), self.corpora.tokenizer.decode(rows)
            scores[f"round_trip_{METRIC}_{language}_{pivot}"] = score(texts, references, [METRIC])[METRIC]
        return scores

    def _translate(
        self, model: AnyModel, rows: Sequence[list[int]], source: str, target: str, between_batches: Callable[[], None]
    ) -> list[list[int]]:
        """Greedy translations, in the order of the rows; decoded by rising length."""
        prefix = self.corpora.prefix(source, target)
        order = np.argsort([len(row) for row in rows], kind="stable").tolist()
        translations: list[list[int]] = [[] for _ in rows]
        for first in range(0, len(order), DECODED_TOGETHER):
            between_batches()
            places = order[first : first + DECODED_TOGETHER]
            batch = collate_sources([[*prefix, *rows[place], EOS_ID] for place in places]).to(self.placement.device)
            with self.placement.autocast():
                hypotheses = decode(model, batch, DecodingOptions(beam_size=1))
            for place, (best, *_) in zip(places, hypotheses, strict=True):
                translations[place] = list(best.ids)
        return translations


def open_round_trips(corpora: MonolingualCorpora, phase: Phase, placement: Placement) -> RoundTrips | None:
    """The scorer of round trips in a phase; None if the phase has none.

    Args:
        corpora: the monolingual corpora.
        phase: gives the objective and ``back_translation.round_trip_sentences``.
        placement: device and precision.

    Raises:
        UserError: no sentences would be left to learn from.
    """
    if phase.objective != "back_translation" or not phase.back_translation.round_trip_sentences:
        return None
    sentences = {language: dataset.select(slice(num_held_out(dataset, phase))) for language, dataset in corpora.sentences.items()}
    return RoundTrips(corpora, sentences, placement)
