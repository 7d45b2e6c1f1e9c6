"""Hypotheses as lines of output, and the warnings of those that were cut or withheld."""

from __future__ import annotations

import json
import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from seq2seq_core.config.decoding_options import DecodingOptions
    from seq2seq_core.decoding.prediction import Prediction, TextHypothesis

logger = logging.getLogger(__name__)

LINE_END = re.compile("\r\n?|\n")


class LineFormat(NamedTuple):
    """The output format of a hypothesis: its text, its score, a TAB and its text, or a JSON object with text, score and cut.

    The object also has the line of its source and, where the model states a confidence, that and whether the text is withheld;
    where a lexicon is asked, whether the text is its answer.
    """

    has_score: bool = False
    is_json: bool = False
    has_confidence: bool = False
    has_lexicon: bool = False

    def format(self, hypothesis: TextHypothesis, line: int) -> str:
        """The line of a hypothesis, its end included; a line end in its text becomes a space, except in JSON.

        Args:
            hypothesis: the hypothesis.
            line: of its source, from 1.
        """
        if self.is_json:
            found: dict[str, Any] = {"line": line, "prediction": hypothesis.text, "score": hypothesis.score}
            found |= {"is_cut": hypothesis.is_cut, "source_is_cut": hypothesis.source_is_cut}
            if self.has_confidence:
                found |= {"confidence": hypothesis.confidence, "abstained": hypothesis.abstained}
            if self.has_lexicon:
                found["from_lexicon"] = hypothesis.from_lexicon
            return json.dumps(found, ensure_ascii=False) + "\n"
        text = LINE_END.sub(" ", hypothesis.text)
        return f"{hypothesis.score:.4f}\t{text}\n" if self.has_score else f"{text}\n"


@dataclass
class CutHypotheses:
    """Counts the hypotheses that were cut at their length limit."""

    written: int = 0
    cut: int = 0
    first_line: int = 0

    def add(self, hypothesis: TextHypothesis, line: int) -> None:
        """Counts a hypothesis for the source in this line."""
        self.written += 1
        self.cut += hypothesis.is_cut
        if hypothesis.is_cut and not self.first_line:
            self.first_line = line

    def warn(self, options: DecodingOptions) -> None:
        """Warns of cut hypotheses, if there are any, and names the option that gives more room."""
        if self.cut:
            name = options.limiting_option
            logger.warning(
                "%d of %d hypotheses were cut at their length limit, the first of line %d; a larger --%s (now %g) gives more room",
                self.cut, self.written, self.first_line, name.replace("_", "-"), getattr(options, name),
            )  # fmt: skip


@dataclass
class WithheldAnswers:
    """Counts the answers that were withheld for want of confidence."""

    answers: int = 0
    withheld: int = 0
    first_line: int = 0

    def add(self, prediction: Prediction, line: int) -> None:
        """Counts the answer to the source in this line."""
        self.answers += 1
        self.withheld += prediction.abstained
        if prediction.abstained and not self.first_line:
            self.first_line = line

    def warn(self, options: DecodingOptions) -> None:
        """Warns of withheld answers, if there are any."""
        if self.withheld:
            logger.warning(
                "%d of %d answers are withheld (empty), the first of line %d: their confidence is below --min-confidence %g",
                self.withheld, self.answers, self.first_line, options.min_confidence,
            )  # fmt: skip
