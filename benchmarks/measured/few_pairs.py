"""Multi30k with few pairs: of the other pairs only one side is kept, so that the monolingual parts contain no translations."""

from __future__ import annotations

import random
from pathlib import Path

from benchmarks.measured.corpora import MULTI30K
from benchmarks.measured.figures import compare_bleu
from benchmarks.measured.row import SIGNIFICANT, Judgement, Outcomes, bleu_of
from benchmarks.measured.systems import System

NUM_PAIRS, SEED = 2000, 1


def take_pairs_apart(corpora: Path, folder: Path) -> None:
    """Writes ``NUM_PAIRS`` pairs, and of the others the English side of the first half and the German side of the second half.

    Args:
        corpora: the folder of all corpora; reads Multi30k.
        folder: the output folder, which must exist.
    """
    source = corpora / MULTI30K
    lines = (source / "train.tsv").read_text(encoding="utf-8").splitlines()
    random.Random(SEED).shuffle(lines)
    pairs, rest = lines[:NUM_PAIRS], [line.split("\t") for line in lines[NUM_PAIRS:]]
    half = len(rest) // 2
    contents = {
        "train.tsv": pairs,
        "monolingual.en.txt": [english for english, _ in rest[:half]],
        "monolingual.de.txt": [german for _, german in rest[half:]],
        "dev.tsv": (source / "dev.tsv").read_text(encoding="utf-8").splitlines(),
        "test.tsv": (source / "test_2016_flickr.tsv").read_text(encoding="utf-8").splitlines(),
    }
    for name, content in contents.items():
        (folder / name).write_text("".join(f"{line}\n" for line in content), encoding="utf-8")


FEW_PAIRS = System(
    "few-pairs",
    "unsupervised_en_de.yaml",
    take_pairs_apart,
    {"corpus.monolingual": [], "train.phases": [{"objective": "likelihood"}], "train.max_steps": 5000},
)
SEMI_SUPERVISED = System("semi-supervised", "unsupervised_en_de.yaml", take_pairs_apart)
UNSUPERVISED = System(
    "unsupervised",
    "unsupervised_en_de.yaml",
    take_pairs_apart,
    {
        "corpus.files.train": [],
        "corpus.both_directions": False,
        "train.phases.0.mixture": {},
        "train.phases.1.mixture": {"denoising_weight": 1.0},
        "train.phases.2.mixture": {"denoising_weight": 1.0},
    },
)


def judge_few_pairs(outcomes: Outcomes) -> Judgement:
    """The BLEU with monolingual sentences, and whether their gain is significant."""
    bleus = {name: bleu_of(outcome) for name, outcome in outcomes.items()}
    before, after = outcomes[FEW_PAIRS.name], outcomes[SEMI_SUPERVISED.name]
    gain = compare_bleu(before.hypotheses, after.hypotheses, before.references, "none")
    details = [
        *(f"{name}: BLEU {figure.value:.2f}" for name, figure in bleus.items()),
        f"sentences without translations add {gain.difference:+.2f} (p = {gain.p_value:.4f})",
    ]
    return Judgement(bleus[SEMI_SUPERVISED.name], gain.difference > 0 and gain.p_value < SIGNIFICANT, details)
