from __future__ import annotations

import math

import pytest
import torch

from seq2seq_core.decoding.best_extensions import BLOCK, best_extensions, likeliest


@pytest.mark.parametrize("vocabulary_size", [3, BLOCK - 1, BLOCK, 10 * BLOCK, 10 * BLOCK + 7])
@pytest.mark.parametrize("beam_size", [1, 2, 5, 30])
def test_the_best_of_blocks_are_the_best_of_all(vocabulary_size: int, beam_size: int, fresh_seed: int) -> None:
    torch.manual_seed(fresh_seed)
    num_sentences, count = 4, 2 * beam_size
    log_probabilities_NV = torch.randn(num_sentences * beam_size, vocabulary_size).log_softmax(dim=1)
    log_probabilities_NV[torch.rand_like(log_probabilities_NV) < 0.3] = -math.inf
    totals_BK = torch.randn(num_sentences, beam_size)
    totals_BK[1, 1:] = totals_BK[2] = -math.inf
    all_BX = (totals_BK.reshape(-1, 1) + log_probabilities_NV).view(num_sentences, -1)
    totals_BC, places_BC = best_extensions(log_probabilities_NV, totals_BK, count)
    assert torch.equal(totals_BC, all_BX.topk(min(count, all_BX.shape[1]), dim=1).values)
    assert torch.equal(totals_BC, all_BX.gather(1, places_BC))
    assert all(len(set(row)) == len(row) for row in places_BC.tolist())


def test_nan_comes_first_in_its_sentence_alone() -> None:
    log_probabilities_NV = torch.zeros(2, 5 * BLOCK)
    log_probabilities_NV[1, 130] = math.nan
    totals_BC, places_BC = best_extensions(log_probabilities_NV, torch.zeros(2, 1), 2)
    assert totals_BC[0].tolist() == [0.0, 0.0]
    assert totals_BC[1, 0].isnan()
    assert int(places_BC[1, 0]) == 130


@pytest.mark.parametrize("vocabulary_size", [3, BLOCK, 2 * BLOCK, 10 * BLOCK, 10 * BLOCK + 7])
def test_the_likeliest_symbol_is_the_first_of_the_greatest(vocabulary_size: int, fresh_seed: int) -> None:
    torch.manual_seed(fresh_seed)
    values_NV = torch.randint(5, (50, vocabulary_size)).float()  # many are equal
    values_NV[:20] = torch.randn(20, vocabulary_size)
    values_NV[20, :-1] = -math.inf
    assert likeliest(values_NV).tolist() == [row.index(max(row)) for row in values_NV.tolist()]
