"""Digests of what `prepare` makes of real corpora by several settings. Two versions that agree print the same.

    python benchmarks/prepared_digests.py > before.txt      # at one commit, then at another: diff

The corpora are folders of one place: that of `--corpora`, or of the environment variable SEQ2SEQ_CORPORA.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import parse_settings
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.stages.prepare import run_prepare

NAMES = {"multi30k_en_de_raw": "test_2016_flickr"}
"""Names of test files that are not ``test``."""
FOLDERS = (
    *(f"g2p2020_{language}" for language in ("fre", "hun", "hin", "kor", "gre")),
    *("cogs", "wikidata_translit_en_he", "wikidata_translit_en_ru", "small_parallel_enja", "eutrans_es_en", "multi30k_en_de_raw"),
)
RULES = {"max_length_ratio": 2.5, "drop_control_characters": True, "drop_copies": True, "max_characters": 150}
SETTINGS: dict[str, dict[str, Any]] = {
    "near": {"leakage": "near"},
    "exact, rules, NFKC": {"leakage": "exact", "unicode_normalization": "NFKC", "whitespace": "collapse", **RULES},
    "by source, NFC, cleaned": {
        "deduplicate": "source", "unicode_normalization": "NFC", "whitespace": "keep", "clean_evaluation_splits": True,
    },
    "carved": {"dev_fraction": 0.1, "test_fraction": 0.1},
    "carved, similar": {"dev_fraction": 0.02, "test_fraction": 0.02, "leakage": "similar"},
}  # fmt: skip


def main() -> None:
    """Prints a line for each corpus and setting: the digest of the funnel without what later versions added, and of each split."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = os.environ.get("SEQ2SEQ_CORPORA")
    parser.add_argument("--corpora", type=Path, default=known, required=not known, help="the folder of the corpora")
    parser.add_argument("--only", nargs="+", choices=FOLDERS, default=FOLDERS, metavar="NAME", help=", ".join(FOLDERS))
    parser.add_argument("--joined", action="store_true", help="one digest of a line's digests instead of them")
    given = parser.parse_args()
    for folder in given.only:
        for name, prepare in SETTINGS.items():
            splits = ("train",) if name.startswith("carved") else ("train", "dev", "test")
            files = {split: [f"{NAMES.get(folder, split) if split == 'test' else split}.tsv"] for split in splits}
            corpus = {"path": str(given.corpora.resolve() / folder), "files": files, "header": False}
            allowed = {"max_dropped_fraction": 1.0} if "max_dropped_fraction" in _known_settings() else {}
            values = {"corpus": corpus, "prepare": prepare | allowed, "register": {"model_name": "m"}}
            with tempfile.TemporaryDirectory() as root:
                paths = Paths(Path(root))
                run_prepare(parse_settings(values, "benchmark"), paths, NullRecorder())
                report = json.loads(paths.prepare_report.read_text(encoding="utf-8"))
                for funnel in report.values():
                    funnel.pop("changed", None)
                texts = [json.dumps(report).encode(), *(file.read_bytes() for file in sorted(paths.prepared.glob("*.jsonl")))]
            digests = [_digest(text) for text in texts]
            print(folder, name, *([_digest(" ".join(digests).encode())] if given.joined else digests), flush=True)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:12]


def _known_settings() -> set[str]:
    from seq2seq_core.config.prepare import PrepareSection

    return set(PrepareSection.model_fields)


if __name__ == "__main__":
    main()
