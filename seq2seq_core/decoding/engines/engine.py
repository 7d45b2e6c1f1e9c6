"""The protocol of engines, which turn encoded sources into hypotheses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from seq2seq_core.batching.length_batches import BatchBounds
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.decoding.hypothesis import Hypothesis
from seq2seq_core.decoding.phrases.phrase_rules import RowsOfPhrases
from seq2seq_core.decoding.stopping import Stop
from seq2seq_core.tokenization.encode import SourceRow


class Engine(Protocol):
    """Decodes with one model. Every engine means the same by the options, and by a hypothesis's scores and cut."""

    @property
    def name(self) -> str:
        """The engine's name in the settings."""

    @property
    def label(self) -> str:
        """The engine with its version and the kind of its device, as records of decoded texts name it."""

    @property
    def compute_type(self) -> str:
        """The type of its numbers, such as ``float32``."""

    def why_not(self, options: DecodingOptions, keep_attention: bool = False, has_phrases: bool = False) -> str | None:
        """Why the engine cannot decode so; None: it can.

        Args:
            options: the decoding options.
            keep_attention: whether hypotheses must carry their attention.
            has_phrases: whether phrases are forced or forbidden.
        """

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
        """The hypotheses of each source: best first by beam search, or in the order drawn.

        Args:
            rows: encoded sources, ids with their end mark or frames; none of them empty.
            options: the decoding options; :meth:`why_not` has nothing against them.
            bounds: of the batches that the rows are decoded in.
            keep_attention: whether hypotheses carry their attention.
            prefixes: for each source, the ids that its hypotheses must begin with.
            stop: whether to end now; None: never.
            phrases: for each source, the phrases that its hypotheses must and must not contain; None: none.

        Raises:
            DecodingStopped: ``stop`` said so.
        """
