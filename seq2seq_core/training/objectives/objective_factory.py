"""The objective that a phase names, with what it needs for as long as the phase lasts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from seq2seq_core.config.objective_sections import MONOLINGUAL_OBJECTIVES
from seq2seq_core.config.train import Phase
from seq2seq_core.tokenization.subword import SubwordModel
from seq2seq_core.training.hardware.precision import Placement
from seq2seq_core.training.objectives.back_translation import MonolingualMixture
from seq2seq_core.training.objectives.likelihood import Likelihood
from seq2seq_core.training.objectives.monolingual_corpora import MonolingualCorpora
from seq2seq_core.training.objectives.objective import Objective
from seq2seq_core.training.objectives.reinforcement import MinimumRisk, SelfCritical
from seq2seq_core.training.objectives.reward import RewardScorer

_BY_REWARD: dict[str, type[MinimumRisk] | type[SelfCritical]] = {"minimum_risk": MinimumRisk, "self_critical": SelfCritical}


@contextmanager
def open_objective(
    phase: Phase,
    placement: Placement,
    tokenizer: SubwordModel,
    reward_workers: int,
    corpora: MonolingualCorpora,
) -> Iterator[Objective]:
    """The objective of a phase; worker processes end with the ``with`` block.

    Args:
        phase: its settings.
        placement: device and precision.
        tokenizer: turns target ids into text.
        reward_workers: processes that compute rewards; 0: none.
        corpora: the monolingual ones.
    """
    if phase.objective == "likelihood":
        yield Likelihood(phase, placement, tokenizer.tag_ids)
        return
    if phase.objective in MONOLINGUAL_OBJECTIVES:
        yield MonolingualMixture(phase, placement, corpora)
        return
    with RewardScorer(phase.reinforcement.reward, reward_workers) as scorer:
        yield _BY_REWARD[phase.objective](phase, placement, tokenizer, scorer)
