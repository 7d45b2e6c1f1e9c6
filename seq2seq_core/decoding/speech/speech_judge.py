"""A predictor of speech that answers with what a recogniser hears in it, or without one with its distortion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seq2seq_core.audio.sound_file import RecordingError, read_recording
from seq2seq_core.audio.speech.speech_front_end import SpeechReader
from seq2seq_core.bundle.bundle import Bundle
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.corpus.pairs import RECORDING
from seq2seq_core.decoding.engines.engine import Engine
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.decoding.speech.speech_facts import SpeechFacts, measure_speech
from seq2seq_core.decoding.speech.speech_predictor import Speech, SpeechPredictor
from seq2seq_core.errors import UserError


@dataclass(frozen=True)
class Recogniser:
    """A recogniser that reads synthesised words back.

    Attributes:
        predictor: of recordings to texts.
        digest: of its bundle.
    """

    predictor: Predictor
    digest: str

    @property
    def sample_rate(self) -> int:
        """Samples a second of the recordings that it reads.

        Raises:
            UserError: it reads something else.
        """
        audio = self.predictor.bundle.config.audio
        if audio is None:
            raise UserError("evaluate.speech.read_back: must be a model that reads recordings, got one that does not")
        return audio.sample_rate

    def read(self, samples: Sequence[NDArray[np.float32]], sample_rate: int, batch_sentences: int = 64) -> list[str]:
        """The words in some recordings.

        Args:
            samples: samples_N of each.
            sample_rate: their rate.
            batch_sentences: most recordings decoded together.

        Raises:
            UserError: their rate is another one, and soxr is not installed.
        """
        if sample_rate != self.sample_rate:
            from seq2seq_core.audio.speech.speech_samples import resampled

            samples = [resampled(one, sample_rate, self.sample_rate) for one in samples]
        found = self.predictor.predict(list(samples), batch_sentences=batch_sentences)
        return [one.text for one in found]


class SpeechJudge(SpeechPredictor):
    """Speaks, and answers with what is heard.

    Args:
        bundle: a loaded bundle with a model of speech.
        recordings: the folder of the real recordings.
        recogniser: reads words back; None: an answer is the distortion in decibels, as a number.

    Attributes:
        facts: of the rows answered so far, by the name of the real recording.
    """

    def __init__(self, bundle: Bundle, recordings: Path, recogniser: Recogniser | None) -> None:
        super().__init__(bundle)
        self.reader, self.recogniser = SpeechReader(self.front_end, recordings), recogniser
        self.facts: dict[str, SpeechFacts] = {}

    @property
    def asked_columns(self) -> tuple[str, ...]:
        """The tags, and the real recording: equal texts of a speaker are one speech, and are compared with a recording each."""
        return (*super().asked_columns, RECORDING)

    def answer(self, speech: Sequence[Speech], tags: Sequence[Mapping[str, str]]) -> list[str]:
        """What is heard in each: words, or without a recogniser the distortion.

        Args:
            speech: of the sources.
            tags: the columns of each; ``recording`` names its real recording.
        """
        found = [self._measure(one, columns) for one, columns in zip(speech, tags, strict=True)]
        if self.recogniser is None:
            return ["" if one is None else f"{one.distortion:.4f}" for one in found]
        return self.recogniser.read([one.samples_N for one in speech], self.front_end.sample_rate)

    def read_real(self, names: Sequence[str]) -> list[str]:
        """The words that the recogniser hears in real recordings.

        Args:
            names: of the files.

        Raises:
            UserError: a file cannot be used.
        """
        assert self.recogniser is not None, "asked for only where there is one"
        samples = []
        for name in names:
            try:
                samples.append(read_recording(self.reader.folder / name, self.front_end.sample_rate).samples_N)
            except RecordingError as error:
                raise UserError(f"{self.reader.folder / name}: {error}") from None
        return self.recogniser.read(samples, self.front_end.sample_rate)

    def engine_for(self, options: DecodingOptions, keep_attention: bool = False, has_phrases: bool = False) -> Engine:
        """What decodes; its label names the recogniser too, because the answers depend on it."""
        return JudgedEngine(self.reference, "" if self.recogniser is None else self.recogniser.digest, self.vocoder.label)

    def _measure(self, speech: Speech, columns: Mapping[str, str]) -> SpeechFacts | None:
        """The facts of a row that has a real recording."""
        name = columns.get(RECORDING)
        if name is None:
            return None
        self.facts[name] = measure_speech(speech, self.reader.energies(name))
        return self.facts[name]


class JudgedEngine:
    """An engine under the name of what its answers depend on besides.

    Args:
        engine: decodes.
        recogniser: digest of the bundle that reads back; empty: nobody does.
        vocoder: label of what makes sound of frames.
    """

    def __init__(self, engine: Engine, recogniser: str, vocoder: str) -> None:
        self.engine, self.name, self.compute_type = engine, engine.name, engine.compute_type
        heard = f"read back by {recogniser}" if recogniser else "measured"
        self.label = f"{engine.label}, {vocoder}, {heard}"
        self.why_not, self.decode = engine.why_not, engine.decode
