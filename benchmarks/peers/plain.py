"""A textbook implementation of the reference work: PyTorch's own layers, full logits, cross-entropy, AdamW, no optimisation.

Shapes: B batch, S source length, T target length, D width, V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from seq2seq_core.batching.batch import Batch
from seq2seq_core.config.train import PhaseSettings
from seq2seq_core.tokenization.special_tokens import PAD_ID

NAMES = {
    "encoder": {"self_attention_norm": "norm1", "feed_forward_norm": "norm2"},
    "decoder": {"self_attention_norm": "norm1", "cross_attention_norm": "norm2", "feed_forward_norm": "norm3"},
    "target_embedding": {"target_embedding.table": "embedding"},
    "output": {"output.": ""},
}
"""The names here of our modules, by part of the model."""
NAMES_IN_LAYERS = {
    "feed_forward.inner": "linear1", "feed_forward.outer": "linear2", "self_attention.": "self_attn.",
    "cross_attention.": "multihead_attn.", "output_projection": "out_proj", "query_projection.": "in_proj_",
}  # fmt: skip


class PlainTransformer(nn.Module):
    """A pre-norm Transformer (Vaswani 2017, Xiong 2020) with one matrix for both embeddings and the output projection.

    Args:
        vocabulary: vocabulary size V.
        shape: ``width``, ``layers``, ``heads``, ``feedforward_width`` and ``dropout``.
    """

    def __init__(self, vocabulary: int, shape: Mapping[str, Any]) -> None:
        super().__init__()
        width, layers = shape["width"], shape["layers"]
        layer = {
            "d_model": width, "nhead": shape["heads"], "dim_feedforward": shape["feedforward_width"],
            "dropout": shape["dropout"], "batch_first": True, "norm_first": True,
        }  # fmt: skip
        self.embedding = nn.Embedding(vocabulary, width)
        self.dropout = nn.Dropout(shape["dropout"])
        self.encoder = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(**layer), layers, nn.LayerNorm(width), enable_nested_tensor=False
        )
        self.decoder = nn.TransformerDecoder(nn.TransformerDecoderLayer(**layer), layers, nn.LayerNorm(width))
        self.bias = nn.Parameter(torch.zeros(vocabulary))

    def forward(self, source_BS: Tensor, padding_mask_BS: Tensor, target_in_BT: Tensor) -> Tensor:
        """The logits of every target position under teacher forcing, logits_BTV.

        Args:
            source_BS: int64 ids.
            padding_mask_BS: bool, True at padding.
            target_in_BT: int64 ids, the targets shifted right, with the start symbol first.
        """
        length = target_in_BT.size(1)
        is_hidden_TT = torch.ones(length, length, dtype=torch.bool).triu(1)
        memory_BSD = self.encoder(self._embed(source_BS), src_key_padding_mask=padding_mask_BS)
        features_BTD = self.decoder(
            self._embed(target_in_BT), memory_BSD, tgt_mask=is_hidden_TT, memory_key_padding_mask=padding_mask_BS
        )
        return functional.linear(features_BTD, self.embedding.weight, self.bias)

    def _embed(self, ids_BT: Tensor) -> Tensor:
        """The embeddings times the square root of D, with dropout, plus sinusoids (Vaswani 2017, sections 3.4 and 3.5)."""
        width = self.embedding.embedding_dim
        angles_TD = torch.arange(ids_BT.size(1)).unsqueeze(1) / 10_000 ** (torch.arange(0, width, 2) / width)
        positions_TD = torch.stack([angles_TD.sin(), angles_TD.cos()], dim=-1).flatten(1)
        dropped_BTD: Tensor = self.dropout(self.embedding(ids_BT) * math.sqrt(width))
        return dropped_BTD + positions_TD


def as_plain(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights (or gradients) of our Transformer under the names of :class:`PlainTransformer`.

    Args:
        tensors: tensors of a pre-norm Transformer with ``tie_embeddings: all``, by our names.
    """
    found = {}
    for name, tensor in tensors.items():
        if ".key_projection." in name or ".value_projection." in name:
            continue  # concatenated with the query's
        if ".query_projection." in name:
            tensor = torch.cat([tensors[name.replace("query", kind)] for kind in ("query", "key", "value")])
        for ours, plain in (NAMES[name.partition(".")[0]] | NAMES_IN_LAYERS).items():
            name = name.replace(ours, plain)
        found[name] = tensor
    return found


def summed_loss(model: PlainTransformer, batch: Batch, label_smoothing: float) -> Tensor:
    """The cross-entropy over the target tokens of a batch, in nats, summed: a scalar.

    Args:
        model: in training or evaluation mode.
        batch: the pairs.
        label_smoothing: probability mass spread over the vocabulary.
    """
    logits_BTV = model(batch.source.values, batch.source.padding_mask_BS, batch.target_in_BT)
    return functional.cross_entropy(
        logits_BTV.flatten(0, 1), batch.target_out_BT.flatten(),
        ignore_index=PAD_ID, label_smoothing=label_smoothing, reduction="sum",
    )  # fmt: skip


class PlainTraining:
    """Updates of a plain model by our recipe: AdamW, linear warm-up, then inverse square root, and gradient clipping.

    Args:
        model: the model, on a CPU.
        recipe: learning rate, betas, warm-up, clipping and label smoothing are used, nothing else.
    """

    def __init__(self, model: PlainTransformer, recipe: PhaseSettings) -> None:
        self.model, self.recipe = model, recipe
        self.optimizer = torch.optim.AdamW(model.parameters(), recipe.learning_rate, recipe.adam_betas, weight_decay=0.0)
        warmup = recipe.warmup_steps
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, lambda done: min((done + 1) / warmup, math.sqrt(warmup / (done + 1)))
        )

    def update(self, batch: Batch) -> float:
        """Makes one update; returns its loss per target token, in nats, with label smoothing."""
        self.model.train()
        loss = summed_loss(self.model, batch, self.recipe.label_smoothing) / batch.num_target_tokens
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.gradient_clip_norm)
        self.optimizer.step()
        self.schedule.step()
        return float(loss.detach())

    @torch.no_grad()
    def validate(self, batches: list[Batch]) -> float:
        """The loss per target token of the batches, in nats, without label smoothing and dropout."""
        self.model.eval()
        tokens = sum(batch.num_target_tokens for batch in batches)
        return sum(float(summed_loss(self.model, batch, 0.0)) for batch in batches) / tokens
