"""Every combination of encoder, decoder, attention, time scaling and time reduction learns to copy and to reverse unseen words.

    python benchmarks/architectures.py                        all 384, some three seconds of one core each, and the further parts
    python benchmarks/architectures.py --only transformer gru those whose encoder and decoder are these
    python benchmarks/architectures.py --attention none       those with this attention; a Transformer decoder's is "own"
    python benchmarks/architectures.py --further              the further parts: relative positions, shared layers, hard alignments

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


def print_further(corpus: Paths, folder: Path, seed: int) -> list[str]:
    """Trains and scores each further part; the lines of those that fell short. A hard alignment need not reverse."""
    print(f"{'part':36}copy  reverse  attempts  seconds")
    short = []
    for number, (name, model) in enumerate(matrix.FURTHER.items()):
        started = time.process_time()
        scores = matrix.attempts(model, matrix.BAR_OF_FURTHER, corpus, folder / f"further{number}", seed)
        seconds = time.process_time() - started
        line = f"{name:36}{scores[-1].copy:.2f}     {scores[-1].reverse:.2f}  {len(scores):8}  {seconds:7.1f}"
        print(line, flush=True)
        short += [line] if matrix.counted_share(model, scores[-1]) < matrix.BAR_OF_FURTHER[1] else []
    return short


def print_combinations(asked: list[matrix.Combination], corpus: Paths, folder: Path, seed: int) -> list[str]:
    """Trains and scores each combination; the lines of those that fell short."""
    print(f"{'encoder':12}{'decoder':12}{'attention':12}{'scaling':12}reduction   copy  reverse  attempts  seconds")
    short = []
    for number, combination in enumerate(asked):
        started = time.process_time()
        scores = matrix.learn_in_attempts(combination, corpus, folder / str(number), seed)
        seconds = time.process_time() - started
        encoder, decoder, attention, scaling, reduction = combination
        parts = f"{encoder:12}{decoder:12}{attention:12}{scaling:12}{reduction:9}"
        line = f"{parts}   {scores[-1].copy:.2f}     {scores[-1].reverse:.2f}  {len(scores):8}  {seconds:7.1f}"
        print(line, flush=True)
        short += [line] if scores[-1].worse < matrix.bar(combination)[1] else []
    return short


def main() -> None:
    """Trains and scores each combination, and each further part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs=2, metavar=("ENCODER", "DECODER"), choices=matrix.ENCODERS)
    parser.add_argument("--attention", choices=(matrix.OWN, *matrix.ATTENTIONS))
    parser.add_argument("--further", action="store_true", help="only the further parts")
    arguments = parser.parse_args()
    asked = [] if arguments.further else combinations(arguments.only, arguments.attention)
    if not asked and not arguments.further:
        parser.error(f"no combination has attention {arguments.attention!r} and {' and '.join(arguments.only)}")
    is_whole, short = not (arguments.only or arguments.attention), list[str]()
    torch.set_num_threads(1)
    seed = random.SystemRandom().randrange(2**31)
    print(f"seed {seed}")
    with tempfile.TemporaryDirectory() as folder:
        corpus = Paths(Path(folder) / "corpus")
        make_corpus(corpus, seed)
        if asked:
            short += print_combinations(asked, corpus, Path(folder), seed)
        if is_whole:
            short += print_further(corpus, Path(folder), seed)
    number = len(asked) + len(matrix.FURTHER) * is_whole
    print(f"{len(short)} of {number} fell short" + "".join(f"\n{line}" for line in short))
    sys.exit(bool(short))


if __name__ == "__main__":
    main()
