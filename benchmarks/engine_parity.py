"""Texts and scores of CTranslate2 beside the reference's, at several sizes of a batch and mixed by the batcher; and int8's quality.

    python benchmarks/engine_parity.py --bundle models/bundle --pairs test.tsv --tokenizer none
    python benchmarks/engine_parity.py --bundle models/bundle --pairs test.tsv --beams 1 5 --batches 1 7 64 --rows 1000

``--bundle`` is a trained Transformer, ``--pairs`` has a source and its reference a line, with a tab between. PyTorch at float32
decodes for comparison. At float32 each answer with another text is listed with its gap: the score of PyTorch's answer less that of
the engine's. At int8 BLEU is compared, with the 95 % interval of a paired bootstrap.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from seq2seq_core.bundle.bundle import load_bundle  # noqa: E402
from seq2seq_core.bundle.config_file import StoredEngine  # noqa: E402
from seq2seq_core.bundle.served_bundle import export_bundle  # noqa: E402
from seq2seq_core.config.decoding_options import DecodingOptions  # noqa: E402
from seq2seq_core.config.metric_names import BleuTokenizer  # noqa: E402
from seq2seq_core.config.serving.request_limits import RequestLimits  # noqa: E402
from seq2seq_core.decoding.engines.engine_choice import convert_bundle  # noqa: E402
from seq2seq_core.decoding.prediction import Prediction  # noqa: E402
from seq2seq_core.decoding.predictor import Predictor  # noqa: E402
from seq2seq_core.evaluation.metric import ScoringOptions  # noqa: E402
from seq2seq_core.gate.bootstrap import paired_intervals  # noqa: E402
from seq2seq_core.gate.scored_rows import score_rows  # noqa: E402
from seq2seq_core.serving.batching.batcher import Batcher  # noqa: E402
from seq2seq_core.serving.batching.predictor_decoder import PredictorDecoder  # noqa: E402
from seq2seq_core.serving.batching.ticket import Mode, Row  # noqa: E402

CLIENTS, MOST_ROWS, RESAMPLES, SEED = 8, 9, 2000, 1


def exported(trained: Path, folder: Path, compute_type: str, options: DecodingOptions) -> Predictor:
    """The predictor of a trained bundle by CTranslate2."""
    engine = StoredEngine.model_validate({"name": "ctranslate2", "compute_type": compute_type})
    export_bundle(trained, folder / compute_type, options, convert_bundle(load_bundle(trained), engine))
    return Predictor.from_folder(folder / compute_type)


def mixed(predictor: Predictor, sources: Sequence[str], options: DecodingOptions) -> list[Prediction]:
    """The predictions of requests of 1 to 9 rows by several clients, of which every second asks for another beam at times.

    The rows of these other requests are decoded between the rest, and not returned.
    """
    batcher = Batcher([PredictorDecoder(predictor)], RequestLimits())
    found: dict[int, Prediction] = {}
    others = options.override(beam_size=3 if options.beam_size != 3 else 2)

    def ask(client: int) -> None:
        chance, places = random.Random(client), list(range(client, len(sources), CLIENTS))
        while places:
            own, places = places[: (number := chance.randint(1, MOST_ROWS))], places[number:]
            rows = [Row(sources[place], {}, len(sources[place].split())) for place in own]
            if client % 2 and chance.random() < 0.2:
                batcher.submit(rows, Mode(others)).result()
            found.update(zip(own, batcher.submit(rows, Mode(options)).result(), strict=True))

    clients = [threading.Thread(target=ask, args=(number,)) for number in range(CLIENTS)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    batcher.close()
    return [found[place] for place in range(len(sources))]


def compare(name: str, found: Sequence[Prediction], expected: Sequence[Prediction]) -> None:
    """Prints how many texts differ, each with its gap, and the largest difference of the scores of equal texts."""
    pairs = list(zip(found, expected, strict=True))
    other = [place for place, (mine, theirs) in enumerate(pairs) if mine.text != theirs.text]
    largest = max((abs(mine.score - theirs.score) for mine, theirs in pairs if mine.text == theirs.text), default=0.0)
    print(f"{name}: {len(other)} of {len(pairs)} texts differ; scores of equal texts by at most {largest:.1e}", flush=True)
    for place in other:
        mine, theirs = pairs[place]
        print(f"  row {place + 1}: gap {theirs.score - mine.score:+.1e}: {mine.text!r}, not {theirs.text!r}", flush=True)


def main() -> None:
    """Measures, and prints a line a comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, required=True, help="a trained bundle (models/bundle)")
    parser.add_argument("--pairs", type=Path, required=True, help="a source and its reference a line, parted by a tab")
    parser.add_argument("--rows", type=int, default=0, help="only the first rows; 0: all")
    parser.add_argument("--beams", type=int, nargs="+", default=[1, 5])
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 7, 64])
    parser.add_argument("--tokenizer", default="13a", choices=get_args(BleuTokenizer), help="sacreBLEU's tokeniser")
    asked = parser.parse_args()
    pairs = [line.split("\t")[:2] for line in asked.pairs.read_text(encoding="utf-8").splitlines() if line.strip()]
    sources, targets = ([pair[side] for pair in pairs[: asked.rows or None]] for side in (0, 1))
    reference = Predictor.from_folder(asked.bundle)
    with tempfile.TemporaryDirectory() as folder:
        engines = {kind: exported(asked.bundle, Path(folder), kind, reference.options) for kind in ("float32", "int8")}
        for beam_size in asked.beams:
            options = reference.options.override(beam_size=beam_size)
            expected = reference.predict(sources, options)
            for size in asked.batches:
                found = engines["float32"].predict(sources, options, size)
                compare(f"float32, beam {beam_size}, batches of {size}", found, expected)
            found = mixed(engines["float32"], sources, options)
            compare(f"float32, beam {beam_size}, mixed by the batcher", found, expected)
            fewer_bits = engines["int8"].predict(sources, options)
            scoring = ScoringOptions(bleu_tokenizer=asked.tokenizer)
            rows = [score_rows("bleu", [one.text for one in side], targets, scoring) for side in (expected, fewer_bits)]
            gain = paired_intervals(*rows, RESAMPLES, SEED).gain
            same = sum(mine.text == theirs.text for mine, theirs in zip(fewer_bits, expected, strict=True))
            print(
                f"int8, beam {beam_size}: BLEU {rows[1].score:.2f}, float32 {rows[0].score:.2f}: {gain.value:+.2f} "
                f"({gain.low:+.2f} to {gain.high:+.2f}); {same} of {len(sources)} texts are equal",
                flush=True,
            )


if __name__ == "__main__":
    main()
