"""The hypotheses of a search as texts, with alignment and confidence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from seq2seq_core.bundle.bundle import Bundle
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.decoding.confidence.answer_features import state_confidence
from seq2seq_core.decoding.hypothesis import Hypothesis
from seq2seq_core.decoding.minimum_bayes_risk import rank_by_expected_utility
from seq2seq_core.decoding.prediction import Alignment, TextHypothesis
from seq2seq_core.decoding.source_encoder import SourceEncoder
from seq2seq_core.tokenization.encode import SourceRow
from seq2seq_core.tokenization.special_tokens import EOS_ID, SPECIAL_NAMES


class HypothesisTexts:
    """Turns the hypotheses of a sentence into texts.

    Args:
        bundle: has the subwords of targets and the calibrator.
        sources: names the steps of a source.
    """

    def __init__(self, bundle: Bundle, sources: SourceEncoder) -> None:
        self.tokenizer, self.calibrator, self.sources = bundle.target_tokenizer, bundle.calibrator, sources

    def read(
        self,
        source_row: SourceRow,
        hypotheses: Sequence[Hypothesis],
        options: DecodingOptions,
        num_tags: int,
        source_is_cut: bool,
    ) -> Iterator[TextHypothesis]:
        """The hypotheses that the options select, as texts without tags.

        Args:
            source_row: the source as the model read it.
            hypotheses: what the search found.
            options: the decoding options.
            num_tags: tags that each hypothesis begins with.
            source_is_cut: whether the model read a part of the source only.
        """
        texts = self.tokenizer.decode([hypothesis.ids[num_tags:] for hypothesis in hypotheses])
        ranked = [(place, one.score) for place, one in enumerate(hypotheses)]
        if options.selection == "mbr":
            ranked = [(one.place, one.expected_utility) for one in rank_by_expected_utility(texts)]
        for place, score in ranked[: options.num_hypotheses]:
            one = hypotheses[place]
            found = TextHypothesis(
                text=texts[place],
                score=score,
                log_probability=one.log_probability,
                alignment=self._align(source_row, one, num_tags),
                is_cut=one.is_cut,
                num_tokens=len(one.ids) + 1,
                num_source_tokens=len(source_row),
                source_is_cut=source_is_cut,
            )
            yield state_confidence(found, self.calibrator) if place == 0 and options.method == "beam" else found

    def _align(self, source_row: SourceRow, hypothesis: Hypothesis, num_tags: int) -> Alignment | None:
        if hypothesis.attention_TS is None:
            return None
        return Alignment(
            self.sources.names(source_row),
            [*self.tokenizer.pieces(hypothesis.ids[num_tags:]), SPECIAL_NAMES[EOS_ID]],
            hypothesis.attention_TS.numpy()[num_tags:],
        )
