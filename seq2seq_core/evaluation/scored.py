"""What the scores of an evaluation are of: digests of the model, the engine, the test set and the settings of the metrics.

Whoever uses a score compares these first, so that no score is taken for another model's, test set's or metric's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from seq2seq_core.bundle.bundle_folder import bundle_digest
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.evaluation.metric import ScoringOptions
from seq2seq_core.evaluation.scores import signatures
from seq2seq_core.reproducibility import digest


@dataclass(frozen=True)
class Decoding:
    """What decoded texts depend on.

    Attributes:
        bundle: digest of the bundle that was decoded with.
        engine: what decoded, with its version and the kind of device.
        compute_type: the type of its numbers.
        test_set: SHA-256 of the test set as it is scored.
        rows: number of its first rows that were decoded.
        options: digest of the decoding options.
    """

    bundle: str
    engine: str
    compute_type: str
    test_set: str
    rows: int
    options: str

    @property
    def digest(self) -> str:
        """SHA-256 over all of it: the name of the decoded texts."""
        return digest(asdict(self))


@dataclass(frozen=True)
class Scored:
    """What the scores of an evaluation are of.

    Attributes:
        decoding: what the hypotheses depend on.
        metrics: the signature of each metric, with its settings; its name where it has no settings.
        predictions: SHA-256 of ``predictions.jsonl``.
    """

    decoding: Decoding
    metrics: dict[str, str]
    predictions: str

    def to_dict(self) -> dict[str, Any]:
        """As a JSON object."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Any) -> Scored:
        """Parses the output of :meth:`to_dict`.

        Raises:
            ValueError: it is something else.
        """
        try:
            return cls(Decoding(**values["decoding"]), dict(values["metrics"]), str(values["predictions"]))
        except (KeyError, TypeError) as error:
            raise ValueError(f"no record of what was scored ({error})") from None


class DecodingEngine(Protocol):
    """An engine, such as one of :mod:`seq2seq_core.decoding.engines`."""

    @property
    def label(self) -> str:
        """The engine with its version and the kind of its device."""

    @property
    def compute_type(self) -> str:
        """The type of its numbers."""


def describe_decoding(bundle: Path, options: DecodingOptions, test_set: str, rows: int, engine: DecodingEngine) -> Decoding:
    """What the texts depend on that a bundle decodes now.

    Args:
        bundle: the bundle's folder.
        options: the decoding options.
        test_set: digest of the test set as it is scored.
        rows: number of its first rows that are decoded.
        engine: what decodes with these options.
    """
    options_digest = digest(options.model_dump(mode="json"))
    return Decoding(bundle_digest(bundle), engine.label, engine.compute_type, test_set, rows, options_digest)


def metric_settings(metrics: Sequence[str], options: ScoringOptions) -> dict[str, str]:
    """The signature of each metric; its name where it has no settings.

    Args:
        metrics: their names.
        options: the scoring options.
    """
    known = signatures(metrics, options)
    return {name: known.get(name, name) for name in metrics}
