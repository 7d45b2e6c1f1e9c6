from __future__ import annotations

from typing import get_args

import pytest
import torch

from seq2seq_core.config.objective_sections import Objective, Reinforcement
from seq2seq_core.config.tokenize import SubwordSettings
from seq2seq_core.config.train import Phase
from seq2seq_core.tokenization.languages import MASK_TAG
from seq2seq_core.tokenization.subword import train_subword
from seq2seq_core.tokenization.tags import Tags
from seq2seq_core.training.hardware.precision import Placement
from seq2seq_core.training.objectives.monolingual_corpora import MonolingualCorpora
from seq2seq_core.training.objectives.objective_factory import open_objective
from seq2seq_core.training.objectives.reinforcement import MinimumRisk

CLASSES = {
    "likelihood": "Likelihood", "minimum_risk": "MinimumRisk", "self_critical": "SelfCritical",
    "denoising": "MonolingualMixture", "back_translation": "MonolingualMixture",
}  # fmt: skip


@pytest.mark.parametrize("name", get_args(Objective))
def test_every_objective_of_the_settings_is_made(name: Objective) -> None:
    tokenizer = train_subword(["a b"], SubwordSettings(model="char"), tags=[MASK_TAG])
    corpora, placement = MonolingualCorpora({}, Tags((), tokenizer), tokenizer), Placement(torch.device("cpu"), is_bfloat16=False)
    with open_objective(Phase(objective=name), placement, tokenizer, 0, corpora) as objective:
        assert CLASSES.get(name) in (None, type(objective).__name__)


def test_a_reward_by_bleu_takes_the_tokeniser_of_its_phase() -> None:
    tokenizer = train_subword(["a b"], SubwordSettings(model="char"), tags=[MASK_TAG])
    corpora, placement = MonolingualCorpora({}, Tags((), tokenizer), tokenizer), Placement(torch.device("cpu"), is_bfloat16=False)
    phase = Phase(objective="minimum_risk", reinforcement=Reinforcement(reward="bleu", bleu_tokenizer="zh"))
    with open_objective(phase, placement, tokenizer, 0, corpora) as objective:
        assert isinstance(objective, MinimumRisk)
        assert objective.scorer.submit([("我们是中国人", "我们是美国人")])()[0] > 0.2
