"""Small translators of Multi30k, whose outputs on one test set the benchmark of the promotion gate compares.

The test set is dev and test_2016 together: no training reads either. Validations use the last rows of train.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from benchmarks.measured.corpora import MULTI30K
from benchmarks.measured.systems import System

DEV_ROWS = 500


def hold_out(corpora: Path, folder: Path) -> None:
    """Writes train without its last rows, these rows as dev, and the published dev and test sets as one test set.

    Args:
        corpora: the folder of all corpora; reads Multi30k.
        folder: the output folder, which must exist.
    """
    train, dev, test = (
        (corpora / MULTI30K / name).read_text(encoding="utf-8").splitlines(keepends=True)
        for name in ("train.tsv", "dev.tsv", "test_2016_flickr.tsv")
    )
    for name, lines in (("train.tsv", train[:-DEV_ROWS]), ("dev.tsv", train[-DEV_ROWS:]), ("test.tsv", dev + test)):
        (folder / name).write_text("".join(lines), encoding="utf-8")


LONGER = System(
    "captions-longer",
    "multi30k_en_de_rnn.yaml",
    hold_out,
    {
        "corpus.files": {"train": ["train.tsv"], "dev": ["dev.tsv"], "test": ["test.tsv"]},
        "model.width": 192,
        "train.max_steps": 2400,
        "train.learning_rate": 0.002,
        "train.warmup_steps": 200,
        "train.average_decay": 0.99,
        "train.validate_every_steps": 200,
        "train.dev_sentences": 200,
        "evaluate.beam_size": 2,
        "evaluate.metrics": ["bleu", "chrf"],
    },
)
SHORTER = replace(LONGER, name="captions-shorter", changes={**LONGER.changes, "train.max_steps": 1500})
