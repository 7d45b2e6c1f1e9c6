"""Each ready settings file of a task, through the stages from the raw corpus to the scores, on a tiny generated corpus."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import Settings, parse_settings
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.stages.evaluate import run_evaluate
from seq2seq_core.stages.export import run_export
from seq2seq_core.stages.prepare import run_prepare
from seq2seq_core.stages.tokenize import run_tokenize
from seq2seq_core.stages.train import run_train
from seq2seq_core.stages.validate import run_validate
from seq2seq_core.tokenization.manifest import Manifest

CONFIGS = Path(__file__).resolve().parents[3] / "configs"
WORDS = ["low", "new", "old", "red", "big", "hot", "dry", "wet", "far", "mad"]
SPLITS = {"train": 60, "dev": 4, "test": 4}


def write_multilingual(folder: Path) -> None:
    for pair in ("de-en", "en-de", "fr-en", "en-fr"):
        for start, (split, count) in enumerate(SPLITS.items()):
            lines = [
                f"{WORDS[n % 10]} {pair} {start} {n}\t{WORDS[n % 7]} {n}\n" for n in range(count // (2 if "fr" in pair else 1))
            ]
            (folder / f"{split}.{pair}.tsv").write_text("".join(lines))


def write_inflection(folder: Path) -> None:
    forms = {"V;PST": "{}ed", "V;V.PTCP;PST": "{}ed", "V;PRS;3;SG": "{}s", "V;NFIN": "{}"}
    rows = [
        (word + other, form.format(word + other), name) for word in WORDS for other in WORDS[:4] for name, form in forms.items()
    ]
    splits = {"dev": rows[::9], "test": [*rows[1::9], ("lowlow", "lowlowing", "V;V.PTCP;PRS;NEW")]}
    splits["train"] = [row for place, row in enumerate(rows) if place % 9 > 1]
    for split, own in splits.items():
        (folder / f"{split}.tsv").write_text("".join("\t".join(row) + "\n" for row in own))


def write_summarisation(folder: Path) -> None:
    for start, (split, count) in enumerate(SPLITS.items()):
        rows = []
        for number in range(count):
            words = [WORDS[(number * place + start) % 10] for place in range(60)]
            rows.append({"document": f"{split} {number} " + " ".join(words), "summary": " ".join(words[:4]), "id": number})
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def write_dialogue(folder: Path) -> None:
    turns = [
        {"conversation": f"c{number}", "turn": turn, "text": f"{WORDS[number % 10]} {WORDS[turn]} {number}"}
        for number in range(120)
        for turn in range(3)
    ]
    (folder / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in turns))


def write_normalisation(folder: Path) -> None:
    for split, count in SPLITS.items():
        rows = [f"{WORDS[number % 3]}\t{WORDS[number % 3]}\n" for number in range(count)]
        (folder / f"{split}.tsv").write_text("".join([*rows, "2\ttwo\n"]))


def write_spelling(folder: Path) -> None:
    for split, count in SPLITS.items():
        rows = [f"{WORDS[number % 5]}{'eh' * (number % 2)}\t{WORDS[number % 5]}\n" for number in range(count)]
        (folder / f"{split}.tsv").write_text("".join(rows))


WRITERS: dict[str, Callable[[Path], None]] = {
    "multilingual": write_multilingual,
    "inflection": write_inflection,
    "summarisation": write_summarisation,
    "dialogue": write_dialogue,
    "normalisation": write_normalisation,
    "spelling": write_spelling,
}

QUICK = ("multilingual", "spelling")
"""Files that every run of the tests takes; the others are proofs."""


def make_tiny(name: str) -> Settings:
    """The ready settings with a tiny model that is hardly trained."""
    values: dict[str, Any] = yaml.safe_load((CONFIGS / f"{name}.yaml").read_text(encoding="utf-8"))
    values["corpus"]["path"] = "raw"
    values["tokenize"]["source"]["vocabulary_size"] = 60
    values["model"] |= {"width": 8, "encoder_layers": 1, "decoder_layers": 1, "heads": 2, "feedforward_width": 8}
    for phase in (values["train"], *values["train"].get("phases", [])):
        phase |= {"max_steps": 2, "warmup_steps": 1, "validate_every_steps": 2, "batch_tokens": 600}
    values["train"]["dev_sentences"] = 4
    values["evaluate"] |= {"beam_size": 1, "max_length_ratio": 0.1, "max_length_offset": 4}
    values["runtime"] = {"device": "cpu", "progress": "plain"}
    return parse_settings(values, name)


@pytest.mark.parametrize("name", [pytest.param(name, marks=() if name in QUICK else pytest.mark.proof) for name in WRITERS])
def test_a_ready_file_runs_from_the_corpus_to_the_scores(tmp_path: Path, name: str) -> None:
    if name == "summarisation":
        pytest.importorskip("rouge_score", reason="ROUGE needs rouge-score")
    paths, settings, recorder = Paths(tmp_path), make_tiny(name), NullRecorder()
    (tmp_path / "raw").mkdir()
    WRITERS[name](tmp_path / "raw")
    run_validate(settings, paths, recorder)
    run_prepare(settings, paths, recorder)
    run_tokenize(settings, paths, recorder)
    assert run_train(settings, paths, recorder).steps == 2 * len(settings.train.all_phases())
    run_export(settings, paths, recorder)
    assert list(run_evaluate(settings, paths, recorder).test) == settings.evaluate.metrics
    scores = json.loads((paths.evaluation / "scores.json").read_text())
    _check(name, paths, scores)


def _check(name: str, paths: Paths, scores: dict[str, Any]) -> None:
    """What is peculiar to a task."""
    manifest, predictor = Manifest.load(paths.tokenized), Predictor.from_folder(paths.bundle)
    prepared = json.loads(paths.prepare_report.read_text())
    if name == "multilingual":
        assert manifest.groups == {"de en": 60, "en de": 60, "fr en": 30, "en fr": 30}
        assert set(scores["slices"]["target_language"]) == {"de", "en", "fr"}
        assert "bleu" in scores["slices"]["target_language"]["fr"]
        assert len(predictor.predict(["low"], tags=[{"target_language": "fr"}])) == 1
    elif name == "inflection":
        # A lemma with other features is another question: none is taken for a repetition or a leak.
        assert prepared["train"]["rows_out"] == prepared["train"]["rows_in"] == 124
        assert predictor.source_tags.known_values("features") == ["3", "NFIN", "PRS", "PST", "SG", "V", "V.PTCP"]
        assert scores["counts"]["pairs"] == 19
    elif name == "summarisation":
        assert manifest.max_source_tokens == 400
        assert 0 <= scores["test"]["rougeL"] <= 100
    elif name in ("normalisation", "spelling"):
        # Repeated words are data, and words of test stay in train.
        assert prepared["train"]["rows_out"] == (61 if name == "normalisation" else 60)
        assert manifest.joint
    else:
        assert manifest.keeps_source_end
        assert sum(prepared[split]["rows_out"] for split in ("train", "dev", "test")) == 240
