"""MarianMT of Hugging Face transformers: in a bare loop over length buckets, or with Seq2SeqTrainer at its defaults.

    python hugging_face.py loop|trainer SETTINGS.json

``benchmarks/training.py`` writes the settings. Runs in its own virtual environment.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any

import torch
from pieces import BOS_ID, EOS_ID, PAD_ID, read_pairs
from transformers import MarianConfig, MarianMTModel, Seq2SeqTrainer, Seq2SeqTrainingArguments, TrainerCallback
from turns import Turns

IGNORED = -100


def build(shape: dict[str, Any], vocabulary: int) -> MarianMTModel:
    """A new model with the layers, widths and dropout of the reference work."""
    return MarianMTModel(
        MarianConfig(
            vocab_size=vocabulary, d_model=shape["width"], encoder_layers=shape["layers"], decoder_layers=shape["layers"],
            encoder_attention_heads=shape["heads"], decoder_attention_heads=shape["heads"],
            encoder_ffn_dim=shape["feedforward_width"], decoder_ffn_dim=shape["feedforward_width"],
            activation_function="relu", dropout=shape["dropout"], attention_dropout=shape["dropout"],
            activation_dropout=shape["dropout"], scale_embedding=True, max_position_embeddings=256, pad_token_id=PAD_ID,
            bos_token_id=BOS_ID, eos_token_id=EOS_ID, decoder_start_token_id=BOS_ID, forced_eos_token_id=None, use_cache=False,
        )
    )  # fmt: skip


def collate(pairs: list[tuple[list[int], list[int]]]) -> dict[str, torch.Tensor]:
    """Padded sources, their mask, and labels; the model itself shifts the labels to the right."""
    sources, targets = ([torch.tensor(pair[side]) for pair in pairs] for side in range(2))
    pad = torch.nn.utils.rnn.pad_sequence
    ids = pad(sources, batch_first=True, padding_value=PAD_ID)
    return {
        "input_ids": ids,
        "attention_mask": ids.ne(PAD_ID).long(),
        "labels": pad(targets, batch_first=True, padding_value=IGNORED),
    }


def bucket(pairs: list[tuple[list[int], list[int]]], batch_tokens: int) -> list[list[tuple[list[int], list[int]]]]:
    """Batches of pairs of similar length, of at most ``batch_tokens`` tokens, padding included, in random order."""
    batches: list[list[tuple[list[int], list[int]]]] = [[]]
    longest = [0, 0]
    for pair in sorted(pairs, key=lambda pair: (len(pair[0]), len(pair[1]))):
        longest = [max(most, len(side)) for most, side in zip(longest, pair, strict=True)]
        if batches[-1] and (len(batches[-1]) + 1) * sum(longest) > batch_tokens:
            batches.append([])
            longest = [len(side) for side in pair]
        batches[-1].append(pair)
    random.shuffle(batches)
    return batches


def loop(settings: dict[str, Any], pairs: list[tuple[list[int], list[int]]]) -> None:
    """Trains in a bare loop."""
    turns, device = Turns(), settings["device"]
    model = build(settings["shape"], settings["vocabulary"]).to(device).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.98), fused=True)
    while True:
        for batch in bucket(pairs, settings["batch_tokens"]):
            turns.before_step()
            inputs = {name: value.to(device) for name, value in collate(batch).items()}
            with torch.autocast(device, dtype=torch.bfloat16, enabled=device != "cpu"):
                logits = model(**inputs).logits
                loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), inputs["labels"].flatten(), label_smoothing=0.1)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            float(loss)
            turns.after_step(sum(len(target) for _, target in batch))


def trainer(settings: dict[str, Any], pairs: list[tuple[list[int], list[int]]]) -> None:
    """Trains by Seq2SeqTrainer with its defaults, but with a batch size of about the same number of target tokens."""
    turns = Turns()

    class Counting(Seq2SeqTrainer):
        tokens = 0

        def training_step(self, model: Any, inputs: dict[str, torch.Tensor], *rest: Any) -> torch.Tensor:
            self.tokens = int(inputs["labels"].ne(IGNORED).sum())
            return super().training_step(model, inputs, *rest)

    class OneTurnAfterAnother(TrainerCallback):
        def on_step_begin(self, *_: Any, **__: Any) -> None:
            turns.before_step()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            turns.after_step(counting.tokens)

    mean_target = sum(len(target) for _, target in pairs) / len(pairs)
    arguments = Seq2SeqTrainingArguments(
        output_dir=settings["folder"], per_device_train_batch_size=round(settings["target_tokens"] / mean_target),
        max_steps=1_000_000, report_to=[], save_strategy="no", use_cpu=settings["device"] == "cpu",
        bf16=settings["device"] != "cpu",
        remove_unused_columns=False, disable_tqdm=True, logging_steps=1_000_000,
    )  # fmt: skip
    model = build(settings["shape"], settings["vocabulary"])
    counting = Counting(model=model, args=arguments, train_dataset=pairs, data_collator=collate, callbacks=[OneTurnAfterAnother()])
    counting.train()


def main() -> None:
    """Trains until there are no more turns."""
    mode, settings = sys.argv[1], json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
    if settings["threads"]:
        torch.set_num_threads(settings["threads"])
    random.seed(1)
    torch.manual_seed(1)
    {"loop": loop, "trainer": trainer}[mode](settings, read_pairs(Path(settings["pairs"])))


if __name__ == "__main__":
    main()
