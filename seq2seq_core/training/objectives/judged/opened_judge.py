"""The judge that a phase names, loaded, with what turns what the model reads into text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from seq2seq_core.audio.speech.speech_front_end import SpeechFrontEnd
from seq2seq_core.bundle.bundle import Bundle
from seq2seq_core.config.named.judge import Judge
from seq2seq_core.tokenization.subword import SubwordModel

if TYPE_CHECKING:
    from seq2seq_core.training.objectives.judged.frame_judge import FrameJudge
    from seq2seq_core.training.objectives.judged.text_judge import TextJudge


@dataclass(frozen=True)
class OpenedJudge:
    """A judge. Only the kind that is asked for is imported, so that a change of the other cannot affect a phase.

    Attributes:
        bundle: its model, on the device of the training.
        sources: turns source ids of the model that learns into text.
        written: the front end of the model that learns; None where it writes texts.
        section: names it, with the weight of its loss.
    """

    bundle: Bundle
    sources: SubwordModel
    written: SpeechFrontEnd | None
    section: Judge

    @property
    def setting(self) -> str:
        """The setting that names it, for messages."""
        return f"train.phases: judge.reader {self.section.reader}"

    def of_texts(self) -> TextJudge:
        """Restores the sources of texts.

        Raises:
            UserError: it reads or writes something else than texts, or needs tags.
        """
        from seq2seq_core.training.objectives.judged.text_judge import TextJudge

        return TextJudge(self.bundle, self.sources, self.setting)

    def of_frames(self) -> FrameJudge:
        """Listens to a model of speech.

        Raises:
            UserError: it is no recogniser, or cannot read what the model writes.
        """
        from seq2seq_core.training.objectives.judged.frame_judge import FrameJudge

        assert self.written is not None, "the settings see to it: the objective frames writes frames"
        return FrameJudge(self.bundle, self.written, self.sources, self.section.weight, self.setting)
