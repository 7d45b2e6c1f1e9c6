"""Small corpora of many kinds, as people bring them: each function fills a folder."""

from __future__ import annotations

import csv
import gzip
import json
import math
import struct
import wave
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

ENGLISH, GERMAN, FRENCH = (
    text.split()
    for text in (
        "the cat dog house tree sees likes old small green river bread water and under behind",
        "die katze hund haus baum sieht mag alte kleine grüne fluss brot wasser und unter hinter",
        "le chat chien maison arbre voit aime vieux petit vert fleuve pain eau et sous derrière",
    )
)
CYRILLIC = dict(zip("abcdefghijklmnopqrstuvwxyz", "абцдефгхийклмнопкрстуввхиз", strict=True))
DIGITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]


def sentences(words: Sequence[str], count: int, start: int = 0) -> Iterator[str]:
    """Sentences of five to eight words, the same for the same place in every language."""
    for number in range(start, start + count):
        places = [(number * (place + 3) + place * place + number // 7) % len(words) for place in range(5 + number % 4)]
        yield f"{' '.join(words[place] for place in places)} {number}."


def names(count: int, start: int = 0) -> Iterator[str]:
    """Pronounceable words."""
    syllables = [consonant + vowel for consonant in "bdfgklmnprstvz" for vowel in "aeiou"]
    for number in range(start, start + count):
        yield "".join(syllables[number // size % len(syllables)] for size in (1, len(syllables), 7)[: 2 + number % 2])


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Writes lines; a name that ends in .gz is compressed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = "".join(f"{line}\n" for line in lines).encode()
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)


def write_aligned_splits(folder: Path) -> None:
    """Two aligned text files a split, as for machine translation."""
    for start, (split, count) in enumerate({"train": 300, "dev": 30, "test": 30}.items()):
        for language, words in (("en", ENGLISH), ("de", GERMAN)):
            write_lines(folder / f"{split}.{language}", sentences(words, count, 1000 * start))
    write_lines(folder / "README.md", ["# A corpus", "", "About it; and more"])


def write_aligned_alone(folder: Path) -> None:
    """Two aligned compressed files, not split."""
    for language, words in (("fr", FRENCH), ("en", ENGLISH)):
        write_lines(folder / f"books.fr-en.{language}.gz", sentences(words, 400))


def write_aligned_folders(folder: Path) -> None:
    """A folder a language."""
    for split, count in {"train": 300, "valid": 40}.items():
        for language, words in (("en", ENGLISH), ("de", GERMAN)):
            write_lines(folder / language / f"{split}.txt", sentences(words, count, 0 if split == "train" else 1000))


def write_semicolons(folder: Path) -> None:
    """A CSV file as a spreadsheet in Europe writes it: semicolons, quotes, a header, more columns."""
    with (folder / "export.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerow(["id", "english", "german", "domain"])
        for number, pair in enumerate(zip(sentences(ENGLISH, 400), sentences(GERMAN, 400), strict=True)):
            first = f"Well; {pair[0]}" if number % 9 == 0 else pair[0]
            writer.writerow([number, first, pair[1], ("news", "talk")[number % 2]])


def write_bars(folder: Path) -> None:
    """Text files separated by a vertical bar, without a header."""
    for split, count in {"training": 300, "validation": 30}.items():
        words = list(names(count, 0 if split == "training" else 900))
        write_lines(folder / f"{split}.txt", (f"{word}|{' '.join(CYRILLIC[letter] for letter in word)}" for word in words))


def write_moses(folder: Path) -> None:
    """One text file with ` ||| ` between the sides."""
    pairs = zip(sentences(ENGLISH, 400), sentences(GERMAN, 400), strict=True)
    write_lines(folder / "corpus.en-de.txt", (" ||| ".join(pair) for pair in pairs))


def write_pronunciation(folder: Path) -> None:
    """Words and their phones, a header, commas."""
    words = list(names(400))
    phones = {"a": "ɑ", "e": "ɛ", "i": "iː", "o": "ɔ", "u": "ʊ"}
    rows = (f"{word},{' '.join(phones.get(letter, letter) for letter in word)}" for word in words)
    write_lines(folder / "lexicon.csv", ["word,pronunciation", *rows])


def write_normalisation(folder: Path) -> None:
    """Running words before and after normalisation; most come again and again."""
    rows = []
    for number in range(900):
        digits = f"{number % 100:02d}"
        spoken = " ".join(DIGITS[int(digit)] for digit in digits)
        rows.append(f"{digits}\t{spoken}" if number % 3 == 0 else f"{ENGLISH[number % 16]}\t{ENGLISH[number % 16]}")
    for split, own in {"train": rows[:700], "dev": rows[700:800], "test": rows[800:]}.items():
        write_lines(folder / f"{split}.tsv", ["before\tafter", *own])


def write_spelling(folder: Path) -> None:
    """Words with a letter wrong, and the right word."""
    words = list(names(400))
    write_lines(folder / "typos.tsv", (f"{word[:1]}x{word[2:]}\t{word}" for word in words))


def write_inflection(folder: Path) -> None:
    """Lemma, form, features."""
    forms = {"V;PST": "{}ed", "V;V.PTCP;PRS": "{}ing", "V;PRS;3;SG": "{}s"}
    rows = [f"{word}\t{form.format(word)}\t{features}" for word in dict.fromkeys(names(150)) for features, form in forms.items()]
    for split, own in {"trn": rows[:-60], "dev": rows[-60:-30], "tst": rows[-30:]}.items():
        write_lines(folder / f"eng.{split}", own)


def write_summaries(folder: Path) -> None:
    """JSON lines with long documents and summaries."""
    for start, (split, count) in enumerate({"train": 120, "validation": 20, "test": 20}.items()):
        rows = []
        for number in range(count):
            text = list(sentences(ENGLISH, 20, 1000 * start + 20 * number))
            rows.append(json.dumps({"id": number, "article": " ".join(text), "highlights": text[0]}))
        write_lines(folder / f"{split}.jsonl", rows)


def write_turns(folder: Path) -> None:
    """JSON lines with the turns of conversations."""
    turns = [
        {"conversation_id": f"c{number}", "turn": turn, "speaker": ("user", "agent")[turn % 2], "text": text}
        for number in range(120)
        for turn, text in enumerate(sentences(ENGLISH, 3, 3 * number))
    ]
    write_lines(folder / "chats.jsonl", map(json.dumps, turns))


def write_questions(folder: Path) -> None:
    """A JSON object a line in a file named .json, with questions and answers."""
    rows = zip(sentences(ENGLISH, 300), sentences(ENGLISH[::-1], 300, 5), strict=True)
    write_lines(folder / "faq.json", (json.dumps({"question": first, "answer": second}) for first, second in rows))


def write_parses(folder: Path) -> None:
    """Commands and logical forms, tab separated, train and test."""
    rows = [
        f"{one} the {two} {count}\t{one.upper()} ( {two} , {count} )"
        for one in ENGLISH[5:12]
        for two in ENGLISH[1:5]
        for count in range(12)
    ]
    write_lines(folder / "tasks_train.tsv", rows[:-40])
    write_lines(folder / "tasks_test.tsv", rows[-40:])


def write_parquet(folder: Path) -> None:
    """Two shards of train and one of test, as data sets are published."""
    import pyarrow
    import pyarrow.parquet

    shards = {"train-00000-of-00002": (0, 200), "train-00001-of-00002": (200, 200), "test-00000-of-00001": (900, 40)}
    for name, (start, count) in shards.items():
        columns = {
            "id": list(range(count)),
            "en": list(sentences(ENGLISH, count, start)),
            "de": list(sentences(GERMAN, count, start)),
        }
        (folder / "data").mkdir(exist_ok=True)
        pyarrow.parquet.write_table(pyarrow.table(columns), folder / "data" / f"{name}.parquet")


def write_languages(folder: Path) -> None:
    """A table for each pair of languages."""
    words = {"en": ENGLISH, "de": GERMAN, "fr": FRENCH}
    for first, second in (("de", "en"), ("en", "de"), ("fr", "en")):
        for split, count in {"train": 200, "dev": 20, "test": 20}.items():
            start = 0 if split == "train" else 1000 * len(split)
            pairs = zip(sentences(words[first], count, start), sentences(words[second], count, start), strict=True)
            write_lines(folder / f"{split}.{first}-{second}.tsv", ("\t".join(pair) for pair in pairs))


def write_speech(folder: Path) -> None:
    """A table of recordings and what is said: a tone for each digit."""
    rows = []
    (folder / "clips").mkdir(parents=True)
    for number in range(60):
        digits = [number % 10, (number // 10 + number) % 10]
        write_tones(folder / "clips" / f"{number:03d}.wav", digits)
        rows.append(f"clips/{number:03d}.wav,{' '.join(DIGITS[digit] for digit in digits)},{('anna', 'ben')[number % 2]}")
    write_lines(folder / "metadata.csv", ["path,transcript,speaker", *rows])


def write_tones(path: Path, digits: Sequence[int], rate: int = 8000) -> None:
    """A mono WAV file with a tenth of a second of a tone for each digit."""
    samples = [
        int(8000 * math.sin(2 * math.pi * (300 + 150 * digit) * place / rate) + 500 * math.sin(place * place))
        for digit in digits
        for place in range(rate // 10)
    ]
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(struct.pack(f"<{len(samples)}h", *samples))


def write_captions(folder: Path) -> None:
    """Pictures of a disc in some colour, and the name of the colour in two languages; no header."""
    colours = {"red": "rot", "green": "grün", "blue": "blau"}
    (folder / "pictures").mkdir(parents=True)
    rows = []
    for number in range(60):
        channel = number % 3
        pixels = bytearray(b"\xff" * (16 * 20 * 3))
        for place in range(16 * 20):
            row, column = place // 20 - 8 + number // 30, place % 20 - 10 + number // 3 % 10 - 5
            if row * row + column * column < 40:
                pixels[3 * place : 3 * place + 3] = bytes(200 if one == channel else number for one in range(3))
        (folder / "pictures" / f"{number}.ppm").write_bytes(b"P6 20 16 255\n" + bytes(pixels))
        english, german = list(colours.items())[channel]
        rows += [f"pictures/{number}.ppm\t{english} disc {number}\ten", f"pictures/{number}.ppm\t{german}e Scheibe {number}\tde"]
    write_lines(folder / "discs.tsv", rows)


def write_german_sheet(folder: Path) -> None:
    """A quoted CSV file with semicolons and a header in German, as a spreadsheet writes it."""
    with (folder / "Übersetzungen Mai.csv").open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, delimiter=";", quoting=csv.QUOTE_ALL)
        writer.writerow(["Quelltext", "Zieltext", "Bemerkung"])
        for number, pair in enumerate(zip(sentences(GERMAN, 300), sentences(ENGLISH, 300), strict=True)):
            writer.writerow([f'Er sagt: "{pair[0]}"' if number % 5 == 0 else pair[0], pair[1], "geprüft" if number % 9 else ""])


def write_packed_sides(folder: Path) -> None:
    """Two aligned compressed files with the endings of sources and targets."""
    for side, words in (("src", FRENCH), ("tgt", GERMAN)):
        write_lines(folder / f"a.{side}.gz", sentences(words, 300))


def write_chats(folder: Path) -> None:
    """JSON lines with the messages of chats, in order, without numbers."""
    messages = [
        {"thread": f"t{number}", "role": ("user", "assistant")[turn % 2], "content": text}
        for number in range(100)
        for turn, text in enumerate(sentences(ENGLISH, 4, 4 * number))
    ]
    write_lines(folder / "support.jsonl", map(json.dumps, messages))


def write_three_texts(folder: Path) -> None:
    """A Parquet file with three columns of texts."""
    import pyarrow
    import pyarrow.parquet

    columns = {
        "passage": [" ".join(sentences(ENGLISH, 3, number)) for number in range(300)],
        "question": list(sentences(ENGLISH[::-1], 300)),
        "answer": list(sentences(ENGLISH, 300, 7)),
    }
    pyarrow.parquet.write_table(pyarrow.table(columns), folder / "qa.parquet")


def write_variants(folder: Path) -> None:
    """Words and their phones; many words have several pronunciations, a row each, and comments stand above."""
    vowels = {"a": "ɑ", "e": "ɛ", "i": "iː", "o": "ɔ", "u": "ʊ"}
    rows = []
    for number, word in enumerate(names(300)):
        phones = " ".join(vowels.get(letter, letter) for letter in word)
        rows += [f"{word}\t{phones}"] + ([f"{word}\t{phones.replace('ɔ', 'o').replace('ʊ', 'u')} ə"] if number % 3 == 0 else [])
    write_lines(folder / "lexicon.dict", ["# a lexicon", "# of small words", *rows])


def write_cards(folder: Path) -> None:
    """Cards with tags, as Anki exports them."""
    head = ["#separator:tab", "#html:false", "#columns:Front\tBack\tTags", "#tags column:3"]
    pairs = zip(sentences(GERMAN, 300), sentences(ENGLISH, 300), strict=True)
    rows = (f"{first}\t{second}\t{'verb' if number % 2 else ''}" for number, (first, second) in enumerate(pairs))
    write_lines(folder / "Mein Deck.txt", [*head, *rows])


def write_nested(folder: Path) -> None:
    """JSON lines with the pair in a nested column, as data sets for translation are published."""
    for start, (split, count) in enumerate({"train": 300, "validation": 30, "test": 30}.items()):
        pairs = zip(sentences(ENGLISH, count, 1000 * start), sentences(FRENCH, count, 1000 * start), strict=True)
        rows = [
            json.dumps({"id": str(number), "translation": {"en": one, "fr": other}}) for number, (one, other) in enumerate(pairs)
        ]
        write_lines(folder / f"{split}.jsonl", rows)


def write_unicode_text(folder: Path) -> None:
    """A table in UTF-16, as Excel's "Unicode text"; its message names the command that converts it."""
    rows = zip(sentences(ENGLISH, 300), sentences(GERMAN, 300), strict=True)
    text = "".join("\t".join(row) + "\r\n" for row in [("english", "german"), *rows])
    (folder / "Tabelle 1.txt").write_bytes(text.encode("utf-16"))


WRITERS: dict[str, Callable[[Path], None]] = {
    writer.__name__.removeprefix("write_"): writer
    for writer in (
        write_aligned_splits, write_aligned_alone, write_aligned_folders, write_semicolons, write_bars, write_moses,
        write_pronunciation, write_normalisation, write_spelling, write_inflection, write_summaries, write_turns,
        write_questions, write_parses, write_parquet, write_languages, write_speech, write_captions,
        write_german_sheet, write_packed_sides,
        write_chats, write_three_texts, write_variants, write_cards, write_nested, write_unicode_text,
    )
}  # fmt: skip
"""The corpora by name."""


def make_corpus(name: str, folder: Path) -> Path:
    """Fills a new folder with one of the corpora; returns it."""
    folder.mkdir(parents=True)
    WRITERS[name](folder)
    return folder
