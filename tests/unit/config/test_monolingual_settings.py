"""What settings ask of monolingual corpora, and of phases that learn from them."""

from __future__ import annotations

from typing import Any

import pytest

from seq2seq_core.config.settings import Settings, parse_settings
from seq2seq_core.errors import ConfigError

FILES: dict[str, Any] = {"train": [], "dev": ["dev.tsv"], "test": ["test.tsv"]}
MONOLINGUAL: list[Any] = [{"file": "en.txt", "language": "en"}, {"file": "de.txt", "language": "de"}]
DENOISING: dict[str, Any] = {"objective": "denoising"}
BACK: dict[str, Any] = {"objective": "back_translation"}


def parse(
    phases: list[Any] | None = None, tokenize: dict[str, Any] | None = None, train: dict[str, Any] | None = None, **corpus: Any
) -> Settings:
    sections = {
        "corpus": {"path": "x", "files": FILES, "monolingual": MONOLINGUAL} | corpus,
        "register": {"model_name": "m"},
        "tokenize": {"joint": True, "source_tags": ["target_language"]} | (tokenize or {}),
        "train": {"phases": [DENOISING, BACK] if phases is None else phases} | (train or {}),
    }
    return parse_settings(sections, "params.yaml")


def fault(*arguments: Any, **sections: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(*arguments, **sections)
    (found,) = caught.value.faults
    return found


def test_a_corpus_without_a_pair_to_train_on_is_possible() -> None:
    settings = parse(tokenize={"source_tags": ["source_language", "target_language"]})
    assert [phase.reads_pairs for phase in settings.train.all_phases()] == [False, False]
    assert [phase.reads_noise for phase in settings.train.all_phases()] == [True, True]


def test_without_monolingual_sentences_train_needs_files() -> None:
    assert fault(monolingual=[]) == "corpus: files.train must be a list of at least 1 item(s) unless monolingual has files, got []"


def test_dev_and_test_are_not_carved_out_of_nothing() -> None:
    expected = "corpus: files.dev and files.test must have files where files.train has none to carve them out of"
    assert fault(files={"train": [], "dev": ["dev.tsv"]}) == expected


def test_conversations_have_one_direction() -> None:
    conversations = {"id_column": "id", "text_column": "text"}
    assert fault(conversations=conversations, both_directions=True) == (
        "corpus: both_directions must be false with conversations, whose sources are no answers, got true"
    )


@pytest.mark.parametrize(
    ("tokenize", "expected"),
    [
        ({"joint": False}, "tokenize.joint: must be true with corpus.monolingual, got false"),
        ({"source_tags": []},
         "tokenize.source_tags: must be target_language, alone or with source_language, with corpus.monolingual, got []"),
        ({"source_tags": ["target_language", "domain"]},
         "tokenize.source_tags: must be target_language, alone or with source_language, with corpus.monolingual, "
         "got ['target_language', 'domain']"),
        ({"target_tags": ["target_language"]},
         "tokenize.target_tags: must be empty with corpus.monolingual, got ['target_language']"),
        ({"tag_separator": "e"}, "tokenize.tag_separator: must not be part of a language of corpus.monolingual, got 'e'"),
    ],
)  # fmt: skip
def test_one_model_must_be_able_to_tell_the_languages_apart(tokenize: dict[str, Any], expected: str) -> None:
    assert fault(tokenize=tokenize) == expected


@pytest.mark.parametrize("name", ["/a.txt", "../a.txt", ""])
def test_files_outside_the_folder_are_refused(name: str) -> None:
    expected = f"corpus.monolingual: must be names inside the corpus folder (corpus.path), got {name!r}"
    assert fault(monolingual=[{"file": name, "language": "en"}, *MONOLINGUAL]) == expected


def test_a_language_must_be_fit_for_the_name_of_a_file() -> None:
    assert fault(monolingual=[{"file": "a", "language": "e/n"}]).startswith(
        "corpus.monolingual.0.language: must be a text that matches"
    )


def test_a_phase_that_reads_pairs_needs_some() -> None:
    expected = "train.phases.1: must not learn from pairs (objective 'likelihood') without corpus.files.train"
    assert fault([DENOISING, {"objective": "likelihood"}]) == expected
    mixed = BACK | {"mixture": {"likelihood_weight": 0.5}}
    assert fault([DENOISING, mixed]) == (
        "train.phases.1: must not learn from pairs (objective 'back_translation') without corpus.files.train"
    )
    assert fault([]) == "train: must not learn from pairs (objective 'likelihood') without corpus.files.train"


def test_phases_by_monolingual_objectives_need_languages() -> None:
    pairs: dict[str, Any] = {"files": FILES | {"train": ["train.tsv"]}}
    assert fault([DENOISING], monolingual=[], **pairs) == (
        "corpus.monolingual: must have sentences of 1 language(s) or more with train.phases.0.objective 'denoising', got 0"
    )
    assert fault([BACK], monolingual=MONOLINGUAL[:1], **pairs) == (
        "corpus.monolingual: must have sentences of 2 language(s) or more with train.phases.0.objective 'back_translation', got 1"
    )


def test_denoising_needs_noise_and_a_weight() -> None:
    silent = {"shuffle_distance": 0, "drop_probability": 0, "blank_probability": 0}
    expected = "train.phases.0: noise must have a distance or probability above 0 where sentences are denoised, got none"
    assert fault([DENOISING | {"noise": silent}]) == expected
    assert not parse([DENOISING, BACK | {"noise": silent, "mixture": {"denoising_weight": 0}}]).train.phases[1].reads_noise
    assert fault([DENOISING | {"mixture": {"denoising_weight": 0}}]) == (
        "train.phases.0: mixture.denoising_weight must be above 0 with objective 'denoising', got 0"
    )


def test_a_fresh_model_has_nothing_to_translate_with() -> None:
    assert fault([BACK | {"mixture": {"denoising_weight": 0}}]) == (
        "train.phases: must begin with a phase by 'likelihood' or 'denoising', got 'back_translation' first, with neither "
        "mixture.denoising_weight nor mixture.likelihood_weight"
    )
    assert parse([BACK]).train.phases[0].reads_noise
