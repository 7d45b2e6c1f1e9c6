"""What ``evaluate`` tells of synthesised speech: figures of each row, their means, and examples to look at and to listen to."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from seq2seq_core.corpus.pairs import RECORDING, SOURCE, TARGET
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.decoding.speech.speech_facts import SpeechFacts
from seq2seq_core.decoding.speech.speech_judge import SpeechJudge
from seq2seq_core.evaluation.metric import ScoringOptions
from seq2seq_core.evaluation.scores import score
from seq2seq_core.recorder import Recorder

SPEECH_FILE = "speech.jsonl"


@dataclass(frozen=True)
class SpeechReport:
    """The facts of the test set's speech.

    Attributes:
        judge: spoke.
        pairs: the rows.
        facts: of each row.
        real_texts: what the recogniser heard in the real recordings; empty: there is no recogniser.
        means: figures of the whole set, by name.
    """

    judge: SpeechJudge
    pairs: Sequence[Mapping[str, str]]
    facts: Sequence[SpeechFacts]
    real_texts: Sequence[str]
    means: Mapping[str, float]

    def write(self, folder: Path) -> None:
        """Writes ``speech.jsonl``, a JSON object for each row.

        Args:
            folder: of the evaluation.
        """
        with (folder / SPEECH_FILE).open("w", encoding="utf-8", newline="\n") as file:
            for place, (pair, one) in enumerate(zip(self.pairs, self.facts, strict=True)):
                heard = {"read_back_real": self.real_texts[place]} if self.real_texts else {}
                row = {"source": pair[SOURCE], "recording": pair[RECORDING], **one.to_dict(), **heard}
                file.write(json.dumps(row, ensure_ascii=False) + "\n")

    def record(self, recorder: Recorder, examples: int) -> None:
        """Logs the figures, and the sound, the spectrogram and the alignment of some rows.

        Args:
            recorder: receives them.
            examples: number of rows, evenly spread over the test set.
        """
        recorder.log_metrics({f"speech_{name}": value for name, value in self.means.items()})
        if not recorder.keeps_files or not examples:
            return
        from seq2seq_core.evaluation.drawing import plots
        from seq2seq_core.evaluation.speech.speech_plots import plot_speech

        step = max(1, len(self.pairs) // examples)
        chosen = list(self.pairs)[::step][:examples]
        with tempfile.TemporaryDirectory() as name:
            speech = self.judge.speak([pair[SOURCE] for pair in chosen], chosen)
            for number, (pair, one) in enumerate(zip(chosen, speech, strict=True), start=1):
                (Path(name) / f"speech_{number}.wav").write_bytes(one.wav())
                if plots.can_plot() and one.utterance is not None:
                    real_TM = self.judge.reader.energies(pair[RECORDING])
                    labels = self.judge.sources.names(one.row)
                    path, seconds = Path(name) / f"speech_{number}.png", one.front_end.frame_seconds
                    plot_speech(path, one.energies_TM, real_TM, one.utterance.attention_RS, labels, seconds)
            for path in sorted(Path(name).iterdir()):
                recorder.log_file(path, "speech")
            recorder.flush()  # before the temporary files are removed


def report_speech(
    predictor: Predictor, pairs: Sequence[Mapping[str, str]], metrics: Sequence[str], options: ScoringOptions
) -> SpeechReport:
    """The report of a test set whose rows a judge has answered.

    Args:
        predictor: a judge, with the facts of the rows.
        pairs: the rows.
        metrics: of words that are read back, also of the real recordings.
        options: of the metrics.
    """
    assert isinstance(predictor, SpeechJudge)
    facts = [predictor.facts[pair[RECORDING]] for pair in pairs]
    number = len(facts)
    means = {
        "mel_distortion": sum(one.distortion for one in facts) / number,
        "length_ratio": sum(one.length_ratio for one in facts) / number,
        "monotonic_steps": sum(one.path.monotonic_share for one in facts) / number,
        "monotonic_rows": sum(one.path.is_monotonic for one in facts) / number,
        "attention_focus": sum(one.path.focus for one in facts) / number,
        "repeated_steps": sum(one.path.repeated for one in facts) / number,
        "skipped_places": sum(one.path.skipped for one in facts) / number,
    }
    real_texts: list[str] = []
    if predictor.recogniser is not None:
        real_texts = predictor.read_real([pair[RECORDING] for pair in pairs])
        found = score(real_texts, [pair[TARGET] for pair in pairs], metrics, options)
        means |= {f"real_{name}": value for name, value in found.items()}
    return SpeechReport(predictor, pairs, facts, real_texts, {name: round(value, 6) for name, value in means.items()})
