from __future__ import annotations

import csv
import subprocess
import sys
from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from seq2seq_core.corpus.samples.sample_dates import COLUMNS, HELD_OUT_FORMAT, held_out_years, write_date, write_sample_corpus
from seq2seq_core.errors import UserError

LANGUAGES = {"en", "de", "fr", "es", "ru", "zh", "ja"}
DIGESTS = {
    "train.tsv": "9803841feeeb053395404f5fd6c96e5880e112781c522a39633a3ad196ee3743",
    "dev.tsv": "5927c182a298a19672daaece05bf529713ad401358f2f6ff16cbae5ad69f58ca",
    "test.tsv": "f75f4dcb15a897dfe29b86463b9165ff643eb647b48f6c5b7fb02b946393300a",
}
Splits = dict[str, list[dict[str, str]]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample") / "dates"
    write_sample_corpus(folder)
    return folder


@pytest.fixture(scope="module")
def splits(folder: Path) -> Splits:
    rows = {}
    for split in ("train", "dev", "test"):
        with (folder / f"{split}.tsv").open(encoding="utf-8", newline="") as file:
            rows[split] = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return rows


def test_the_bytes_are_the_same_on_every_machine(tmp_path: Path) -> None:
    summary = write_sample_corpus(tmp_path / "dates")
    assert summary.digests == DIGESTS
    assert summary.rows == {"train": 7700, "dev": 525, "test": 1190}
    assert str(summary) == f"{tmp_path / 'dates'}: 7700 pairs of train, 525 pairs of dev, 1190 pairs of test"


def test_the_bytes_do_not_depend_on_hash_seed_locale_or_time_zone(tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from seq2seq_core.corpus.samples.sample_dates import write_sample_corpus as w; "
    code += "print(*w(Path(sys.argv[1])).digests.values())"
    environment = {"PYTHONHASHSEED": "7", "LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8", "TZ": "Asia/Kathmandu"}
    root = Path(__file__).parents[3]
    result = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "again")], env=environment, cwd=root, capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == list(DIGESTS.values())


def test_files_are_small_with_a_header_and_line_feeds(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == ["dev.tsv", "test.tsv", "train.tsv"]
    assert sum(path.stat().st_size for path in folder.iterdir()) < 1_000_000
    for path in folder.iterdir():
        data = path.read_bytes()
        assert data.startswith("\t".join(COLUMNS).encode() + b"\n")
        assert data.endswith(b"\n")
        assert b"\r" not in data


def test_every_language_has_its_share(splits: Splits) -> None:
    for rows in splits.values():
        counts = Counter(row["language"] for row in rows)
        assert set(counts) == LANGUAGES
        assert len(set(counts.values())) == 1


def test_targets_are_dates_of_their_range(splits: Splits) -> None:
    for rows in splits.values():
        assert all(1900 <= date.fromisoformat(row["target"]).year <= 2099 for row in rows)


def test_no_source_stands_twice_or_has_two_targets(splits: Splits) -> None:
    sources = [row["source"] for rows in splits.values() for row in rows]
    assert len(sources) == len(set(sources))


def test_no_row_of_any_locale_could_be_read_as_another_date(splits: Splits) -> None:
    """Numeric dates with the day first and with the month first never stand side by side."""
    known = {row["source"]: row["target"] for rows in splits.values() for row in rows}
    for source, target in known.items():
        year, month, day = target.split("-")
        parts = source.split("/")
        if len(parts) == 3 and parts[2] == year:
            assert (int(parts[0].split()[-1]), int(parts[1])) == (int(day), int(month)), source


def test_no_day_of_dev_or_test_stands_in_train_in_any_form(splits: Splits) -> None:
    train = {row["target"] for row in splits["train"]}
    assert not train & {row["target"] for row in splits["dev"]}
    assert not train & {row["target"] for row in splits["test"]}


def test_held_out_years_occur_only_in_their_part_of_test(splits: Splits) -> None:
    years = held_out_years()
    assert len(years) == 20
    assert {year // 10 for year in years} == set(range(190, 210))
    for split, rows in splits.items():
        for row in rows:
            assert (int(row["target"][:4]) in years) == (split == "test" and row["novelty"] == "year")


def test_the_held_out_format_occurs_only_in_its_part_of_test(splits: Splits) -> None:
    for split, rows in splits.items():
        for row in rows:
            assert (row["format"] == HELD_OUT_FORMAT) == (split == "test" and row["novelty"] == "format")


def test_test_has_every_novelty_in_every_language(splits: Splits) -> None:
    counts = Counter((row["language"], row["novelty"]) for row in splits["test"])
    assert set(counts) == {(language, novelty) for language in LANGUAGES for novelty in ("none", "year", "format")}
    assert min(counts.values()) >= 50


def test_the_words_of_the_held_out_format_occur_in_train(splits: Splits) -> None:
    """What is new about the format is the combination: without that, no model could be expected to read it."""
    for language in LANGUAGES:
        train = " ".join(row["source"] for row in splits["train"] if row["language"] == language)
        known = set(train.replace(",", " ").replace("(", " ").replace(")", " ").split())
        for row in splits["test"]:
            if row["language"] == language and row["novelty"] == "format" and language not in ("zh", "ja"):
                words = [word for word in row["source"].replace(",", " ").split() if not word.strip(".").isdigit()]
                assert set(words) <= known, row["source"]
            elif row["language"] == language and row["novelty"] == "format":
                assert set(row["source"]) <= set(train), row["source"]


@pytest.mark.parametrize(
    ("locale", "name", "written"),
    [
        ("en_US", "full", "Saturday, September 6, 2025"),
        ("en_GB", "yMEd", "Sat, 06/09/2025"),
        ("de_AT", "long", "6. September 2025"),
        ("fr_FR", "medium", "6 sept. 2025"),
        ("es_MX", "yMMMEd", "sáb, 6 de sep de 2025"),
        ("ru_RU", "full", "суббота, 6 сентября 2025 г."),
        ("zh_Hant_TW", "full", "2025年9月6日 星期六"),
        ("ja_JP", "yMMMEd", "2025年9月6日(土)"),
    ],
)
def test_dates_are_written_as_cldr_says(locale: str, name: str, written: str) -> None:
    assert write_date(date(2025, 9, 6), locale, name) == written


def test_without_babel_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "babel.dates", None)
    with pytest.raises(UserError) as caught:
        write_sample_corpus(tmp_path / "dates")
    assert str(caught.value) == "the sample corpus is generated with Babel, which is not installed; run: pip install babel"
    assert not (tmp_path / "dates").exists()


def test_other_files_of_the_folder_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    write_sample_corpus(tmp_path)
    assert (tmp_path / "notes.txt").read_text(encoding="utf-8") == "mine"
    assert (tmp_path / "train.tsv").stat().st_size > 100_000
