"""A predictor of speech: texts in, sound out; where a text is asked for, the sound as WAV in base64.

Shapes: N samples, T frames, R steps, S source length, M mel bands.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seq2seq_core.audio.sound_file import write_wav
from seq2seq_core.audio.speech.speech_front_end import SpeechFrontEnd
from seq2seq_core.audio.speech.vocoder import Vocoder
from seq2seq_core.batching.batch import collate_sources
from seq2seq_core.batching.length_batches import BatchBounds, batches_by_length
from seq2seq_core.bundle.bundle import Bundle
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.decoding.argument_types import AskedAnswers, check_types
from seq2seq_core.decoding.engines.engine import Engine
from seq2seq_core.decoding.engines.torch_engine import TorchEngine
from seq2seq_core.decoding.phrases.wanted_phrases import Phrases
from seq2seq_core.decoding.prediction import Alignment, Prediction, TextHypothesis
from seq2seq_core.decoding.predictor import MAX_BATCH_TOKENS, Predictor
from seq2seq_core.decoding.source_encoder import SourceEncoder, SourceItem
from seq2seq_core.decoding.speech.frame_loop import Utterance, write_utterances
from seq2seq_core.decoding.speech.speech_options import check_speech_options
from seq2seq_core.decoding.stopping import Stop
from seq2seq_core.decoding.target_scores import TargetScore
from seq2seq_core.errors import UserError
from seq2seq_core.modeling.speech_model import SpeechModel
from seq2seq_core.tokenization.encode import SourceRow

LONGER_THAN_TRAIN = 1.25
"""Most frames of an utterance, relative to the longest target of train."""


@dataclass(frozen=True)
class Speech:
    """The speech of a source.

    Attributes:
        utterance: what the model wrote; None for a source without text, which is silent.
        front_end: says what the frames mean.
        vocoder: makes the sound.
        row: the ids of the source, tags and end mark included.
    """

    utterance: Utterance | None
    front_end: SpeechFrontEnd
    vocoder: Vocoder
    row: SourceRow = ()

    @cached_property
    def energies_TM(self) -> NDArray[np.float32]:
        """The log-mel energies; of a silent source one frame of silence."""
        if self.utterance is None:
            return np.full((1, self.front_end.num_mels), np.log(self.front_end.settings.log_floor), dtype=np.float32)
        floor = float(np.log(self.front_end.settings.log_floor))
        return np.maximum(self.front_end.denormalize(self.utterance.frames_TM), np.float32(floor))

    @cached_property
    def samples_N(self) -> NDArray[np.float32]:
        """The sound, from -1 to 1."""
        if self.utterance is None:
            return np.zeros(self.front_end.log_mel.hop_samples, dtype=np.float32)
        return self.vocoder.sound(self.energies_TM, self.front_end.log_mel)

    def wav(self) -> bytes:
        """The sound as a WAV file."""
        stream = io.BytesIO()
        write_wav(stream, self.samples_N, self.front_end.sample_rate)
        return stream.getvalue()


class SpeechPredictor(Predictor):
    """Turns texts into speech with the model of a bundle.

    Of the options of a search none has a meaning here, and none is read.

    Args:
        bundle: a loaded bundle with a model of speech.

    Attributes:
        vocoder: makes sound of frames.
        max_frames: most frames of an utterance.
    """

    def __init__(self, bundle: Bundle) -> None:
        assert bundle.config.speech is not None, "the caller asks"
        assert bundle.vocoder is not None, "a model of speech has one"
        assert isinstance(bundle.model, SpeechModel)
        self.bundle, self.model, self.front_end = bundle, bundle.model, bundle.config.speech
        self.vocoder = bundle.vocoder
        self.max_frames = int(self.front_end.max_frames * LONGER_THAN_TRAIN) + self.model.frames.frames_per_step
        self.source_tags = bundle.source_tags
        self.options = bundle.decoding or DecodingOptions()
        self.reference = self.engine = TorchEngine(bundle.model, bundle.device)
        self.sources = SourceEncoder(bundle, Path())

    def speak(
        self,
        sources: Sequence[str],
        tags: Sequence[Mapping[str, str]] | None = None,
        batch_sentences: int = 64,
        stop: Stop | None = None,
    ) -> list[Speech]:
        """The speech of each source, in order; one without text is silent.

        Args:
            sources: texts.
            tags: for each source, its columns by name; None: no column.
            batch_sentences: most sources decoded together.
            stop: whether to end now; None: never.

        Raises:
            TypeError, UserError: a source is no text.
            TagError: a source's tag is missing or unknown.
            DecodingStopped: ``stop`` said so.
        """
        check_types(sources, None)
        rows, _ = self._encode(sources, self.options, tags)
        speech = [Speech(None, self.front_end, self.vocoder) for _ in sources]
        bounds = BatchBounds(batch_sentences, MAX_BATCH_TOKENS)
        for places in batches_by_length([len(row) for row in rows], bounds):
            source = collate_sources([rows[place] for place in places]).to(self.bundle.device)
            written = write_utterances(self.model, source, self.max_frames, stop)
            for place, one in zip(places, written, strict=True):
                speech[place] = Speech(one, self.front_end, self.vocoder, rows[place])
        return speech

    def _predict(self, sources: Sequence[SourceItem], call: AskedAnswers) -> list[Prediction]:
        """The answer to each source as a text, see :meth:`answer`.

        Raises:
            UserError: prefixes, phrases or options of a search are asked for, which speech cannot have; and see :meth:`speak`.
        """
        check_speech_options(call.options, self.options)
        asked = [call.phrases] if isinstance(call.phrases, Phrases) else call.phrases or []
        if any(call.prefixes or ()) or not all(one is None or one.is_empty for one in asked):
            raise UserError("a model of speech has no words of a target: expected neither prefixes nor phrases, got some")
        texts = [source for source in sources if isinstance(source, str)]
        if len(texts) < len(sources):
            raise UserError("the model reads texts, got a source of another type")
        speech = self.speak(texts, call.tags, call.batch_sentences, call.stop)
        answers = self.answer(speech, call.tags or [{}] * len(speech))
        return [
            Prediction(
                (
                    TextHypothesis(
                        text=text,
                        score=0.0,
                        log_probability=0.0,
                        alignment=self._align(one) if call.keep_alignments else None,
                        is_cut=one.utterance is not None and one.utterance.is_cut,
                        num_tokens=0 if one.utterance is None else len(one.utterance.frames_TM),
                        num_source_tokens=len(one.row),
                    ),
                )
            )
            for one, text in zip(speech, answers, strict=True)
        ]

    def answer(self, speech: Sequence[Speech], tags: Sequence[Mapping[str, str]]) -> list[str]:
        """The answer to each source as a text: its sound, a WAV file in base64.

        Args:
            speech: of the sources.
            tags: the columns of each.
        """
        return [base64.b64encode(one.wav()).decode("ascii") for one in speech]

    def engine_for(self, options: DecodingOptions, keep_attention: bool = False, has_phrases: bool = False) -> Engine:
        """What decodes: PyTorch, at float32."""
        return self.engine

    def score(
        self,
        sources: Sequence[SourceItem],
        targets: Sequence[str],
        batch_sentences: int = 64,
        max_source_tokens: int | None = None,
        tags: Sequence[Mapping[str, str]] | None = None,
    ) -> list[TargetScore]:
        """Refused: frames have no probabilities.

        Raises:
            UserError: always.
        """
        raise UserError("a model of speech gives no text a probability: expected a model that writes text")

    def attention(
        self, source: SourceItem, options: DecodingOptions | None = None, tags: Mapping[str, str] | None = None
    ) -> Alignment | None:
        """The alignment of a source's speech; see the base class."""
        return self.predict([source], options, keep_alignments=True, tags=[tags or {}])[0].hypotheses[0].alignment

    def _align(self, speech: Speech) -> Alignment | None:
        """The attention between the pieces of the source and the steps, each named by its start in seconds."""
        if speech.utterance is None:
            return None
        seconds = self.front_end.frame_seconds * self.model.frames.frames_per_step
        weights_RS = speech.utterance.attention_RS
        return Alignment(
            self.sources.names(speech.row), [f"{number * seconds:.2f}" for number in range(len(weights_RS))], weights_RS
        )
