"""Makes the pictures of docs/pictures/ that show attention over frames, from models of your own, so that they can be renewed.

    python benchmarks/frame_pictures.py --lines models/served
    python benchmarks/frame_pictures.py --speech models/served --say "three one four" --tag speaker=theo

`--lines` is a bundle trained on the generated lines of printed dates (`s2s sample-corpus --pictures`, then `s2s configure --corpus
data/raw/lines && s2s retrain`): a line is drawn, read, and shown with where each character looked (attention_over_line.png).
`--speech` is a bundle that speaks (docs/synthesis.md): a text is said, and shown as a spectrogram with the alignment under it
(speech_alignment.png). No picture or recording of a corpus is shown.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from seq2seq_core.corpus.samples.sample_pictures import draw_line
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.decoding.speech.speech_predictor import SpeechPredictor
from seq2seq_core.evaluation.drawing.attention_pictures import plot_line_attention
from seq2seq_core.evaluation.speech.speech_plots import plot_speech

INTO = Path(__file__).resolve().parents[1] / "docs" / "pictures"
LINE = "Tuesday, 4 March 1986"


def show_line(bundle: Path, text: str, into: Path) -> str:
    """Draws the attention over a generated line; returns what the model reads.

    Args:
        bundle: a model of lines.
        text: is drawn.
        into: the PNG file.
    """
    predictor = Predictor.from_folder(bundle)
    config, reader, pixels = predictor.bundle.config, predictor.sources.reader, draw_line(text)[:, :, None]
    assert config.pictures is not None, "expected a model of pictures"
    assert reader is not None
    found = predictor.predict([pixels], keep_alignments=True)[0].hypotheses[0]
    assert found.alignment is not None
    seen_HWC = config.pictures.picture_of(np.asarray(reader.read(pixels), dtype=np.uint8))
    plot_line_attention(into, seen_HWC, found.alignment.target_pieces, found.alignment.weights_TS)
    return found.text


def show_speech(bundle: Path, text: str, tags: dict[str, str], into: Path) -> None:
    """Draws the spectrogram of a synthesis, and its alignment under it.

    Args:
        bundle: a model of speech.
        text: is said.
        tags: of the text.
        into: the PNG file.
    """
    predictor = Predictor.from_folder(bundle)
    assert isinstance(predictor, SpeechPredictor), "expected a model of speech"
    (speech,) = predictor.speak([text], [tags])
    assert speech.utterance is not None, "expected some text"
    labels, seconds = predictor.sources.names(speech.row), speech.front_end.frame_seconds
    plot_speech(into, speech.energies_TM, None, speech.utterance.attention_RS, labels, seconds)


def main() -> None:
    """Draws what is asked for."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=Path, help="a bundle of a model that reads lines")
    parser.add_argument("--line", default=LINE, help="what the line says (default: %(default)s)")
    parser.add_argument("--speech", type=Path, help="a bundle of a model that speaks")
    parser.add_argument("--say", default="three one four", help="what is said (default: %(default)s)")
    parser.add_argument("--tag", action="append", default=[], metavar="NAME=VALUE", help="a tag of what is said; may be repeated")
    parser.add_argument("--into", type=Path, default=INTO, help="the folder of the pictures (default: %(default)s)")
    options = parser.parse_args()
    if not (options.lines or options.speech):
        parser.error("expected --lines or --speech")
    options.into.mkdir(parents=True, exist_ok=True)
    if options.lines:
        print("read:", show_line(options.lines, options.line, options.into / "attention_over_line.png"))
    if options.speech:
        tags = dict(tag.split("=", 1) for tag in options.tag)
        show_speech(options.speech, options.say, tags, options.into / "speech_alignment.png")


if __name__ == "__main__":
    main()
