"""The faults that real corpora are known to have, found in them. Their folder is no part of the repository."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import Settings, parse_settings
from seq2seq_core.corpus.expectations.check_result import CheckResult
from seq2seq_core.errors import ContractViolation
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.stages.prepare import PrepareResult, run_prepare
from seq2seq_core.stages.validate import run_validate

CORPORA = Path(os.environ.get("SEQ2SEQ_CORPORA", Path(__file__).parents[3].parent / "shared" / "corpora"))
pytestmark = pytest.mark.skipif(
    not CORPORA.is_dir(), reason=f"the real corpora are not at {CORPORA} (set SEQ2SEQ_CORPORA to their folder)"
)
ZULU: dict[str, Any] = {split: [[f"lafand_en-zul_{split}.en", f"lafand_en-zul_{split}.zul"]] for split in ("train", "dev", "test")}
TSV: dict[str, Any] = {split: [f"{split}.tsv"] for split in ("train", "dev", "test")}


def _settings(folder: str, files: dict[str, Any], **sections: Any) -> Settings:
    corpus = {"path": str(CORPORA / folder), "files": files, "header": False}
    return parse_settings({"corpus": corpus, "register": {"model_name": "m"}, **sections}, "test")


def _validate(root: Path, folder: str, files: dict[str, Any], **validate: Any) -> dict[str, CheckResult]:
    lenient = {"empty": {"limit": 1.0}, **validate}
    result = run_validate(_settings(folder, files, validate=lenient), Paths(root), NullRecorder())
    return {f"{check.contract.split}.{check.contract.name}": check for check in result.checks}


def _prepare(root: Path, folder: str, files: dict[str, Any], **prepare: Any) -> PrepareResult:
    return run_prepare(_settings(folder, files, prepare=prepare), Paths(root), NullRecorder())


def test_bare_carriage_returns_are_found_in_both_files_behind_their_byte_order_marks(tmp_path: Path) -> None:
    name = "autshumato_nso_dev.CR-only+BOM"
    with pytest.raises(ContractViolation) as caught:
        _validate(tmp_path, "dirty_as_found", {"train": [[f"{name}.en", f"{name}.nso"]]})
    message = str(caught.value)
    for ending in ("en", "nso"):
        assert f"{name}.{ending}:1: lines end in a bare carriage return (CR, 0D): 3000 of them" in message


def test_the_leaked_test_sources_are_counted(tmp_path: Path) -> None:
    checks = _validate(tmp_path, "dirty_as_found", ZULU)
    leakage = checks["test.test_leakage"]
    assert (leakage.checked, leakage.unexpected, leakage.success) == (998, 381, False)
    assert leakage.examples[0] == (
        'lafand_en-zul_test.en:3: also lafand_en-zul_train.en:3290: "It is now up to them to make the most of it."'
    )
    overlap, invisible = checks["dev.dev_test_overlap"], checks["train.invisible_characters"]
    assert (overlap.unexpected, overlap.success, invisible.unexpected, invisible.success) == (96, False, 7, False)


@pytest.mark.parametrize(("leakage", "dropped"), [("keep", 0), ("exact", 381), ("near", 382)])
def test_the_leaked_pairs_are_dropped_from_train(tmp_path: Path, leakage: str, dropped: int) -> None:
    funnels = _prepare(tmp_path, "dirty_as_found", ZULU, leakage=leakage).funnels
    assert funnels["train"].dropped["leakage"] == dropped
    assert funnels["test"].rows_out == 998


def test_mojibake_and_its_lost_bytes_are_found(tmp_path: Path) -> None:
    checks = _validate(tmp_path, "dirty_as_found", {"train": [["lafand_en-pcm_train.en", "lafand_en-pcm_train.pcm"]]})
    mojibake, control = checks["train.mojibake"], checks["train.control_characters"]
    assert (mojibake.unexpected, control.unexpected) == (40, 102)
    assert mojibake.examples[0].startswith("lafand_en-pcm_train.en:693: in the source: ")
    assert "DÃ©by" in mojibake.examples[0]
    assert control.examples[0].startswith("lafand_en-pcm_train.en:134: U+009D in the source: ")


def test_cp1252_characters_empty_rows_and_the_giant_row_are_found(tmp_path: Path) -> None:
    name = "americasnlp_nahuatl_train_first4000"
    checks = _validate(tmp_path, "dirty_as_found", {"train": [[f"{name}.es", f"{name}.nah"]]}, examples=10)
    assert checks["train.control_characters"].unexpected == 51
    assert checks["train.empty"].unexpected == 24
    assert (checks["train.invisible_characters"].unexpected, checks["train.numbers_differ"].unexpected) == (13, 690)
    assert checks["train.empty"].examples[0] == f"{name}.es:46: empty source and target"
    giants = checks["train.max_characters"]
    assert giants.unexpected == 6
    assert any("source of 20300 characters" in example for example in giants.examples)


def test_a_word_level_corpus_passes_and_loses_nothing_by_default(tmp_path: Path) -> None:
    checks = _validate(tmp_path, "g2p2020_hun", TSV, length_ratio={"limit": 20.0})
    assert all(check.success for check in checks.values())
    funnels = _prepare(tmp_path, "g2p2020_hun", TSV).funnels
    assert {split: funnel.rows_out for split, funnel in funnels.items()} == {"train": 3600, "dev": 450, "test": 450}


def test_scan_keeps_its_test_and_gets_a_dev_out_of_train(tmp_path: Path) -> None:
    files = {"train": ["train.tsv"], "test": ["test.tsv"]}
    funnels = _prepare(tmp_path, "scan_simple", files, deduplicate="none", leakage="exact").funnels
    assert funnels["test"].rows_out == 4182
    assert funnels["train"].rows_out + funnels["dev"].rows_out == 16_728
    assert 700 < funnels["dev"].rows_out < 1000


def test_the_duplicates_and_leaks_of_eutrans_are_counted(tmp_path: Path) -> None:
    checks = _validate(tmp_path, "eutrans_es_en", TSV)
    assert checks["train.duplicate_pairs"].unexpected == 3150
    funnels = _prepare(tmp_path, "eutrans_es_en", TSV).funnels
    assert funnels["train"].dropped["deduplicate"] == 3150


def test_raw_captions_are_read_whole(tmp_path: Path) -> None:
    files = {"train": ["train.tsv"], "dev": ["dev.tsv"], "test": ["test_2016_flickr.tsv"]}
    funnels = _prepare(tmp_path, "multi30k_en_de_raw", files).funnels
    assert {split: funnel.rows_in for split, funnel in funnels.items()} == {"train": 29_000, "dev": 1014, "test": 1000}
    assert funnels["test"].rows_out == 1000


def test_text_without_spaces_is_carved_without_leaks(tmp_path: Path) -> None:
    funnels = _prepare(tmp_path, "tatoeba_en_zh", {"train": ["all.tsv"]}).funnels
    assert sum(funnel.rows_out for funnel in funnels.values()) == 32_028
    assert all(funnel.rows_out > 1000 for funnel in funnels.values())
