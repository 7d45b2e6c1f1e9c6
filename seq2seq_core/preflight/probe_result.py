"""What the probe of updates measured, as it hands it to the preflight that started it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Timing(BaseModel):
    """What a piece of work took.

    Attributes:
        seconds: duration.
        cpu_seconds: processor time of the process.
    """

    model_config = ConfigDict(frozen=True)

    seconds: float
    cpu_seconds: float


class PhaseProbe(BaseModel):
    """What was measured of a phase.

    Attributes:
        updates: each measured one.
        likelihoods: the loss of the sample's dev.
        decoding: the decoding of its first sources by a model that does not end its outputs.
        decoded_share: which share of the steps of that decoding outputs as long as the references need.
        dev_rows: pairs of dev.
        decoded_rows: decoded ones.
        updates_per_epoch: in the sample.
    """

    model_config = ConfigDict(frozen=True)

    updates: list[Timing]
    likelihoods: Timing
    decoding: Timing
    decoded_share: float
    dev_rows: int
    decoded_rows: int
    updates_per_epoch: float


class DecodingProbe(BaseModel):
    """What was measured of the search that export and evaluate use.

    Attributes:
        answers: time of the decoded rows, whose outputs are as long as the longest reference.
        greedy: the same by greedy search; None: the search is greedy.
        own: time of these rows, whose outputs end where the model ends them, or at the limit, as in the stages of the sample.
        rows: decoded rows.
        most_share: by how much more time outputs as long as the limit allows would take.
    """

    model_config = ConfigDict(frozen=True)

    answers: Timing
    greedy: Timing | None
    own: Timing
    rows: int
    most_share: float

    @property
    def own_share(self) -> float:
        """By how much more time, or less, the outputs of the sample's model take than those of ``answers``."""
        return self.own.cpu_seconds / max(self.answers.cpu_seconds, 1e-9)


class ProbeResult(BaseModel):
    """What was measured.

    Attributes:
        base_bytes: memory of the process with model and optimiser, after an update of one pair.
        peak_bytes: memory after updates of the largest batches; foretold where they do not fit.
        fits: whether the largest batches fit into the memory that there is; else nothing more is measured.
        device: that trains.
        device_bytes: peak of the GPU's memory; 0 on a CPU.
        device_base_bytes: the GPU's memory after an update of one pair.
        device_limit: the GPU's free memory.
        batch_tokens: of the phase with the largest batches.
        parameters: of the model.
        phases: in their order.
        decoding: of the exported model; None: not measured.
        train_rows: pairs of the sample's train.
    """

    model_config = ConfigDict(frozen=True)

    base_bytes: int
    peak_bytes: int
    fits: bool
    device: str
    device_bytes: int
    device_base_bytes: int
    device_limit: int
    batch_tokens: int
    parameters: int
    phases: list[PhaseProbe]
    decoding: DecodingProbe | None
    train_rows: int
