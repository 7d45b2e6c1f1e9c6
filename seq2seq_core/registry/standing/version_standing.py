"""What the ledger says of a version: whether it holds the alias, since when and by whose move, or until when it held it."""

from __future__ import annotations

from seq2seq_core.model_card.facts import Standing
from seq2seq_core.registry.ledger import CHAMPION, Entry, Ledger
from seq2seq_core.registry.receipts import CHALLENGER

FORMER = "former champion"
SINCE, UNTIL = "Champion since ", "Was champion until "


def standing_of(version: str, ledger: Ledger) -> Standing | None:
    """What a version is now; None where the ledger never gave it the alias, so that its last decision says all.

    Args:
        version: its number.
        ledger: as read now.
    """
    moves = [entry for entry in ledger.entries if entry.is_move]
    if ledger.champion == version:
        gained = next((entry for entry in reversed(moves) if entry.champion == version), None)  # None: somebody deleted entries
        if gained is None or gained.kind == "promoted":
            return Standing(word=CHAMPION)
        return Standing(word=CHAMPION, text=f"{SINCE}{_when(gained)}: {_cause(gained)}")
    lost = next((entry for entry in reversed(moves) if entry.before == version), None)
    if lost is None:
        return None
    last = ledger.find(version)
    is_judged = last is not None and last.kind == "kept" and last.number > lost.number
    return Standing(word=CHALLENGER if is_judged else FORMER, text=f"{UNTIL}{_when(lost)}: {_cause(lost)}")


def _when(entry: Entry) -> str:
    return entry.when.strftime("%Y-%m-%d %H:%M:%S UTC") if entry.when else "now"


def _cause(entry: Entry) -> str:
    """Why the alias moved, as a sentence of one line; the gate's long reason is left to the version that it promoted."""
    reason = " ".join(entry.reason.split()).rstrip(".")
    match entry.kind:
        case "promoted":
            return f"the gate promoted version {entry.champion}."
        case "forced":
            return f"{entry.who} forced version {entry.champion}: {reason}."
        case "rolled back":
            return f"{entry.who} went back to version {entry.champion}: {reason}."
        case _:
            return f"{reason}."
