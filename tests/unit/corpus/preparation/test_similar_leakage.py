"""Planted leaks, found in sentences that are made for it; and pairs that only resemble those of dev, which are not."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import Settings, parse_settings
from seq2seq_core.corpus.leakage.similar_leaks import SimilarLeaks
from seq2seq_core.corpus.leakage.similar_texts import SimilarTexts
from seq2seq_core.corpus.pairs import iterate_pairs, iterate_sentences
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.stages.prepare import run_prepare

Pair = tuple[str, str]
THRESHOLD = 0.62


def make_pairs(count: int, seed: int) -> list[Pair]:
    """Pairs of sentences of 8 to 14 words; those of two seeds share words, but no sentence."""
    letters = random.Random(0)
    words = [["".join(letters.choices("abcdefghijklmnopqrstuvwxyz", k=5)) for _ in range(800)] for _ in ("source", "target")]
    chance = random.Random(seed)
    source, target = ([" ".join(chance.choices(side, k=chance.randint(8, 14))) for _ in range(count)] for side in words)
    return list(zip(source, target, strict=True))


def change(text: str, chance: random.Random) -> str:
    words = text.split()
    words[chance.randrange(len(words))] = "changed"
    return " ".join(words)


def drop(text: str, chance: random.Random) -> str:
    words = text.split()
    del words[chance.randrange(len(words))]
    return " ".join(words)


def plant(dev: list[Pair], seed: int) -> dict[str, list[Pair]]:
    """The leaks of each kind, by the name that the funnel gives most of them."""
    chance, fresh = random.Random(seed), make_pairs(len(dev), seed + 1)
    return {
        "changed": [(change(source, chance), other) for (source, _), (_, other) in zip(dev, fresh, strict=True)],
        "dropped": [(drop(source, chance), other) for (source, _), (_, other) in zip(dev, fresh, strict=True)],
        "target": [(other, target) for (_, target), (other, _) in zip(dev, fresh, strict=True)],
        "exchanged": [(target, source) for source, target in dev],
    }


RULES = {
    "changed": "leakage.similar_source", "dropped": "leakage.similar_source", "target": "leakage.similar_target",
    "exchanged": "leakage.exchanged",
}  # fmt: skip


def test_planted_leaks_are_found_and_other_pairs_kept(fresh_seed: int) -> None:
    dev = make_pairs(200, fresh_seed)
    leaks = SimilarLeaks(THRESHOLD)
    for pair in dev:
        leaks.protect(*pair)
    for kind, pairs in plant(dev, fresh_seed).items():
        found = [leaks.find(*pair) for pair in pairs]
        assert found.count(RULES[kind]) >= 190, kind
    clean = make_pairs(1000, fresh_seed + 2)
    assert sum(bool(leaks.find(*pair)) for pair in clean) <= 3


def test_similarity_is_measured_and_not_what_the_hashes_say() -> None:
    index = SimilarTexts(0.6)
    index.add("abcdefgh", "target")
    # Both have 7 runs of four characters; 5 are common, of 9 in all.
    assert SimilarTexts(0.55).find_sides("abcdefgx") == set()
    assert index.find_sides("abcdefgx") == set()
    index.threshold = 5 / 9
    assert index.find_sides("ABCDEFGX ") == {"target"}
    assert index.find_sides("") == index.find_sides("?!") == set()


def _settings(*splits: str, **corpus_settings: object) -> Settings:
    columns = {"source_language": "en", "target_language": "de"}
    files = {split: [{"file": f"{split}.tsv", "columns": columns}] for split in splits}
    corpus = {"path": "raw", "files": files, "header": False, **corpus_settings}
    values = {
        "corpus": corpus,
        "prepare": {"leakage": "similar", "max_dropped_fraction": 1.0},
        "tokenize": {"joint": True, "source_tags": ["target_language"]},
        "register": {"model_name": "m"},
    }
    return parse_settings(values, "test")


def _write(path: Path, pairs: list[Pair]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(f"{source}\t{target}\n" for source, target in pairs))


def test_the_funnel_names_each_kind_of_leak_from_files_of_dev(tmp_path: Path) -> None:
    dev = make_pairs(40, 1)
    planted, clean = plant(dev, 2), make_pairs(60, 9)
    _write(tmp_path / "raw" / "train.tsv", [pair for pairs in planted.values() for pair in pairs] + clean)
    for split in ("dev", "test"):
        _write(tmp_path / "raw" / f"{split}.tsv", dev)
    (tmp_path / "raw" / "en.txt").write_text("".join(f"{source}\n" for source, _ in [*planted["changed"], *clean]))
    (tmp_path / "raw" / "de.txt").write_text("".join(f"{target}\n" for _, target in [*planted["target"], *clean]))
    settings = _settings(
        *("train", "dev", "test"),
        monolingual=[{"file": f"{language}.txt", "language": language} for language in ("en", "de")],
    )
    funnels = run_prepare(settings, Paths(tmp_path), NullRecorder()).funnels
    dropped = funnels["train"].dropped
    assert (dropped["leakage.similar_target"], dropped["leakage.exchanged"], dropped["leakage"]) == (40, 40, 0)
    assert dropped["leakage.similar_source"] >= 76
    kept = [(pair["source"], pair["target"]) for pair in iterate_pairs(Paths(tmp_path).prepared_split("train"))]
    assert kept[-60:] == clean
    assert list(iterate_sentences(Paths(tmp_path).prepared_sentences("de"))) == [target for _, target in clean]
    assert funnels["monolingual.en"].dropped["leakage.similar_source"] >= 38


def test_carved_out_splits_are_protected_from_pairs_before_and_behind_them(tmp_path: Path) -> None:
    pairs = make_pairs(300, 5)
    chance = random.Random(6)
    copies = [(change(source, chance), f"other {number}") for number, (source, _) in enumerate(pairs)]
    _write(tmp_path / "raw" / "train.tsv", [*copies[:150], *pairs, *copies[150:]])
    funnels = run_prepare(_settings("train"), Paths(tmp_path), NullRecorder()).funnels
    texts = {
        split: [pair["source"] for pair in iterate_pairs(Paths(tmp_path).prepared_split(split))]
        for split in ("train", "dev", "test")
    }
    index = SimilarTexts(THRESHOLD)
    for text in texts["dev"] + texts["test"]:
        index.add(text, "source")
    assert not [text for text in texts["train"] if index.find_sides(text)]
    assert funnels["train"].dropped["leakage.similar_source"] >= 0.8 * len(texts["dev"] + texts["test"]) > 20
    assert funnels["train"].rows_in == 600 == sum(map(len, texts.values())) + sum(funnels["train"].dropped.values())


MARKS = """
import random
from seq2seq_core.corpus.leakage.similar_texts import SimilarTexts
texts = [" ".join(random.Random(n).choices(["aaaa", "bbbb", "cccc", "dddd"], k=6)) for n in range(300)]
def marks(order):
    index = SimilarTexts(0.6)
    for n in order:
        index.add(texts[n], "source")
    return "".join(str(len(index.find_sides(text))) for text in texts[200:])
"""


def test_what_is_found_depends_on_neither_the_order_nor_the_process() -> None:
    here: dict[str, Any] = {}
    exec(MARKS, here)
    found = here["marks"](range(200))
    assert set(found) == {"0", "1"}
    assert here["marks"](range(199, -1, -1)) == found
    environment = {"PYTHONHASHSEED": "12345", "PYTHONPATH": os.pathsep.join(sys.path)}
    other = subprocess.run(
        [sys.executable, "-c", f"{MARKS}\nprint(marks(range(200)))"], capture_output=True, text=True, check=True, env=environment
    )
    assert other.stdout.strip() == found
