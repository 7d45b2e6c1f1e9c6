"""Output projection: from the decoder's features to a logit for each entry of the target vocabulary.

Shapes: B batch, T target length, D width, V vocabulary.
"""

from __future__ import annotations

from torch import Tensor, nn

from seq2seq_core.modeling.layers.packed_weights import linear


class OutputProjection(nn.Module):
    """logits = W features + b, W either its own or the target embedding's (Press and Wolf 2017).

    A tied weight is an argument of each call and is not stored here, so that it is in the model's state only once.

    Args:
        width: D.
        vocabulary_size: V.
        is_tied: whether W is the target embedding's.
    """

    def __init__(self, width: int, vocabulary_size: int, is_tied: bool) -> None:
        super().__init__()
        self.bias = nn.Parameter(nn.init.zeros_(nn.Linear(1, vocabulary_size).bias))
        self.weight_VD: nn.Parameter | None = None
        if not is_tied:
            self.weight_VD = nn.Parameter(nn.init.xavier_uniform_(nn.Linear(width, vocabulary_size, bias=False).weight))

    def forward(self, features_BTD: Tensor, embedding_VD: Tensor) -> Tensor:
        """Unnormalised log-probabilities, logits_BTV.

        Args:
            features_BTD: from the decoder; any number of leading axes.
            embedding_VD: the target embedding's weights, used when tied.
        """
        return linear(features_BTD, *self.weights(embedding_VD))

    def weights(self, embedding_VD: Tensor) -> tuple[Tensor, Tensor]:
        """W and b: weight_VD and bias_V.

        Args:
            embedding_VD: the target embedding's weights, used when tied.
        """
        return embedding_VD if self.weight_VD is None else self.weight_VD, self.bias
