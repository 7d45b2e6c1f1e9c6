"""The contract on the languages of a corpus, from the settings to messages and the report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import Settings, parse_settings
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.stages.validate import run_validate

ENGLISH = ["The cat sits on the table.", "A man sleeps on the sofa.", "Two dogs run through the water."]
GERMAN = ["Die Katze sitzt auf dem Tisch.", "Ein Mann schläft auf dem Sofa.", "Zwei Hunde laufen durch das Wasser."]
FRENCH = "Un homme dort sur le canapé dans une pièce verte."
SHOWN = '"Un homme dort sur le canapé dans une piè…"'
OFF = {"limit": 0, "severity": "off"}


def test_rows_in_another_language_are_found_by_what_is_said_of_their_sides(tmp_path: Path) -> None:
    pairs = [*zip(ENGLISH, GERMAN, strict=True), (FRENCH, "OK"), ("OK", FRENCH), ("12:30", "12:30")]
    train = "source\ttarget\n" + "".join(f"{source}\t{target}\n" for source, target in pairs)
    dev = f"source\ttarget\ttarget_language\n{FRENCH}\t{FRENCH}\tfr\n{FRENCH}!\t{GERMAN[0]}\tfra\n"
    paths = Paths(tmp_path)
    folder = tmp_path / "data" / "raw" / "c"
    folder.mkdir(parents=True)
    for name, text in (("train.tsv", train), ("dev.tsv", dev), ("text.txt", f"{GERMAN[0]}\n{FRENCH}\n")):
        (folder / name).write_text(text, encoding="utf-8")

    def settings(corpus: dict[str, object], **bound: object) -> Settings:
        files = {"train": ["train.tsv"], "dev": ["dev.tsv"]}
        more: dict[str, object] = {"monolingual": [{"file": "text.txt", "language": "de"}], **corpus}
        section = {"untranslated": OFF, "conflicting_targets": OFF, "other_language": {"limit": 0.0, "rows": 0, **bound}}
        values = {"corpus": {"path": "data/raw/c", "files": files, **more}, "validate": section, "register": {"model_name": "m"}}
        return parse_settings(values | {"tokenize": {"joint": True, "source_tags": ["target_language"]}}, "test")

    said: dict[str, object] = {"languages": {"source": "en", "target": "de"}}
    warnings = run_validate(settings(said), paths, NullRecorder()).warnings
    messages = [line for warning in warnings for line in warning.splitlines() if "language" in warning]
    assert messages == [
        "train, other_language: rows with a side in another language: none; got 2 of 6 rows (33.3 %)",
        f'    train.tsv:5: source in fr: {SHOWN}, target in no sure language: "OK"',
        f'    train.tsv:6: source in no sure language: "OK", target in fr: {SHOWN}',
        "dev, other_language: rows with a side in another language: none; got 2 of 2 rows (100 %)",
        f"    dev.tsv:2: source in fr: {SHOWN}, target in fr: {SHOWN}",
        f'    dev.tsv:3: source in fr: {SHOWN}, target in de: "{GERMAN[0]}"',
        "monolingual.de, other_language: rows in another language: none; got 1 of 2 rows (50 %)",
        f"    text.txt:2: text in fr: {SHOWN}",
    ]
    report = _results(paths, settings({}), "other_language")
    assert {split: found["unexpected"] for split, found in report.items()} == {"dev": 1, "monolingual.de": 1}  # by column, by file
    sampled = _results(paths, settings(said, rows=3, limit=0.33), "other_language")["train"]  # each second row
    assert (sampled["checked"], sampled["unexpected"], sampled["success"]) == (3, 1, False)


def _results(paths: Paths, settings: Settings, contract: str) -> dict[str, dict[str, Any]]:
    """By split: what the report has of a contract."""
    run_validate(settings, paths, NullRecorder())
    report = json.loads(paths.validation_report.read_text(encoding="utf-8"))
    return {one["split"]: one for one in report["results"] if one["expectation"] == contract}
