"""The objective that a phase names, with its worker processes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import assert_never

from seq2seq_core.config.train import Phase
from seq2seq_core.tokenization.subword import SubwordModel
from seq2seq_core.training.hardware.precision import Placement
from seq2seq_core.training.objectives.judged.opened_judge import OpenedJudge
from seq2seq_core.training.objectives.monolingual_corpora import MonolingualCorpora
from seq2seq_core.training.objectives.objective import Objective


@contextmanager
def open_objective(
    phase: Phase,
    placement: Placement,
    tokenizer: SubwordModel | None,
    reward_workers: int,
    corpora: MonolingualCorpora,
    judge: OpenedJudge | None = None,
) -> Iterator[Objective]:
    """The objective of a phase; worker processes end with the ``with`` block.

    Only the named objective is imported, so that a change of the others cannot affect this phase.

    Args:
        phase: its settings.
        placement: device and precision.
        tokenizer: turns target ids into text; None where the targets are frames.
        reward_workers: processes that compute rewards; 0: none.
        corpora: the monolingual corpora.
        judge: that of a phase which asks one.

    Raises:
        UserError: the judge does not fit the model.
    """
    match phase.objective:
        case "likelihood":
            from seq2seq_core.training.objectives.likelihood import Likelihood

            yield Likelihood(phase, placement, _existing(tokenizer).tag_ids)
        case "denoising" | "back_translation":
            from seq2seq_core.training.objectives.monolingual_mixture import MonolingualMixture

            yield MonolingualMixture(phase, placement, corpora)
        case "minimum_risk" | "self_critical":
            from seq2seq_core.evaluation.metric import ScoringOptions
            from seq2seq_core.training.objectives.reinforcement import MinimumRisk, SelfCritical
            from seq2seq_core.training.objectives.reward import RewardScorer

            kind = MinimumRisk if phase.objective == "minimum_risk" else SelfCritical
            options = ScoringOptions(bleu_tokenizer=phase.reinforcement.bleu_tokenizer)
            with RewardScorer(phase.reinforcement.reward, reward_workers, options) as scorer:
                yield kind(phase, placement, _existing(tokenizer), scorer, None if judge is None else judge.of_texts())
        case "frames":
            from seq2seq_core.training.objectives.frame_differences import FrameDifferences

            listener = None if judge is None else judge.of_frames()
            yield FrameDifferences(phase.frames, placement, listener, phase.scheduled_sampling)
        case unknown:
            assert_never(unknown)


def _existing(tokenizer: SubwordModel | None) -> SubwordModel:
    assert tokenizer is not None, "the settings see to it: only the objective frames has no target ids"
    return tokenizer
