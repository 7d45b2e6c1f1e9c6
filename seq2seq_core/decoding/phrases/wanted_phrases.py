"""What a user asks of the wording of targets: phrases to force, phrases to forbid, and a glossary."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from seq2seq_core.decoding.phrases.glossary import Glossary, comparable
from seq2seq_core.errors import UserError
from seq2seq_core.json_text import shorten
from seq2seq_core.normal_form import NormalForm, is_blank

FORCE, FORBID, GLOSSARY = "force", "forbid", "glossary"
PHRASE_PARAMS = (FORCE, FORBID, GLOSSARY)
"""The parameters of a request that ask for phrases."""
MAX_FORCED, MAX_FORBIDDEN = 16, 50
"""Most phrases that are forced and forbidden in a target."""
MAX_ENTRIES, MAX_TERM_CHARACTERS = 10_000, 200_000
"""Most entries of a glossary, and most characters of all its terms."""
MAX_CHARACTERS, MAX_ALL_CHARACTERS = 200, 4000
"""Most characters of a phrase or a term, and of all phrases that are forced and forbidden together."""

NEEDS_TEXTS = "needs sources that are texts; the model reads recordings, pictures or frames"


class PhraseError(UserError):
    """A phrase that cannot be forced or forbidden.

    Args:
        name: ``force``, ``forbid`` or ``glossary``.
        reason: the phrase, and what was expected.
    """

    def __init__(self, name: str, reason: str) -> None:
        self.name, self.reason = name, reason
        super().__init__(f"{name}: {reason}")


@dataclass(frozen=True)
class Phrases:
    """The wording that is asked for.

    Attributes:
        force: phrases that every target contains.
        forbid: phrases that no target contains.
        glossary: by term, the phrase that every target of a source with this term contains.
    """

    force: tuple[str, ...] = ()
    forbid: tuple[str, ...] = ()
    glossary: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuses a text where several are expected, which would be taken letter by letter."""
        for name, given in ((FORCE, self.force), (FORBID, self.forbid)):
            if isinstance(given, str | bytes | Mapping) or not isinstance(given, Collection):
                raise TypeError(f"{name} must be a sequence of texts such as ('2031',), got {shorten(repr(given))}")
        if not isinstance(self.glossary, Mapping):
            raise TypeError(f"{GLOSSARY} must be a mapping of terms to phrases, got {shorten(repr(self.glossary))}")

    @property
    def is_empty(self) -> bool:
        """Whether nothing is asked."""
        return not (self.force or self.forbid or self.glossary)


def check_phrases(phrases: Phrases, form: NormalForm) -> Phrases:
    """The phrases in the normal form of the model's texts.

    Args:
        phrases: as the user gave them.
        form: the normal form.

    Raises:
        PhraseError: one is no text, empty, too long or not Unicode, or there are too many.
    """
    lists = {}
    for name, given, most in ((FORCE, phrases.force, MAX_FORCED), (FORBID, phrases.forbid, MAX_FORBIDDEN)):
        if len(given) > most:
            raise PhraseError(name, f"must be at most {most} phrases, got {len(given)}")
        lists[name] = tuple(dict.fromkeys(_check_text(name, one, form) for one in given))
    if (num_characters := sum(len(one) for given in lists.values() for one in given)) > MAX_ALL_CHARACTERS:
        name = max(lists, key=lambda one: sum(map(len, lists[one])))
        expected = f"{FORCE} and {FORBID} must have at most {MAX_ALL_CHARACTERS} characters together"
        raise PhraseError(name, f"{expected}, got {num_characters}")
    if len(phrases.glossary) > MAX_ENTRIES:
        raise PhraseError(GLOSSARY, f"must have at most {MAX_ENTRIES} entries, got {len(phrases.glossary)}")
    entries: dict[str, str] = {}
    for given_term, target in phrases.glossary.items():
        term = comparable(_check_text(GLOSSARY, given_term, form))
        add_entry(entries, term, _check_text(GLOSSARY, target, form), "")
    if (num_characters := sum(map(len, entries))) > MAX_TERM_CHARACTERS:
        raise PhraseError(GLOSSARY, f"must have at most {MAX_TERM_CHARACTERS} characters in all terms, got {num_characters}")
    return Phrases(lists[FORCE], lists[FORBID], entries)


def add_entry(entries: dict[str, str], term: str, target: str, place: str) -> None:
    """Adds an entry to a glossary.

    Args:
        entries: those before it.
        term: the term of sources.
        target: the phrase of targets.
        place: where the entry stands, for the message.

    Raises:
        PhraseError: the term has another phrase already.
    """
    if (other := entries.setdefault(term, target)) != target:
        raise PhraseError(
            GLOSSARY, f"{place}{shorten(term)!r} must have one target, got {shorten(other)!r} and {shorten(target)!r}"
        )


def parse_entries(lines: Iterable[str], place: str = "entry") -> dict[str, str]:
    """The glossary in some lines.

    Args:
        lines: a term, a TAB and its phrase each; lines without text are passed over.
        place: what a line is called in messages, where its number follows.

    Raises:
        PhraseError: a line is something else, or a term has two phrases.
    """
    entries: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        if not isinstance(line, str):
            raise PhraseError(GLOSSARY, f"{place} {number}: must be a text, got {type(line).__name__} {shorten(repr(line))}")
        if not line.strip():
            continue
        parts = [part.strip() for part in line.split("\t")]
        if len(parts) != 2 or not all(parts):
            raise PhraseError(GLOSSARY, f"{place} {number}: must be a term, a TAB and its target, got {shorten(line)!r}")
        term, target = parts
        add_entry(entries, term, target, f"{place} {number}: ")
    return entries


def resolve(phrases: Phrases, glossary: Glossary | None, source: object) -> Phrases:
    """What is asked of one source's target, without glossary.

    Args:
        phrases: what is asked of all, checked.
        glossary: of its entries; None: there are none.
        source: the source, in the normal form.

    Raises:
        PhraseError: the source is no text.
    """
    targets: Sequence[str] = ()
    if glossary is not None:
        if not isinstance(source, str):
            raise PhraseError(GLOSSARY, NEEDS_TEXTS)
        targets = glossary.targets(source)
    force = tuple(dict.fromkeys([*phrases.force, *targets]))
    return Phrases(force, phrases.forbid)


def _check_text(name: str, given: object, form: NormalForm) -> str:
    """A phrase in the normal form."""
    if not isinstance(given, str):
        raise PhraseError(name, f"must be texts, got {type(given).__name__} {shorten(repr(given))}")
    text = form.apply(given).strip()
    if is_blank(text):
        raise PhraseError(name, f"must be texts that are not empty, got {shorten(given)!r}")
    if len(text) > MAX_CHARACTERS:
        raise PhraseError(name, f"{shorten(text)!r} must be at most {MAX_CHARACTERS} characters, got {len(text)}")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise PhraseError(name, f"must be valid Unicode, got half a surrogate pair in {shorten(repr(text))}")
    return text
