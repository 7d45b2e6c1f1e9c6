"""Decodes sources in turns, with the code that ``PYTHONPATH`` names; ``benchmarks/decoding.py`` starts one for each side.

    python decoder.py BUNDLE SOURCES THREADS

For each turn it reads a line of JSON from standard input, with ``options`` (of decoding) and ``batch_sentences``. It answers with a
line: the seconds that the turn took, by the clock and of the processor, the texts and their scores.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import torch

from seq2seq_core.decoding.predictor import Predictor


def main() -> None:
    """Takes turns until standard input ends."""
    torch.set_num_threads(int(sys.argv[3]))
    predictor = Predictor.from_folder(Path(sys.argv[1]))
    sources = Path(sys.argv[2]).read_text(encoding="utf-8").splitlines()
    for line in sys.stdin:
        asked = json.loads(line)
        options = predictor.options.override(**asked["options"])
        clock, processor = time.perf_counter(), time.process_time()
        predictions = predictor.predict(sources, options, asked["batch_sentences"])
        answer = {
            "clock_seconds": time.perf_counter() - clock,
            "processor_seconds": time.process_time() - processor,
            "texts": [prediction.hypotheses[0].text for prediction in predictions],
            "scores": [prediction.hypotheses[0].score for prediction in predictions],
        }
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
