"""The receipt of a registration: a stage output, the same bytes for the same history, that holds only as long as the registry does.

DVC cannot see that a registry was emptied or exchanged: our own front doors drop a receipt whose version is not there.
"""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass
from typing import Literal

from seq2seq_core import atomic
from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import Settings
from seq2seq_core.registry.versions import DIGEST_TAG, find_number, has_files
from seq2seq_core.tracking.mlflow.store import connect, database_file, displayed_uri, store_errors

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Receipt:
    """What was registered where, and what was decided.

    Attributes:
        registry: its address, without credentials.
        model_name: of the registered model.
        version: its number.
        bundle_digest: of the bundle that the version holds.
        decision: the alias that the version got.
        reason: why.
        metric: that the decision went by.
        score: the version's.
        champion_version: what it was compared with; None: nothing.
        champion_score: of that version, on the same test set.
        minimum_gain: the gate's setting.
        minimum_score: the gate's setting.
        test_digest: SHA-256 of the test set.
    """

    registry: str
    model_name: str
    version: str
    bundle_digest: str
    decision: Literal["champion", "challenger"]
    reason: str
    metric: str
    score: float
    champion_version: str | None
    champion_score: float | None
    minimum_gain: float
    minimum_score: float | None
    test_digest: str

    def to_json(self) -> str:
        """The receipt as it is stored, by fixed order of keys."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Receipt:
        """The receipt that :meth:`to_json` wrote.

        Raises:
            ValueError: the text is no receipt of this version.
        """
        try:
            return cls(**json.loads(text))
        except TypeError as error:
            raise ValueError(str(error)) from None


def write_receipt(receipt: Receipt, paths: Paths) -> None:
    """Stores the receipt as the stage's output."""
    atomic.write_text(paths.receipt, receipt.to_json())


def check_receipt(paths: Paths, settings: Settings) -> tuple[bool, str]:
    """Whether the registry still has the version that the receipt names, with that bundle; and if not, why not.

    Args:
        paths: the workspace.
        settings: name the model.

    Raises:
        TrackingUnreachable: MLflow does not answer, so that nothing can be said.
    """
    try:
        receipt = Receipt.from_json(paths.receipt.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return False, "there is no receipt"
    except ValueError as error:
        return False, f"the receipt cannot be read ({error})"
    registry = displayed_uri(paths)
    if receipt.registry != registry:
        return False, f"the receipt is of the registry {receipt.registry}, and {registry} is configured"
    if receipt.model_name != settings.register_.model_name:
        return False, f"the receipt is of the model {receipt.model_name!r}, and {settings.register_.model_name!r} is configured"
    return _registry_has(receipt, paths)


def _registry_has(receipt: Receipt, paths: Paths) -> tuple[bool, str]:
    """Whether the registry has the version, and if not, why not."""
    label = f"version {receipt.version} of {receipt.model_name!r}"
    database = database_file(paths)
    if database is not None and not database.is_file():
        return False, f"the registry {receipt.registry} is gone"
    client = connect(paths)
    with store_errors(paths):
        version = find_number(client, receipt.model_name, receipt.version)
        if version is None:
            return False, f"the registry {receipt.registry} has no {label}"
        if version.tags.get(DIGEST_TAG) != receipt.bundle_digest:
            return False, f"{label} in {receipt.registry} holds another bundle"
        if not has_files(client, version):
            return False, f"the files of {label} in {receipt.registry} are gone"
    return True, f"{label} is in {receipt.registry}"


def drop_stale_receipt(paths: Paths, settings: Settings) -> str | None:
    """The reason why the receipt was deleted, so that DVC runs ``register`` again; None where it stays or there is none.

    Args:
        paths: the workspace.
        settings: name the model.

    Raises:
        TrackingUnreachable: MLflow does not answer; the receipt stays.
    """
    if not paths.receipt.is_file():
        return None
    is_valid, reason = check_receipt(paths, settings)
    if is_valid:
        return None
    logger.info("%s: the model will be registered again", reason)
    paths.receipt.unlink()
    return reason
