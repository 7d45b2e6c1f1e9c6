"""Says on the pages of a version what it is now: its tag, its description, its card, and the alias ``challenger``."""

from __future__ import annotations

import logging
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from seq2seq_core.errors import first_line
from seq2seq_core.model_card.card import FACTS_FILE, render_card
from seq2seq_core.model_card.facts import CardFacts, Standing
from seq2seq_core.registry.ledger import CHAMPION, Entry, Ledger
from seq2seq_core.registry.receipts import CHALLENGER
from seq2seq_core.registry.standing.version_standing import SINCE, UNTIL, standing_of
from seq2seq_core.registry.stored_model import download_file
from seq2seq_core.registry.versions import DIGEST_TAG, find_model, find_number, logged_model_id

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

DECISION_TAG = "decision"
_WORD = re.compile(r": [a-z ]+$")

logger = logging.getLogger(__name__)


def touched_versions(entry: Entry) -> set[str]:
    """The versions that another thing is true of after an entry of the ledger.

    Args:
        entry: of the ledger.
    """
    return {entry.champion, entry.before} - {""} if entry.is_move else set()


def restate(client: MlflowClient, name: str, versions: Iterable[str], ledger: Ledger) -> None:
    """Writes to versions what they are by the ledger; a version that is gone, or was not registered by ``s2s``, is left out.

    Args:
        client: the MLflow client.
        name: the registered model's name.
        versions: their numbers.
        ledger: as read now.
    """
    for number in sorted(versions):
        standing, version = standing_of(number, ledger), find_number(client, name, number)
        if standing is None or version is None or DIGEST_TAG not in version.tags:
            continue
        if version.tags.get(DECISION_TAG) != standing.word:
            client.set_model_version_tag(name, number, DECISION_TAG, standing.word)
        text = restate_description(version.description or "", standing)
        if text != version.description:
            client.update_model_version(name, number, text)
        _restate_card(client, version, standing)
        if standing.word == CHAMPION:
            drop_challenger(client, name, number)


def drop_challenger(client: MlflowClient, name: str, number: str) -> None:
    """Takes the alias ``challenger`` from a version that is the champion.

    Args:
        client: the MLflow client.
        name: the registered model's name.
        number: the version's.
    """
    model = find_model(client, name)
    if model is not None and str(model.aliases.get(CHALLENGER, "")) == number:
        client.delete_registered_model_alias(name, CHALLENGER)


def restate_description(description: str, standing: Standing) -> str:
    """The description of a version with what it is now: the last word of its first line, and the sentence below it.

    Args:
        description: in Markdown, as :func:`~seq2seq_core.registry.version_record.describe` writes it; empty: none yet.
        standing: by the ledger.
    """
    head, _, rest = description.partition("\n")
    head = _WORD.sub("", head) + f": {standing.word}" if head else standing.word
    paragraphs = [part for part in rest.strip("\n").split("\n\n") if part and not part.startswith((SINCE, UNTIL))]
    return "\n\n".join([head, *([standing.text] if standing.text else []), *paragraphs]) + "\n"


def _restate_card(client: MlflowClient, version: ModelVersion, standing: Standing) -> None:
    """Renews the card of a version; one that cannot be renewed is a warning, because the alias has moved already."""
    model_id = logged_model_id(version)
    if model_id is None:
        return
    try:
        stored = download_file(version, FACTS_FILE)
        facts = CardFacts.model_validate_json(stored) if stored else None
        if facts is None or facts.standing == standing:
            return
        pages = render_card(facts.model_copy(update={"standing": standing}))
    except Exception as error:  # noqa: BLE001 - whatever the store or a stored card holds
        reason = first_line(error) or type(error).__name__
        logger.warning("the card of version %s of %r does not say that it is now %s: %s", version.version, version.name,
                       standing.word, reason)  # fmt: skip
        return
    with tempfile.TemporaryDirectory() as room:
        for file, text in pages.items():
            (Path(room) / file).write_text(text, encoding="utf-8")
        client.log_model_artifacts(model_id, room)
