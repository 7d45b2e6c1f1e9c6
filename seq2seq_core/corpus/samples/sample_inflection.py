"""The bundled sample of inflection: verbs of a made-up language, with their features and forms.

The language has what makes inflection hard, by rules that are written here:

- **harmony**: a stem has back vowels (a, o, u) or front ones (ä, ö, y), and e and i beside both; endings take its kind;
- **gradation**: p, t, k before the last vowel of a stem become v, d, g where an ending closes that syllable;
- **reduplication**: the future repeats the stem's first consonant and vowel (before a vowel: vowel and consonant);
- **exceptions**: some verbs change their last vowel in the past, others take the endings of the other kind. Nothing in a lemma
  tells which verb does; other forms of it in train do;
- **ambiguity**, as in Cree: inclusive and exclusive *we* have the same features ``1;PL``, so that a question has two right answers.

Choices are made by SHA-256, not by ``random``: the bytes depend on nothing. :func:`best_possible` says which share of test whoever
knows the rules, and has read train, can write.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from seq2seq_core.corpus.samples.sample_dates import SampleSummary
from seq2seq_core.corpus.samples.sample_tables import write_tables

TRAIN_ROWS, DEV_ROWS, TEST_ROWS = 4000, 500, 1000
UNSEEN_SHARE = 0.25
"""Share of dev and of test whose lemmas train does not have."""
LEMMAS, UNSEEN_LEMMAS = 700, 100
EXCEPTION_SHARE = 0.1
EXCLUSIVE_SHARE = 0.3
"""Share of the forms of ``1;PL`` that are exclusive; the others are inclusive."""

TENSES = ("PRS", "PST", "FUT")
PERSONS = ("1;SG", "2;SG", "3;SG", "1;PL", "2;PL", "3;PL")
ENDINGS = {"1;SG": "n", "2;SG": "t", "2;PL": "ttA", "3;PL": "vAt"}
"""Of the persons whose ending is always the same; A is a or ä."""
INCLUSIVE, EXCLUSIVE = "mme", "kkA"
BACK, FRONT, NEUTRAL = "aou", "äöy", "ei"
VOWELS = BACK + FRONT + NEUTRAL
CONSONANTS = "ptkmnslrvj"
WEAK = {"p": "v", "t": "d", "k": "g"}
OTHER_VOWEL = {"a": "e", "o": "i", "u": "o", "ä": "e", "ö": "i", "y": "ö", "e": "i", "i": "e"}
"""The last vowel of the verbs that change it in the past."""


@dataclass(frozen=True)
class Verb:
    """A verb.

    Attributes:
        lemma: its stem.
        exception: ``vowel`` (the last one changes in the past), ``kind`` (endings of the other kind of vowels), or none.
    """

    lemma: str
    exception: str = ""


@dataclass(frozen=True)
class Row:
    """A row of the sample: a question, and its answer in this row."""

    verb: Verb
    features: str
    form: str


def write_sample_inflection(folder: Path, is_forced: bool = False) -> SampleSummary:
    """A summary of the sample, written as ``train.tsv``, ``dev.tsv`` and ``test.tsv``: lemma, form, features, without a header.

    Args:
        folder: the output folder, created if missing; other files stay.
        is_forced: whether tables of the same names with other content are replaced.

    Raises:
        UserError: a table would be lost.
    """
    splits = inflected_splits()
    texts = {
        f"{split}.tsv": "".join(f"{row.verb.lemma}\t{row.form}\t{row.features}\n" for row in rows) for split, rows in splits.items()
    }
    digests = write_tables(folder, texts, is_forced)
    note = f"; whoever knows the rules and train can write {100 * best_possible(splits['train'], splits['test']):.1f} % of test"
    return SampleSummary(folder, {split: len(rows) for split, rows in splits.items()}, digests, note)


def inflected_splits() -> dict[str, list[Row]]:
    """The rows of train, dev and test, the same at every call. No question of one split is in another."""
    verbs = list(_verbs())
    seen, unseen = (_in_order(_questions(part)) for part in (verbs[:LEMMAS], verbs[LEMMAS:]))
    splits, place, new_place = {}, 0, 0
    for split, count in (("train", TRAIN_ROWS), ("dev", DEV_ROWS), ("test", TEST_ROWS)):
        num_new = 0 if split == "train" else int(UNSEEN_SHARE * count)
        asked = seen[place : place + count - num_new] + unseen[new_place : new_place + num_new]
        place, new_place = place + count - num_new, new_place + num_new
        splits[split] = [Row(verb, features, _drawn_form(verb, features)) for verb, features in _in_order(asked)]
    return splits


def best_possible(train: Collection[Row], test: Collection[Row]) -> float:
    """The share of test whose form is the likeliest answer of whoever knows the rules and has read train.

    The exception of a verb is known where a form of it in train shows one. Of two forms of ``1;PL``, the inclusive is likelier.

    Args:
        train: what was read.
        test: what is asked.
    """
    told = {row.verb for row in train if row.form not in forms_of(Verb(row.verb.lemma), row.features)}
    likeliest = (forms_of(row.verb if row.verb in told else Verb(row.verb.lemma), row.features)[0] for row in test)
    return sum(row.form == form for row, form in zip(test, likeliest, strict=True)) / len(test)


def forms_of(verb: Verb, features: str) -> tuple[str, ...]:
    """The right forms of a verb, the likeliest first.

    Args:
        verb: the verb.
        features: such as ``PST;1;SG``.
    """
    tense, person = features.split(";", 1)
    if person == "1;PL":
        return tuple(_form(verb, tense, ending) for ending in (INCLUSIVE, EXCLUSIVE))
    return (_form(verb, tense, ENDINGS.get(person, "")),)


def _form(verb: Verb, tense: str, ending: str) -> str:
    """A form; no ending: the third person, whose last vowel is long, or A after a consonant."""
    stem = verb.lemma
    is_front = any(letter in FRONT for letter in stem) != (verb.exception == "kind")
    if tense == "PST" and verb.exception == "vowel":
        last = max(place for place, letter in enumerate(stem) if letter in VOWELS)
        stem = stem[:last] + OTHER_VOWEL[stem[last]] + stem[last + 1 :]
    if tense == "PST":
        stem += "si" if stem[-1] in VOWELS else "i"
    elif stem[-1] not in VOWELS:
        stem += "e" if ending else "A"
    elif not ending:
        stem += stem[-1]
    if ending in ("n", "t", "ttA", "mme", "kkA"):  # the first consonant closes the stem's last syllable
        stem = stem[:-2] + WEAK.get(stem[-2], stem[-2]) + stem[-1]
    if tense == "FUT":
        stem = stem[:2] + stem
    return (stem + ending).replace("A", "ä" if is_front else "a")


def _drawn_form(verb: Verb, features: str) -> str:
    forms = forms_of(verb, features)
    return forms[len(forms) > 1 and _share(f"form|{verb.lemma}|{features}") < EXCLUSIVE_SHARE]


def _verbs() -> Iterator[Verb]:
    """The verbs, all lemmas different."""
    lemmas: dict[str, None] = {}
    number = 0
    while len(lemmas) < LEMMAS + UNSEEN_LEMMAS:
        lemmas[_lemma(number)] = None
        number += 1
    for lemma in lemmas:
        chance = _share(f"exception|{lemma}")
        yield Verb(lemma, "vowel" if chance < EXCEPTION_SHARE / 2 else "kind" if chance < EXCEPTION_SHARE else "")


def _lemma(number: int) -> str:
    """A stem of two or three syllables, the vowels of one kind; half of them end with a consonant."""
    chance = hashlib.sha256(f"seq2seq-flows inflection 1|lemma|{number}".encode()).digest()
    vowels = (BACK, FRONT)[chance[0] % 2] + NEUTRAL
    letters = []
    for syllable in range(2 + chance[1] % 2):
        draw = chance[4 + 4 * syllable : 8 + 4 * syllable]
        letters += [CONSONANTS[draw[0] % len(CONSONANTS)], vowels[draw[1] % len(vowels)]]
        if syllable == 0 and chance[2] % 5 == 0:
            letters.pop(0)  # begins with a vowel
        if draw[2] % 4 == 0 and syllable == 0:
            letters.append("nslr"[draw[3] % 4])
    if chance[3] % 2:
        letters.append("nslrk"[chance[20] % 5])
    return "".join(letters)


def _questions(verbs: Collection[Verb]) -> list[tuple[Verb, str]]:
    return [(verb, f"{tense};{person}") for verb in verbs for tense in TENSES for person in PERSONS]


def _in_order(questions: Collection[tuple[Verb, str]]) -> list[tuple[Verb, str]]:
    """The questions in an order that does not depend on the one given."""
    return sorted(questions, key=lambda question: _share(f"order|{question[0].lemma}|{question[1]}"))


@cache
def _share(text: str) -> float:
    """A number from 0 to 1 that depends on the text alone."""
    number = int.from_bytes(hashlib.sha256(f"seq2seq-flows inflection 1|{text}".encode()).digest()[:6], "big")
    return number / 2**48
