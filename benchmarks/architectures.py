"""Every combination of encoder, decoder, attention, time scaling and time reduction learns to copy and to reverse unseen words.

    python benchmarks/architectures.py                        all 384, some three seconds of one core each
    python benchmarks/architectures.py --only transformer gru those whose encoder and decoder are these
    python benchmarks/architectures.py --attention none       those with this attention; a Transformer decoder's is "own"

Prints a line a combination, and at the end those that fell short. The tests learn a selection in which each two parts meet.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from seq2seq_core.artifacts import Paths
from tests.learning import test_architectures as matrix
from tests.learning.words import make_corpus


def combinations(only: list[str] | None, only_attention: str | None) -> list[matrix.Combination]:
    """All combinations, or only those of one encoder and decoder, or of one attention."""
    return [
        (encoder, decoder, attention, scaling, reduction)
        for encoder, decoder, attention, scaling, reduction in matrix.POSSIBLE
        if only in (None, [encoder, decoder]) and only_attention in (None, attention)
    ]


def main() -> None:
    """Trains and scores each combination."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs=2, metavar=("ENCODER", "DECODER"), choices=matrix.ENCODERS)
    parser.add_argument("--attention", choices=(matrix.OWN, *matrix.ATTENTIONS))
    arguments = parser.parse_args()
    if not (asked := combinations(arguments.only, arguments.attention)):
        parser.error(f"no combination has attention {arguments.attention!r} and {' and '.join(arguments.only)}")
    torch.set_num_threads(1)
    seed = random.SystemRandom().randrange(2**31)
    print(f"seed {seed}\n{'encoder':12}{'decoder':12}{'attention':12}{'scaling':12}reduction   copy  reverse  attempts  seconds")
    short = []
    with tempfile.TemporaryDirectory() as folder:
        corpus = Paths(Path(folder) / "corpus")
        make_corpus(corpus, seed)
        for number, combination in enumerate(asked):
            started = time.process_time()
            scores = matrix.learn_in_attempts(combination, corpus, Path(folder) / str(number), seed)
            seconds = time.process_time() - started
            encoder, decoder, attention, scaling, reduction = combination
            parts = f"{encoder:12}{decoder:12}{attention:12}{scaling:12}{reduction:9}"
            line = f"{parts}   {scores[-1].copy:.2f}     {scores[-1].reverse:.2f}  {len(scores):8}  {seconds:7.1f}"
            print(line, flush=True)
            short += [line] if scores[-1].worse < matrix.bar(combination)[1] else []
    print(f"{len(short)} of {number + 1} fell short" + "".join(f"\n{line}" for line in short))
    sys.exit(bool(short))


if __name__ == "__main__":
    main()
