"""Two small translators of Multi30k: their outputs on one test set, as statistics of rows, for the benchmark of the promotion gate.

The test set is dev and test_2016 together: no training reads either. Validations use the last rows of train.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.measured.corpora import MULTI30K
from benchmarks.measured.systems import System, run_system
from seq2seq_core.evaluation.metric import ScoringOptions
from seq2seq_core.evaluation.scores import find_metric
from seq2seq_core.gate.scored_rows import ScoredRows, score_rows

DEV_ROWS = 500
STATISTICS = Path(__file__).with_name("retrained_captions.npz")
"""The statistics of both, so that the benchmark needs neither the corpus nor a training."""
OPTIONS = ScoringOptions(bleu_tokenizer="none")


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
        "evaluate.max_length_ratio": 1.2,
        "evaluate.max_length_offset": 5,
        "evaluate.metrics": ["bleu", "chrf"],
    },
)
SHORTER = replace(LONGER, name="captions-shorter", changes={**LONGER.changes, "train.max_steps": 1700})
SYSTEMS = {"longer": (LONGER, 1), "shorter": (SHORTER, 2)}
"""Each with the seed of its training."""


def store_statistics(corpora: Path, work: Path, threads: int) -> None:
    """Trains both and stores the statistics of their outputs.

    Args:
        corpora: the folder of all corpora.
        work: the folder of all workspaces.
        threads: number of PyTorch's threads.
    """
    found = {}
    for name, (system, seed) in SYSTEMS.items():
        outcome = run_system(system, seed, corpora, work, threads)
        rows = score_rows("bleu", outcome.hypotheses, outcome.references, OPTIONS)
        found[name] = rows.statistics.astype(np.int16)
    np.savez_compressed(STATISTICS, **found)  # type: ignore[arg-type]


def load_statistics() -> tuple[ScoredRows, ScoredRows]:
    """The shorter and the longer training's outputs, by BLEU."""
    metric = find_metric("bleu")
    assert metric.rows is not None
    with np.load(STATISTICS) as stored:
        shorter, longer = (stored[name].astype(np.float64) for name in ("shorter", "longer"))
    return ScoredRows(metric, metric.rows, shorter), ScoredRows(metric, metric.rows, longer)
