"""A second model that restores the source of a sample: a sample from which it can be restored has said what the source says.

The reward is a metric between what the judge writes and the source (the reconstruction reward of He 2016, with a model that stays
as it is), and no reference is asked.
"""

from __future__ import annotations

from collections.abc import Sequence

from seq2seq_core.batching.batch import Source
from seq2seq_core.bundle.bundle import Bundle
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.errors import UserError
from seq2seq_core.tokenization.subword import SubwordModel

BATCH_SENTENCES = 128


class TextJudge:
    """Reads samples, and writes what their sources would be.

    Args:
        bundle: of a model from target texts to source texts.
        sources: turns source ids of the model that learns into text.
        setting: the setting that names it, for messages.

    Raises:
        UserError: it reads or writes something else than texts, or needs tags.
    """

    def __init__(self, bundle: Bundle, sources: SubwordModel, setting: str) -> None:
        if bundle.source_tokenizer is None or bundle.target_model is None:
            raise UserError(f"{setting}: must be a model from texts to texts, got one that reads or writes something else")
        if names := bundle.config.tags.all:
            raise UserError(f"{setting}: must be a model without tags, got one that needs {', '.join(names)}")
        self.predictor, self.sources = Predictor(bundle, uses_engine=False), sources

    def sources_of(self, source: Source) -> list[str]:
        """The texts of some sources.

        Args:
            source: ids of the model that learns.
        """
        return self.sources.decode(source.values.tolist())

    def restore(self, texts: Sequence[str]) -> list[str]:
        """The source that each text seems to come from, by greedy decoding.

        Args:
            texts: samples; equal ones are read once.
        """
        distinct = list(dict.fromkeys(texts))
        found = self.predictor.predict(distinct, DecodingOptions(beam_size=1), batch_sentences=BATCH_SENTENCES)
        restored = {text: one.text for text, one in zip(distinct, found, strict=True)}
        return [restored[text] for text in texts]
