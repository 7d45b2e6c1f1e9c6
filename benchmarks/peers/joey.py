"""JoeyNMT's own trainer, with its steps in turns.

    python joey.py SETTINGS.json

``benchmarks/training.py`` writes the settings. Runs in its own virtual environment.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
from joeynmt.training import TrainManager, train
from pieces import read_pairs
from turns import Turns


def write_corpus(settings: dict[str, Any], folder: Path) -> None:
    """Writes the pairs as text, each piece as a word, and the vocabulary; dev is the first ten pairs."""
    pairs = [[[str(piece) for piece in side[:-1]] for side in pair] for pair in read_pairs(Path(settings["pairs"]))]
    for side, language in enumerate(("src", "trg")):
        lines = [" ".join(pair[side]) for pair in pairs]
        (folder / f"train.{language}").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        (folder / f"dev.{language}").write_text("".join(f"{line}\n" for line in lines[:10]), encoding="utf-8")
    words = ["<unk>", "<pad>", "<s>", "</s>", *(str(piece) for piece in range(4, settings["vocabulary"]))]
    (folder / "vocabulary.txt").write_text("".join(f"{word}\n" for word in words), encoding="utf-8")


def make_config(settings: dict[str, Any], folder: Path) -> dict[str, Any]:
    """JoeyNMT's configuration, which it usually reads from a YAML file."""
    shape = settings["shape"]
    side = {"level": "word", "lowercase": False, "max_length": 128, "voc_file": str(folder / "vocabulary.txt")}
    dropout = {"dropout": shape["dropout"], "embeddings": {"embedding_dim": shape["width"], "scale": True, "dropout": 0.0}}
    if shape["architecture"] == "transformer":
        layers = {
            "type": "transformer", "num_layers": shape["layers"], "num_heads": shape["heads"], "hidden_size": shape["width"],
            "ff_size": shape["feedforward_width"], "layer_norm": "pre", **dropout,
        }  # fmt: skip
        encoder, decoder = layers, layers
    else:
        layers = {"type": "recurrent", "rnn_type": "gru", "num_layers": 1, **dropout}
        encoder = {**layers, "hidden_size": shape["width"] // 2, "bidirectional": True}
        decoder = {
            **layers, "hidden_size": shape["width"], "attention": "bahdanau", "init_hidden": "bridge", "input_feeding": False,
            "hidden_dropout": shape["dropout"],
        }  # fmt: skip
    return {
        "name": "reference", "joeynmt_version": "2.3.0", "model_dir": str(folder / "model"),
        "use_cuda": settings["device"] != "cpu", "fp16": False, "random_seed": 1,
        "data": {
            "train": str(folder / "train"), "dev": str(folder / "dev"), "dataset_type": "plain",
            "src": {"lang": "src", **side}, "trg": {"lang": "trg", **side},
        },
        "testing": {"beam_size": 1, "eval_metrics": ["bleu"]},
        "training": {
            "optimizer": "adamw", "adam_betas": [0.9, 0.98], "learning_rate": 0.001, "scheduling": "warmupinversesquareroot",
            "learning_rate_warmup": 400, "normalization": "tokens", "clip_grad_norm": 1.0,
            "label_smoothing": 0.1, "loss": "crossentropy", "batch_size": settings["joey_batch_tokens"], "batch_type": "token",
            "epochs": 100_000, "validation_freq": 10_000_000, "logging_freq": 10_000_000, "shuffle": True, "overwrite": True,
            "print_valid_sents": [], "keep_best_ckpts": 1,
        },
        "model": {"tied_embeddings": True, "tied_softmax": True, "encoder": encoder, "decoder": decoder},
    }  # fmt: skip


def main() -> None:
    """Trains until there are no more turns."""
    settings = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    if settings["threads"]:
        torch.set_num_threads(settings["threads"])
    turns, plain_step = Turns(), TrainManager._train_step
    tokens = [0]

    def step_in_turn(self: TrainManager, batch: Any) -> Any:
        if tokens[0]:  # the previous step ended with the optimiser's update, after this method
            turns.after_step(tokens[0])
        turns.before_step()
        tokens[0] = int(batch.ntokens)
        return plain_step(self, batch)

    TrainManager._train_step = step_in_turn
    folder = Path(settings["folder"])
    write_corpus(settings, folder)
    (folder / "model").mkdir(exist_ok=True)
    train(0, 1, make_config(settings, folder), skip_test=True)


if __name__ == "__main__":
    main()
