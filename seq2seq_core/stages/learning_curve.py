"""Learning curve: dev score by size of train, from trainings on nested parts of the tokenised corpus.

Not a stage of the graph: no stage reads its output. Each part has its own training state under ``.s2s/learning_curve/``. The
states are kept: the same command resumes after an interruption, and a further fraction costs only its own training.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import Settings
from seq2seq_core.errors import UserError
from seq2seq_core.recorder import NullRecorder, Recorder
from seq2seq_core.reproducibility import derive_seed
from seq2seq_core.training.data.inputs import NO_JUDGES, FoundJudge, TrainingInputs, read_inputs
from seq2seq_core.training.hardware.precision import Placement, choose_placement
from seq2seq_core.training.initial.initial_bundle import InitialBundle, find_local_bundle, pin_digest
from seq2seq_core.training.run import TrainingRun
from seq2seq_core.training.state.checkpoint_store import CheckpointStore
from seq2seq_core.training.state.folder_lock import lock_folder
from seq2seq_core.training.state.run_key import make_run_key
from seq2seq_core.training.state.stale_states import remove_superseded_states
from seq2seq_core.training.trainer_settings import TrainerSettings

logger = logging.getLogger(__name__)

DEFAULT_FRACTIONS = (Fraction(1, 8), Fraction(1, 4), Fraction(1, 2), Fraction(1))


@dataclass(frozen=True)
class SizeResult:
    """The result of a training on a part of train.

    Attributes:
        fraction: the part's share of the pairs of train.
        pairs: number of pairs of the part.
        steps: number of updates.
        best_step: the step with the best weights.
        dev_loss: negative log-likelihood per target token of dev of the best weights, in nats.
        dev_score: dev metric of the best weights (``chrf`` where the metric is the loss); None where no dev sources are decoded.
    """

    fraction: Fraction
    pairs: int
    steps: int
    best_step: int
    dev_loss: float
    dev_score: float | None


def run_learning_curve(
    settings: Settings,
    paths: Paths,
    recorder: Recorder,
    fractions: Sequence[Fraction] = DEFAULT_FRACTIONS,
    initial: InitialBundle | None = None,
    judges: Mapping[tuple[str, str], FoundJudge] = NO_JUDGES,
) -> list[SizeResult]:
    """Trains on each part of train; returns the results, smallest part first.

    Args:
        settings: the sections ``model``, ``train`` and ``runtime``; the same for every part, number of steps included.
        paths: the workspace; reads ``data/tokenized``, writes ``.s2s/learning_curve``.
        recorder: receives ``dev_loss`` and ``dev_score`` of each part, with the number of pairs as the step.
        fractions: shares of train, each above 0 and at most 1; a larger part contains every smaller one.
        initial: the bundle of ``train.initial_weights``; None to look for it, in folders only.
        judges: those that phases ask, by reference and digest.

    Raises:
        MissingInput: there is no tokenised corpus.
        UserError: a fraction is out of range, train or dev is empty, the device is missing, the initial weights are missing or do
            not fit, or a run diverges.
        WorkspaceBusy: another process trains on the same part.
        Interrupted: the process was asked to stop; the state is saved.
    """
    check_fractions(fractions)
    inputs = read_inputs(paths.tokenized, settings.train.dev_sentences)
    if not len(inputs.train):
        raise UserError(f"{paths.tokenized}: train has no pairs, expected some to take parts of (corpus.files.train)")
    initial = initial or find_local_bundle(settings.train, paths)
    inputs = replace(inputs, judges=judges)
    train = inputs.pin_judges(pin_digest(settings.train, initial))
    sections = TrainerSettings(settings.model, train, settings.runtime)
    placement = choose_placement(settings.runtime)
    results = []
    for fraction in sorted(set(fractions)):
        result = _train_on_part(sections, paths, inputs, placement, fraction, initial)
        results.append(result)
        score = {} if result.dev_score is None else {"dev_score": result.dev_score}
        recorder.log_metrics({"dev_loss": result.dev_loss, **score}, step=result.pairs)
    recorder.log_text(describe_curve(results), "learning_curve.txt")
    return results


def check_fractions(fractions: Sequence[Fraction]) -> None:
    """Checks the fractions of train.

    Raises:
        UserError: there is no fraction, or one is not above 0 and at most 1.
    """
    if not fractions:
        raise UserError("--fraction: must be given at least once, got nothing")
    for fraction in fractions:
        if not 0 < fraction <= 1:
            raise UserError(f"--fraction: must be above 0 and at most 1, got {fraction}")


def choose_part(num_pairs: int, fraction: Fraction, seed: int) -> NDArray[np.int64]:
    """The indices of the pairs of a part of train, ascending; a larger part contains every smaller one.

    Args:
        num_pairs: number of pairs of train.
        fraction: the part's share, above 0 and at most 1; a part has at least one pair.
        seed: the seed of the training.
    """
    order = np.random.default_rng(derive_seed(seed, "learning_curve")).permutation(num_pairs)
    chosen: NDArray[np.int64] = np.sort(order[: max(1, round(fraction * num_pairs))]).astype(np.int64)
    return chosen


def describe_curve(results: Sequence[SizeResult]) -> str:
    """The results as a table."""
    rows = [("fraction", "pairs", "steps", "best step", "dev loss", "dev score")]
    for result in results:
        score = "" if result.dev_score is None else f"{result.dev_score:.4f}"
        figures = (str(result.fraction), str(result.pairs), str(result.steps), str(result.best_step))
        rows.append((*figures, f"{result.dev_loss:.4f}", score))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows) + "\n"


def _train_on_part(
    sections: TrainerSettings,
    paths: Paths,
    inputs: TrainingInputs,
    placement: Placement,
    fraction: Fraction,
    initial: InitialBundle | None,
) -> SizeResult:
    """Trains on a part of train to the end, from its saved state where there is one."""
    indices = choose_part(len(inputs.train), fraction, sections.train.seed)
    key = make_run_key(sections.model, sections.train, inputs.digests | {"train.pairs": str(len(indices))})
    folder = paths.learning_curves / str(len(indices)) / key.folder_name
    logger.info("training on %d of %d pairs", len(indices), len(inputs.train))
    with lock_folder(folder):
        part = replace(inputs, train=inputs.train.select(indices))
        # The curves of several trainings would share one axis of steps, so only the final results are recorded.
        runtime, recorder = sections.runtime, NullRecorder()
        store = CheckpointStore(folder, runtime.num_checkpoints, runtime.checkpoint_in_background)
        training = TrainingRun(part, sections, placement, store, recorder, initial=initial).finish()
    remove_superseded_states(folder.parent, key)
    best = training.state.best
    chosen = next(point for point in training.state.validations if point.step == best.step)
    return SizeResult(fraction, len(indices), training.state.step, best.step, chosen.dev_loss, chosen.dev_score)
