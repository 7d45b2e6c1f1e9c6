"""A recogniser that listens to a model of speech while it learns: what it does not understand becomes a loss, with a gradient.

The model of speech writes frames as in decoding, each step seeing the last frame that it wrote itself, and a recogniser whose
weights stay as they are reads them (the listener's feedback of a speech chain, Tjandra 2018).

Shapes: B batch, S source length, T frames, M mel bands, L symbols of a text with its end, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from seq2seq_core.audio.speech.heard_frames import hear, why_not_heard
from seq2seq_core.audio.speech.speech_front_end import SpeechFrontEnd
from seq2seq_core.batching.batch import Source, collate_pairs, padding_mask
from seq2seq_core.bundle.bundle import Bundle
from seq2seq_core.errors import UserError
from seq2seq_core.modeling.speech_model import SpeechModel
from seq2seq_core.tokenization.special_tokens import EOS_ID
from seq2seq_core.tokenization.subword import SubwordModel


@dataclass(frozen=True)
class Verdict:
    """What a judge makes of a batch.

    Attributes:
        losses_B: nats per symbol of each text; with a gradient for the frames.
        right: symbols that were the likeliest, given those before them.
        symbols: of all texts, ends included.
    """

    losses_B: Tensor
    right: int
    symbols: int


class FrameJudge:
    """Reads written frames.

    Args:
        bundle: of a recogniser; its weights never get a gradient.
        written: the front end of the model of speech.
        sources: turns ids of a source into the text that is said.
        weight: of its loss, beside that of the frames.
        setting: the setting that names the recogniser, for messages.

    Raises:
        UserError: the model reads no recordings, is an ensemble, needs tags, or its recordings have other spectra.
    """

    def __init__(self, bundle: Bundle, written: SpeechFrontEnd, sources: SubwordModel, weight: float, setting: str) -> None:
        heard = bundle.config.audio
        if reason := _why_not(bundle, written):
            raise UserError(f"{setting}: must be a recogniser that can read what this model writes, got one of which {reason}")
        assert heard is not None
        self.model, self.targets = bundle.only_model.requires_grad_(False), bundle.target_tokenizer
        self.written, self.heard, self.sources, self.weight = written, heard, sources, weight

    def listen(self, model: SpeechModel, source: Source, lengths_B: Tensor) -> Verdict:
        """Lets a model speak, and reads what it says.

        Args:
            model: on the recogniser's device.
            source: the texts.
            lengths_B: frames to write for each, those of the real recordings; int64.
        """
        spoken = model.speak(source, lengths_B)
        frames_BSF, lengths_heard_B = hear(spoken.after_BTM, lengths_B, self.written, self.heard)
        texts = self.sources.decode(source.values.tolist())
        rows = [[*ids, EOS_ID] for ids in self.targets.encode(texts)]
        read = collate_pairs(rows, rows, list(range(len(rows)))).to(lengths_B.device)
        # cuDNN's recurrent layers give no gradient in evaluation mode.
        with torch.backends.cudnn.flags(enabled=False):
            logits_BLV = self.model(Source(frames_BSF, lengths_heard_B), read.target_in_BT).float()
        is_valid_BL = ~padding_mask(read.target_lengths_B, logits_BLV.shape[1])
        losses_BL = functional.cross_entropy(logits_BLV.transpose(1, 2), read.target_out_BT, reduction="none")
        right = (logits_BLV.argmax(dim=2) == read.target_out_BT) & is_valid_BL
        losses_B = (losses_BL * is_valid_BL).sum(dim=1) / read.target_lengths_B
        return Verdict(losses_B, int(right.sum()), int(is_valid_BL.sum()))


def _why_not(bundle: Bundle, written: SpeechFrontEnd) -> str:
    """What keeps a model from being the judge; empty: nothing."""
    if bundle.config.audio is None or bundle.target_model is None:
        return "the sources are no recordings, or the targets no texts"
    if bundle.config.members > 1:
        return "there are several members (an ensemble)"
    if bundle.config.tags.all:
        return f"the tags {', '.join(bundle.config.tags.all)} would be needed"
    return why_not_heard(written, bundle.config.audio)
