from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any, get_args

import pytest

from seq2seq_core.artifacts import SPLITS, Paths
from seq2seq_core.config.prepare import LeakagePolicy
from seq2seq_core.config.settings import Settings, parse_settings
from seq2seq_core.corpus.leakage.split_note import read_split_note
from seq2seq_core.corpus.normalization import normalize_nearly
from seq2seq_core.corpus.pairs import iterate_pairs
from seq2seq_core.corpus.preparation import row_lines
from seq2seq_core.corpus.samples.sample_dates import write_sample_corpus
from seq2seq_core.errors import CorpusError, UserError
from seq2seq_core.evaluation.prepared_digest import fault_of_prepared
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.stages.prepare import run_prepare
from seq2seq_core.tokenization.manifest import file_digest

Pair = tuple[str, str]
TRAIN_ONLY: dict[str, list[object]] = {"train": ["train.tsv"]}
ALL_FILES: dict[str, list[object]] = {"train": ["train.tsv"], "dev": ["dev.tsv"], "test": ["test.tsv"]}


def _settings(files: dict[str, list[object]], **prepare: object) -> Settings:
    prepare = {"max_dropped_fraction": 1.0, **prepare}
    values = {"corpus": {"path": "raw", "files": files}, "prepare": prepare, "register": {"model_name": "m"}}
    return parse_settings(values, "test")


def _write(root: Path, **splits: list[Pair]) -> Paths:
    (root / "raw").mkdir(parents=True, exist_ok=True)
    for name, pairs in splits.items():
        text = "source\ttarget\n" + "".join(f"{source}\t{target}\n" for source, target in pairs)
        (root / "raw" / f"{name}.tsv").write_text(text, encoding="utf-8")
    return Paths(root)


def _prepared(paths: Paths) -> dict[str, list[Pair]]:
    return {split: [(pair["source"], pair["target"]) for pair in iterate_pairs(paths.prepared_split(split))] for split in SPLITS}


def _report(paths: Paths) -> dict[str, Any]:
    report = json.loads(paths.prepare_report.read_text(encoding="utf-8"))
    assert isinstance(report, dict)
    return report


def _numbered(count: int, start: int = 0) -> list[Pair]:
    return [(f"source number {number}", f"target {number}") for number in range(start, start + count)]


def _assert_adds_up(paths: Paths) -> None:
    prepared = _prepared(paths)
    for split, funnel in _report(paths).items():
        assert funnel["rows_in"] == sum(funnel["dropped"].values()) + sum(funnel["carved"].values()) + funnel["rows_out"]
        assert funnel["rows_out"] == len(prepared[split])
        assert funnel["sha256"] == file_digest(paths.prepared_split(split))
        assert not fault_of_prepared(split, paths)


def test_other_columns_may_have_the_names_of_our_own_and_any_number(tmp_path: Path) -> None:
    names = ["line", "file", "position", "#", "", *(f"column_{number}" for number in range(1200))]
    rows = [["\t".join(("source", "target", *names))]]
    rows += [[f"source {row}", f"target {row}", f"verse {row}", *names[1:]] for row in range(60)]
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "train.tsv").write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")
    paths = Paths(tmp_path)
    run_prepare(_settings(TRAIN_ONLY), paths, NullRecorder())
    pairs = [pair for split in SPLITS for pair in iterate_pairs(paths.prepared_split(split))]
    assert {pair["source"]: pair["line"] for pair in pairs} == {f"source {row}": f"verse {row}" for row in range(60)}
    assert all(list(pair) == ["source", "target", *names] and pair["column_1199"] == "column_1199" for pair in pairs)


def test_the_sample_corpus_passes_whole_with_its_columns(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    write_sample_corpus(tmp_path / "raw")
    result = run_prepare(_settings(ALL_FILES, leakage="exact"), paths, NullRecorder())
    assert {split: funnel.rows_out for split, funnel in result.funnels.items()} == {"train": 7700, "dev": 525, "test": 1190}
    first = next(iterate_pairs(paths.prepared_split("test")))
    assert list(first) == ["source", "target", "language", "format", "novelty"]
    _assert_adds_up(paths)


def test_near_leakage_takes_nothing_from_the_sample_corpus_either(tmp_path: Path) -> None:
    write_sample_corpus(tmp_path / "raw")
    result = run_prepare(_settings(ALL_FILES, leakage="near"), Paths(tmp_path), NullRecorder())
    assert result.funnels["train"].dropped["leakage"] == 0


def test_every_row_is_accounted_for_by_the_rule_that_dropped_it(tmp_path: Path) -> None:
    train = [
        *_numbered(10), ("", "x"), ("long" * 10, "x" * 40), ("same", "same"), ("bell \x07", "y"), ("short", "x" * 30),
        ("source number 1", "target 1"), ("source number 1", "other"), ("Dev source!", "zzz"), ("test source", "zzz"),
    ]  # fmt: skip
    paths = _write(tmp_path, train=train, dev=[("dev source", "x")], test=[("test source", "x")])
    settings = _settings(
        ALL_FILES, drop_control_characters=True, drop_copies=True, max_characters=35, max_length_ratio=4.0, deduplicate="source",
    )  # fmt: skip
    run_prepare(settings, paths, NullRecorder())
    assert _report(paths)["train"]["dropped"] == {
        "drop_control_characters": 1, "drop_copies": 1, "min_characters": 1, "max_characters": 1, "max_length_ratio": 1,
        "deduplicate": 2, "leakage": 2,
    }  # fmt: skip
    assert _prepared(paths)["train"] == _numbered(10)
    _assert_adds_up(paths)


def test_the_funnel_adds_up_on_random_corpora(tmp_path: Path, fresh_seed: int) -> None:
    generator = random.Random(fresh_seed)
    words = ["a", "b", "A!", "", "é", "e\u0301", "x\x9d", "  ", "a b", "long " * 5]
    for trial in range(8):
        rows = [("".join(generator.choices(words, k=3)), "".join(generator.choices(words, k=2))) for _ in range(200)]
        unlike = [(f"{generator.getrandbits(128):x}", f"{generator.getrandbits(128):x}") for _ in range(40)]  # no rule drops these
        given = generator.sample(["dev", "test"], k=generator.randrange(3))
        paths = _write(tmp_path / str(trial), train=rows + unlike, dev=rows[:5] + _numbered(1), test=rows[5:9] + _numbered(1, 1))
        settings = _settings(
            {split: files for split, files in ALL_FILES.items() if split in ["train", *given]},
            unicode_normalization=generator.choice(["none", "NFC", "NFKC"]),
            whitespace=generator.choice(["keep", "strip", "collapse"]),
            drop_control_characters=generator.random() < 0.5, drop_copies=generator.random() < 0.5,
            max_length_ratio=generator.choice([0.0, 5.0]), deduplicate=generator.choice(["none", "pair", "source"]),
            leakage=generator.choice(get_args(LeakagePolicy)), clean_evaluation_splits=generator.random() < 0.5,
            dev_fraction=0.3, test_fraction=0.3,
        )  # fmt: skip
        run_prepare(settings, paths, NullRecorder())
        _assert_adds_up(paths)


def test_a_growing_corpus_never_moves_a_pair_between_splits(tmp_path: Path, fresh_seed: int) -> None:
    pairs = [(f"{fresh_seed} {number}", f"target {number}") for number in range(600)]
    settings = _settings(TRAIN_ONLY, dev_fraction=0.1, test_fraction=0.2)
    before = _write(tmp_path / "before", train=pairs[:300])
    run_prepare(settings, before, NullRecorder())
    random.Random(fresh_seed).shuffle(pairs)
    after = _write(tmp_path / "after", train=pairs)
    run_prepare(settings, after, NullRecorder())
    grown = _prepared(after)
    for split, kept in _prepared(before).items():
        assert set(kept) <= set(grown[split])


@pytest.mark.parametrize("leakage", get_args(LeakagePolicy))
def test_carved_splits_share_no_source_not_even_nearly(tmp_path: Path, leakage: str) -> None:
    pairs = [(text, str(number)) for number in range(300) for text in (f"Item {number}.", f"item {number}", f"ITEM  {number}!")]
    paths = _write(tmp_path, train=pairs)
    run_prepare(_settings(TRAIN_ONLY, dev_fraction=0.2, test_fraction=0.2, leakage=leakage), paths, NullRecorder())
    forms = {split: {normalize_nearly(source) for source, _ in pairs} for split, pairs in _prepared(paths).items()}
    assert sum(map(len, forms.values())) == len(forms["train"] | forms["dev"] | forms["test"])
    if leakage != "similar":  # these texts are similar by nature
        assert sum(map(len, forms.values())) == 300


@pytest.mark.parametrize(("leakage", "left"), [("keep", 6), ("exact", 3), ("near", 1)])
def test_train_loses_what_stands_in_dev_or_test(tmp_path: Path, leakage: str, left: int) -> None:
    train = [("a b", "1"), ("a  b", "1"), ("A b.", "2"), ("c d", "3"), ("C D", "4"), ("e", "5")]
    paths = _write(tmp_path, train=train, dev=[("a b", "x")], test=[("c d", "x")])
    run_prepare(_settings(ALL_FILES, leakage=leakage), paths, NullRecorder())
    assert len(_prepared(paths)["train"]) == left
    assert _prepared(paths)["dev"] == [("a b", "x")]
    assert _prepared(paths)["test"] == [("c d", "x")]


def test_given_dev_and_test_are_kept_whole_but_normalised(tmp_path: Path) -> None:
    dirty = [(" a ", "b"), (" a ", "b"), ("", "c"), ("x\x9d", "same")]
    paths = _write(tmp_path, train=_numbered(3), dev=dirty, test=dirty)
    run_prepare(_settings(ALL_FILES, drop_control_characters=True), paths, NullRecorder())
    assert _prepared(paths)["dev"] == _prepared(paths)["test"] == [("a", "b"), ("a", "b"), ("", "c"), ("x\x9d", "same")]
    assert _report(paths)["dev"]["dropped"] == {}


def test_given_dev_and_test_are_cleaned_on_request(tmp_path: Path) -> None:
    dirty = [(" a ", "b"), (" a ", "b"), ("", "c"), ("x\x9d", "same")]
    paths = _write(tmp_path, train=_numbered(3), dev=dirty, test=dirty)
    run_prepare(_settings(ALL_FILES, drop_control_characters=True, clean_evaluation_splits=True), paths, NullRecorder())
    assert _prepared(paths)["dev"] == [("a", "b")]
    dropped = {"drop_control_characters": 1, "min_characters": 1, "max_characters": 0, "deduplicate": 1}
    assert _report(paths)["dev"]["dropped"] == dropped
    _assert_adds_up(paths)


def test_dev_alone_is_carved_where_test_is_given(tmp_path: Path) -> None:
    paths = _write(tmp_path, train=_numbered(200), test=_numbered(3, 1000))
    files: dict[str, list[object]] = {"train": ["train.tsv"], "test": ["test.tsv"]}
    run_prepare(_settings(files, dev_fraction=0.2), paths, NullRecorder())
    assert list(_report(paths)["train"]["carved"]) == ["dev"]
    assert len(_prepared(paths)["test"]) == 3
    assert set(_prepared(paths)["train"]) | set(_prepared(paths)["dev"]) == set(_numbered(200))


def test_intended_repetitions_stay_with_deduplication_off(tmp_path: Path) -> None:
    paths = _write(tmp_path, train=_numbered(5) * 3, dev=[("d", "d")], test=[("t", "t")])
    run_prepare(_settings(ALL_FILES, deduplicate="none"), paths, NullRecorder())
    assert _prepared(paths)["train"] == _numbered(5) * 3


def test_the_outputs_are_the_same_at_every_run_and_in_every_folder(tmp_path: Path) -> None:
    outputs = []
    for name in ("one", "two"):
        paths = _write(tmp_path / name, train=_numbered(100))
        run_prepare(_settings(TRAIN_ONLY, dev_fraction=0.2, test_fraction=0.2), paths, NullRecorder())
        files = [*(paths.prepared_split(split) for split in SPLITS), paths.prepare_report]
        outputs.append([file.read_bytes() for file in files])
    assert outputs[0] == outputs[1]


def test_the_recorder_gets_counts_and_tables(tmp_path: Path) -> None:
    noted: dict[str, Any] = {}

    class NotingRecorder(NullRecorder):
        def log_metrics(self, metrics: Any, step: int | None = None) -> None:
            noted.update(metrics)

        def log_text(self, text: str, name: str) -> None:
            noted[name] = text

    paths = _write(tmp_path, train=[*_numbered(3), ("", "x")], dev=[("d", "d")], test=[("t", "t")])
    run_prepare(_settings(ALL_FILES), paths, NotingRecorder())
    assert noted["train.rows_in"] == 4
    assert noted["train.dropped.min_characters"] == 1
    assert noted["dev.source_characters.max"] == 1
    assert "| dropped by min_characters |    -1 |     |      |" in noted["tables/funnel.md"]


def test_an_empty_train_names_the_rule_that_ate_it(tmp_path: Path) -> None:
    paths = _write(tmp_path, train=[*_numbered(5), ("", "x")], dev=[("d", "d")], test=_numbered(5))
    with pytest.raises(UserError) as caught:
        run_prepare(_settings(ALL_FILES), paths, NullRecorder())
    assert str(caught.value) == (
        "train is empty: of 6 rows all were taken away, most by prepare.leakage "
        "(prepare.min_characters 1, prepare.leakage 5); expected some to be left; `s2s dropped` shows them"
    )
    assert not paths.prepared.exists()
    assert not paths.prepare_report.exists()
    written = [path for path in tmp_path.rglob("*.jsonl") if "kept_rows" not in path.parts]  # what is kept for the next run
    assert written == [paths.stopped_prepare / "dropped.jsonl"]


def test_a_test_split_eaten_by_cleaning_names_the_rule(tmp_path: Path) -> None:
    paths = _write(tmp_path, train=_numbered(5), dev=[("d", "d")], test=[("", "x")])
    with pytest.raises(UserError) as caught:
        run_prepare(_settings(ALL_FILES, clean_evaluation_splits=True), paths, NullRecorder())
    assert str(caught.value) == (
        "test is empty: of 1 rows all were taken away, most by prepare.min_characters (prepare.min_characters 1); "
        "expected some to be left; `s2s dropped` shows them"
    )


def test_a_test_file_without_rows_is_named(tmp_path: Path) -> None:
    paths = _write(tmp_path, train=_numbered(5), dev=[("d", "d")], test=[])
    with pytest.raises(UserError) as caught:
        run_prepare(_settings(ALL_FILES), paths, NullRecorder())
    assert str(caught.value) == "test is empty: the files of corpus.files.test have no rows; expected at least one"


def test_a_corpus_too_small_to_carve_from_names_the_fraction(tmp_path: Path) -> None:
    paths = _write(tmp_path, train=_numbered(5), test=[("t", "t")])
    files: dict[str, list[object]] = {"train": ["train.tsv"], "test": ["test.tsv"]}
    with pytest.raises(UserError) as caught:
        run_prepare(_settings(files, dev_fraction=0.0), paths, NullRecorder())
    assert str(caught.value) == (
        "dev is empty: prepare.dev_fraction 0 of the 5 pairs left of train gave none; "
        "expected a larger fraction, or files in corpus.files.dev"
    )


def test_a_fault_in_the_corpus_leaves_the_older_outputs(tmp_path: Path) -> None:
    paths = _write(tmp_path, train=_numbered(5), dev=[("d", "d")], test=[("t", "t")])
    run_prepare(_settings(ALL_FILES), paths, NullRecorder())
    before = _prepared(paths)
    with (tmp_path / "raw" / "train.tsv").open("ab") as file:
        file.write(b"sp\xe4t\tlate\n")
    with pytest.raises(CorpusError, match=r"^raw/train\.tsv:7: not UTF-8: byte 0xE4"):
        run_prepare(_settings(ALL_FILES), paths, NullRecorder())
    assert _prepared(paths) == before
    assert sorted(path.name for path in paths.prepared.parent.iterdir()) == ["prepared"]


def test_a_column_called_like_a_split_survives_with_any_text(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    row = json.dumps({"source": "a\u2028b", "target": "c\nd", "note": {"x": 1}, "train": None}, ensure_ascii=False)
    for split in SPLITS:
        (tmp_path / "raw" / f"{split}.jsonl").write_text(row.replace("a\u2028b", f"{split}\u2028b") + "\n", encoding="utf-8")
    files: dict[str, list[object]] = {split: [f"{split}.jsonl"] for split in SPLITS}
    run_prepare(_settings(files), Paths(tmp_path), NullRecorder())
    pairs = list(iterate_pairs(Paths(tmp_path).prepared_split("test")))
    assert pairs == [{"source": "test\u2028b", "target": "c\nd", "note": '{"x": 1}', "train": ""}]


def test_rows_keep_the_order_of_their_own_columns_and_pages_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    languages = {"source_language": "en", "target_language": "de"}
    rows: list[dict[str, Any]] = [
        {"source": "a", "target": "A", **languages},
        {"note": "x", "target": "B", "target_language": "de", "source": "b", "source_language": "en"},
        {"source": "c", **languages, "other": None, "target": "C", "note": 'q"\n'},
    ]
    (tmp_path / "raw").mkdir()
    for split in SPLITS:
        lines = [json.dumps(row | {"source": row["source"] + split}) for row in rows * (2 if split == "train" else 1)]
        (tmp_path / "raw" / f"{split}.jsonl").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    files = {split: [f"{split}.jsonl"] for split in SPLITS}
    corpus = {"path": "raw", "files": files, "both_directions": True}
    values = {
        "corpus": corpus,
        "prepare": {"deduplicate": "none"},
        "tokenize": {"joint": True, "source_tags": ["target_language"]},
        "register": {"model_name": "m"},
    }
    paths = Paths(tmp_path)
    run_prepare(parse_settings(values, "test"), paths, NullRecorder())
    written = paths.prepared_split("train").read_text(encoding="utf-8")
    pairs = [json.loads(line) for line in written.splitlines()]
    assert [list(pair) for pair in pairs[2:6]] == [
        *[["source", "target", "note", "target_language", "source_language"]] * 2,
        *[["source", "target", "source_language", "target_language", "other", "note"]] * 2,
    ]
    assert pairs[2:4] == [
        {"source": "btrain", "target": "B", "note": "x", **languages},
        {"source": "B", "target": "btrain", "note": "x", "source_language": "de", "target_language": "en"},
    ]
    assert (len(pairs), pairs[:6]) == (12, pairs[6:])
    monkeypatch.setattr(row_lines, "PAGE_ROWS", 4)
    run_prepare(parse_settings(values, "test"), paths, NullRecorder())
    assert paths.prepared_split("train").read_text(encoding="utf-8") == written


def test_pairs_that_differ_in_what_the_model_is_asked_are_kept(tmp_path: Path) -> None:
    rows = {
        "train": ["walk\tV;PST\twalked", "walk\tV.PTCP;PST\twalked", "walk\tV;PST\twalked", "Walk\tV;PRS\twalks"],
        "dev": ["walk\tV;PRS\twalks"],
        "test": ["go\tV;PST\twent"],
    }
    (tmp_path / "raw").mkdir()
    for split, lines in rows.items():
        text = "".join(f"{line}\n" for line in ["source\tfeatures\ttarget", *lines])
        (tmp_path / "raw" / f"{split}.tsv").write_text(text, encoding="utf-8")
    corpus: dict[str, object] = {"path": "raw", "files": ALL_FILES}
    values = {"prepare": {"leakage": "near"}, "register": {"model_name": "m"}}
    with pytest.raises(UserError, match="train is empty"):
        run_prepare(parse_settings(values | {"corpus": corpus}, "test"), Paths(tmp_path), NullRecorder())
    settings = parse_settings(values | {"corpus": corpus | {"input_columns": ["features"]}}, "test")
    run_prepare(settings, Paths(tmp_path), NullRecorder())
    kept = {pair["features"]: pair["target"] for pair in iterate_pairs(Paths(tmp_path).prepared_split("train"))}
    assert kept == {"V;PST": "walked", "V.PTCP;PST": "walked"}


def test_a_conversation_is_never_parted_between_splits(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    lines = [f"c{number}\t{turn}\tsaid {number * turn}" for number in range(200) for turn in range(1, 5)]
    text = "".join(f"{line}\n" for line in ["conversation\tturn\ttext", *lines])
    (tmp_path / "raw" / "train.tsv").write_text(text, encoding="utf-8")
    corpus = {"path": "raw", "files": TRAIN_ONLY, "conversations": {"context_turns": 2}}
    prepare = {"dev_fraction": 0.2, "test_fraction": 0.2, "deduplicate": "none", "leakage": "keep"}
    paths = Paths(tmp_path)
    run_prepare(
        parse_settings({"corpus": corpus, "prepare": prepare, "register": {"model_name": "m"}}, "test"), paths, NullRecorder()
    )
    conversations = {split: {pair["conversation"] for pair in iterate_pairs(paths.prepared_split(split))} for split in SPLITS}
    assert sum(map(len, conversations.values())) == 200
    assert all(20 <= len(conversations[split]) <= 60 for split in ("dev", "test"))


def test_the_report_says_of_which_split_the_figures_are(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    splits = {"train": [*_numbered(20), ("asked", "x")], "dev": _numbered(3, 100), "test": [("asked", "y"), *_numbered(3, 200)]}
    paths = _write(tmp_path, **splits)
    notes = {}
    for name, values in {
        "dropped": {"leakage": "exact"},
        "kept": {"leakage": "keep", "leakage_reason": "the published split has them"},
        "silent": {"leakage": "keep"},
    }.items():
        run_prepare(_settings(ALL_FILES, **values), paths, NullRecorder())
        notes[name] = read_split_note(paths.prepare_report)
    assert notes["dropped"].startswith("1 of 21 rows of train are left out because dev or test has them (prepare.leakage)")
    assert notes["kept"] == "prepare.leakage is keep, so train may have what dev and test ask: the published split has them"
    assert notes["silent"] == ""
    assert "prepare.leakage is keep: say why in prepare.leakage_reason, which then stands beside the scores" in caplog.messages
    run_prepare(_settings(TRAIN_ONLY, dev_fraction=0.2, test_fraction=0.2, leakage="keep"), paths, NullRecorder())
    assert read_split_note(paths.prepare_report) == ""
    with pytest.raises(UserError, match="leakage_reason must be empty unless leakage is keep, got leakage exact"):
        _settings(ALL_FILES, leakage="exact", leakage_reason="none")
