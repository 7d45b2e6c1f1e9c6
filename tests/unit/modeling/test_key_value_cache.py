from __future__ import annotations

import pytest
import torch
from torch import Tensor

from seq2seq_core.modeling.layers.key_value_cache import KeyValueCache

H, K = 2, 3


@pytest.mark.parametrize("wants_gradient", [False, True])
def test_the_cache_holds_what_plain_tensors_would(wants_gradient: bool) -> None:
    with torch.set_grad_enabled(wants_gradient):
        empty = torch.empty(4, H, 0, K)
        cache, plain = KeyValueCache(empty, empty), (empty, empty)
        for step in range(30):
            new = torch.randn(cache.num_rows, H, 1, K), torch.randn(cache.num_rows, H, 1, K)
            plain = torch.cat([plain[0], new[0]], dim=2), torch.cat([plain[1], new[1]], dim=2)
            for found, expected in zip(cache.append(*new), plain, strict=True):
                assert torch.equal(found, expected)
            assert cache.length == step + 1
            if step % 3:
                num_rows = [4, 4, 7, 2][step % 4]
                rows_N = torch.randint(cache.num_rows, (num_rows,))
                cache.select(rows_N)
                plain = plain[0][rows_N], plain[1][rows_N]


def test_a_gradient_flows_through_every_position() -> None:
    empty = torch.empty(1, H, 0, K)
    cache = KeyValueCache(empty, empty)
    keys: list[Tensor] = [torch.randn(1, H, 1, K, requires_grad=True) for _ in range(3)]
    for key in keys:
        keys_NHTK, _ = cache.append(key, key.detach())
        cache.select(torch.tensor([0]))
    keys_NHTK.square().sum().backward()  # type: ignore[no-untyped-call]
    for key in keys:
        assert key.grad is not None
        assert torch.equal(key.grad, 2 * key)
