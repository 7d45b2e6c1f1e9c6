from __future__ import annotations

from pathlib import Path

import pytest

from seq2seq_core.config.section import field_meanings
from seq2seq_core.config.settings import Settings, load_settings, parse_settings
from seq2seq_core.errors import ConfigError

MINIMAL = {"corpus": {"path": "data/raw/x", "files": {"train": ["train.tsv"]}}, "register": {"model_name": "x"}}


def _faults(**changes: object) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse_settings({**MINIMAL, **changes}, source="params.yaml")
    return caught.value.faults


def test_the_smallest_settings_name_a_corpus_and_a_model() -> None:
    settings = parse_settings(MINIMAL, source="params.yaml")
    assert settings.corpus.path == "data/raw/x"
    assert settings.train.max_steps > 0


def test_every_fault_is_listed_at_once_with_its_section_and_field() -> None:
    faults = _faults(
        train={"max_steps": 0, "schedule": "zigzag", "learning_rate": "fast"},
        tokenize={"source": {"vocabulary_size": 1}},
        banana={"ripe": True},
    )
    assert faults == [
        "tokenize.source.vocabulary_size: must be at least 8, got 1",
        "train.max_steps: must be at least 1, got 0",
        "train.learning_rate: must be a number, got 'fast'",
        "train.schedule: must be one of 'constant', 'inverse_sqrt', 'linear', 'cosine' or 'plateau', got 'zigzag'",
        "banana: must be a known setting, got an unknown name (value {'ripe': True})",
    ]


def test_true_and_false_are_no_numbers() -> None:
    corpus = {**MINIMAL["corpus"], "max_malformed_fraction": True}  # type: ignore[dict-item]
    assert _faults(corpus=corpus, train={"max_steps": True, "patience": False}, validate={"empty": {"limit": True}}) == [
        "corpus.max_malformed_fraction: must be a number, got True",
        "validate.empty.limit: must be a number, got True",
        "train.max_steps: must be a number, got True",
        "train.patience: must be a number, got False",
    ]


def test_the_message_names_the_file_and_the_number_of_faults() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_settings({**MINIMAL, "train": {"max_step": 5}}, source="params.yaml")
    assert str(caught.value) == (
        "params.yaml: 1 fault in the parameters\n  train.max_step: must be a known setting, got an unknown name (value 5)"
    )


def test_a_missing_section_is_named() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_settings({"register": {"model_name": "x"}}, source="params.yaml")
    assert caught.value.faults == ["corpus: must be given, got nothing"]


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        (
            {"model": {"tie_embeddings": "all"}},
            "model.tie_embeddings: must be 'none' or 'target' unless tokenize.joint is true, got 'all'",
        ),
        (
            {"train": {"dev_metric": "bleu", "dev_sentences": 0}},
            "train.dev_sentences: must be at least 1 with train.dev_metric 'bleu', got 0",
        ),
        ({"prepare": {"dev_fraction": 0.6, "test_fraction": 0.4}}, "prepare: dev_fraction + test_fraction must be below 1, got 1"),
        (
            {"train": {"coverage_weight": 1.0}},
            "train.coverage_weight: must be 0 unless model.coverage is true, got 1",
        ),
        (
            {"model": {"architecture": "lstm", "attention": "none", "time_scaling": "gate"}},
            "model.time_scaling: must be 'none' with attention 'none' unless bridge is 'mean' (the decoder starts from the "
            "encoder's last states, which are not scaled, and reads nothing else), got 'gate'",
        ),
        ({"model": {"width": 7}}, "model: width must be even, got 7"),
        (
            {"model": {"pointer_generator": True}},
            "model.pointer_generator: must be false unless tokenize.joint is true, got true",
        ),
    ],
)
def test_settings_that_contradict_one_another_are_refused(changes: dict[str, object], fault: str) -> None:
    assert _faults(**changes) == [fault]


@pytest.mark.parametrize(
    "changes", [{"bridge": "mean"}, {"decoder": "transformer"}, {"attention": "dot"}, {"time_scaling": "none"}]
)
def test_time_is_scaled_wherever_the_decoder_reads_it(changes: dict[str, str]) -> None:
    parse_settings({**MINIMAL, "model": {"attention": "none", "time_scaling": "gate"} | changes}, "test")


def test_not_a_number_and_infinity_are_refused() -> None:
    assert _faults(train={"learning_rate": float("nan")}) == ["train.learning_rate: must be a finite number, got nan"]


def test_settings_cannot_be_changed_after_loading() -> None:
    settings = parse_settings(MINIMAL, source="params.yaml")
    with pytest.raises(Exception, match="frozen"):
        settings.train.max_steps = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"corpus: [", "not valid YAML: line 1, column 10: while parsing a flow node"),
        (b"- a\n- b\n", "must be a mapping of sections, got list"),
        (b"", "is empty; expected sections, such as those of a file in configs/"),
        (b"corpus: \xff\xfe", "cannot be read: 'utf-8' codec can't decode byte 0xff in position 8: invalid start byte"),
    ],
)
def test_a_file_that_is_no_mapping_of_sections_is_refused(tmp_path: Path, content: bytes, fault: str) -> None:
    place = tmp_path / "params.yaml"
    place.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load_settings(place)
    assert caught.value.faults[0].startswith(fault)
    assert str(caught.value).startswith(f"{place}: 1 fault")


def test_a_missing_file_is_named_with_where_ready_ones_are(tmp_path: Path) -> None:
    place = tmp_path / "params.yaml"
    with pytest.raises(ConfigError) as caught:
        load_settings(place)
    assert caught.value.faults == [f"file not found: {place}; expected the settings there (see configs/ for ready ones)"]


def test_every_field_is_explained() -> None:
    def unexplained(model: type, where: str) -> list[str]:
        lines = []
        for name, field in model.model_fields.items():  # type: ignore[attr-defined]
            if name not in field_meanings(model):
                lines.append(f"{where}.{name}")
            if isinstance(field.annotation, type) and hasattr(field.annotation, "model_fields"):
                lines += unexplained(field.annotation, f"{where}.{name}")
        return lines

    assert unexplained(Settings, "") == []


@pytest.mark.parametrize(
    ("entry", "fault"),
    [
        ({"file": "a.tsv"}, "corpus.files.train.0.columns: must be given, got nothing"),
        ({"file": "a.tsv", "columns": {"language": False}}, "corpus.files.train.0.columns.language: must be a text, got False"),
        (
            {"file": "a.tsv", "columns": {"l": "de"}, "x": 1},
            "corpus.files.train.0.x: must be a known setting, got an unknown name (value 1)",
        ),
    ],
)
def test_a_file_with_columns_is_told_its_own_faults_alone(entry: dict[str, object], fault: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_settings(MINIMAL | {"corpus": {"path": "x", "files": {"train": [entry]}}}, "test")
    assert caught.value.faults == [fault]
