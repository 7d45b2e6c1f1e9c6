"""The table of what settings reach, against stages that run: a module whose code is executed is one that the digest takes in."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, get_args

import numpy as np
import pytest

import seq2seq_core
from seq2seq_core.artifacts import Paths
from seq2seq_core.audio.sound_file import write_wav
from seq2seq_core.code_digests.features import NEEDED_BY, PARTS, SILENT, features_in_use, is_silent
from seq2seq_core.code_digests.reach import find_module, reached_modules, resolve_import
from seq2seq_core.code_digests.stage_digest import digest_stage, stage_roots
from seq2seq_core.code_digests.syntax import read_meaning
from seq2seq_core.config.model import AlignmentKind, AttentionKind, PositionKind
from seq2seq_core.config.objective_sections import MONOLINGUAL_OBJECTIVES, Objective
from seq2seq_core.config.settings import Settings, load_settings, parse_settings
from seq2seq_core.evaluation.confidence.calibrator_fit import MIN_ROWS
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.stage_table import Stage, find_stage

PACKAGE = Path(seq2seq_core.__file__).parent
STAGES = tuple(map(find_stage, ("validate", "prepare", "tokenize", "train", "export", "evaluate")))
TRAIN = {"max_steps": 4, "warmup_steps": 1, "batch_tokens": 200, "validate_every_steps": 2, "dev_sentences": 4}
SIZES = {"width": 16, "heads": 2, "feedforward_width": 16}
MONOLINGUAL: dict[str, dict[str, Any]] = {
    "corpus": {
        "files": {split: [{"file": f"{split}.tsv", "columns": {"source_language": "en", "target_language": "de"}}]
                  for split in ("train", "dev", "test")},
        "monolingual": [{"file": "en.txt", "language": "en"}, {"file": "de.txt", "language": "de"}],
        "both_directions": True,
    },
    "tokenize": {"joint": True, "source": {"model": "char", "vocabulary_size": 60}, "source_tags": ["target_language"]},
    "train": TRAIN | {"phases": [{"objective": "denoising"}, {"objective": "back_translation"}]},
}  # fmt: skip
CASES: dict[str, dict[str, dict[str, Any]]] = {
    "recurrent": {"model": SIZES | {"architecture": "gru"}, "evaluate": {"beam_size": 1}},
    "penalties": {
        "model": SIZES | {"coverage": True},
        "train": TRAIN
        | {
            "phases": [{"objective": "likelihood", name: 1.0} for name in ("coverage_weight", "r_drop_weight")],
            "schedule": "plateau",
        },
    },
    "beam": {
        "model": SIZES | {"architecture": "lstm", "attention": "multi_head", "time_scaling": "gate"},
        "evaluate": {"beam_size": 3, "metrics": ["exact_match", "chrf"]},
        "train": TRAIN | {"dev_metric": "cer", "scheduled_sampling": {"decay": "linear"}, "schedule": "cosine"},
    },
    "transformer": {
        "model": SIZES | {"architecture": "transformer"},
        "train": TRAIN | {"phases": [{"objective": "likelihood"}, {"objective": "minimum_risk"}], "schedule": "linear"},
    },
    "copying": {
        "model": SIZES | {"pointer_generator": True, "coverage": True},
        "tokenize": {"joint": True, "source": {"model": "unigram", "vocabulary_size": 40}},
        "train": TRAIN | {"subword_sampling": {"sides": "source"}, "average_last": 2, "optimizer": "adafactor"},
        "prepare": {
            "drop_copies": True,
            "max_length_ratio": 3.0,
            "leakage": "near",
            "mend": ["escaped_text"],
            "augment": {"case": 1},
        },
    },
    "monolingual": MONOLINGUAL,
    "denoising alone": MONOLINGUAL
    | {
        "model": SIZES | {"architecture": "transformer", "tag_positions": False},
        "train": TRAIN | {"phases": [{"objective": "denoising"}]},
    },
    "pictures": {
        "corpus": {"source_kind": "image"},
        "tokenize": {
            "image": {"layout": "patches", "height": 8, "width": 16, "patch": 4},
            "target": {"model": "char", "vocabulary_size": 40},
        },
        "train": TRAIN | {"picture_augment": {"shift": 0.1}, "ctc_weight": 0.5},
        "model": SIZES | {"front_end": {"channels": [4], "halvings": 1}, "grid_positions": "learned", "ctc": True},
    },
    "audio": {
        "corpus": {"source_kind": "audio", "sample_rate": 8000},
        "tokenize": {"audio": {"num_mels": 8}, "target": {"model": "char", "vocabulary_size": 40}},
        "train": TRAIN | {"spec_augment": {"frequency_masks": 1, "time_masks": 1}},
        "model": SIZES,
    },
    "speech": {
        "corpus": {"target_kind": "audio", "sample_rate": 8000},
        "tokenize": {"speech": {"num_mels": 8}, "source": {"model": "char", "vocabulary_size": 40}},
        "train": TRAIN | {"phases": [{"objective": "frames"}]},
        "model": SIZES | {"frames": {"pre_net_width": 4, "post_net_width": 4}, "attention": "location"},
        "evaluate": {"beam_size": 1, "metrics": ["mel_distortion"]},
        "register": {"model_name": "m", "metric": "mel_distortion"},
    },
}

QUICK_CASES = ("recurrent", "penalties", "beam", "transformer", "copying")
"""Cases that every run of the tests takes; the others are proofs."""
VALIDATING = set(
    {repr([sections.get(name) for name in STAGES[0].sections]): case for case, sections in reversed(CASES.items())}.values()
)
"""Cases that run ``validate``: each other case has all settings that the stage reads in common with one of these."""


@pytest.mark.parametrize("case", [pytest.param(case, marks=() if case in QUICK_CASES else pytest.mark.proof) for case in CASES])
def test_the_code_that_a_stage_executes_is_in_its_digest(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "seq2seq_core.evaluation.confidence.calibrator_fit.MIN_OF_EACH", 0
    )  # a calibrator of a model that is untrained
    paths, settings = Paths(tmp_path), _settings(CASES[case])
    _write_corpus(tmp_path / "raw", settings, MIN_ROWS if case == "beam" else 6)  # enough for a calibrator
    for stage in STAGES if case in VALIDATING else STAGES[1:]:
        run = stage.load_function()
        with _executed_modules() as executed:
            run(settings, paths, NullRecorder())
        missing = {module for module in executed if not is_silent(module)} - _reached(stage, settings)
        assert not missing, f"{stage.name}: a change of {sorted(missing)} would leave the stage fresh"
        assert any(module.startswith("seq2seq_core.stages.") for module in executed)  # the probe sees something


@pytest.fixture(scope="module")
def tokenized(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    """A workspace with all that training reads."""
    paths, settings = Paths(tmp_path_factory.mktemp("tokenized")), _settings({})
    _write_corpus(paths.root / "raw", settings)
    for stage in map(find_stage, ("prepare", "tokenize")):
        stage.load_function()(settings, paths, NullRecorder())
    return paths


OBJECTIVES = [objective for objective in get_args(Objective) if objective not in (*MONOLINGUAL_OBJECTIVES, "frames")]


@pytest.mark.parametrize(
    "sections",
    [
        *({"model": {"attention": kind}} for kind in get_args(AttentionKind)),
        *({"model": {"alignment": kind}} for kind in get_args(AlignmentKind)),
        *({"model": SIZES | {"architecture": "transformer", "positions": kind}} for kind in get_args(PositionKind)),
        *({"train": {"phases": [{"objective": "likelihood"}, {"objective": kind}], "max_steps": 2}} for kind in OBJECTIVES),
    ],
    ids=str,
)
def test_the_code_of_each_attention_and_objective_is_in_the_digest_of_train(
    sections: dict[str, dict[str, Any]], tokenized: Paths
) -> None:
    settings, stage = _settings({"model": {}, "train": {}} | sections), find_stage("train")
    run = stage.load_function()
    with _executed_modules() as executed:
        run(settings, tokenized, NullRecorder())
    missing = {module for module in executed if not is_silent(module)} - _reached(stage, settings)
    assert not missing, f"a change of {sorted(missing)} would leave train fresh"
    assert "seq2seq_core.training.trainer" in executed


def test_a_stage_passes_by_what_its_settings_do_not_use() -> None:
    settings = _settings(CASES["recurrent"])
    reached = {stage.name: _reached(stage, settings) for stage in STAGES}
    for stage, modules in reached.items():
        left_out = (
            "audio.",
            "pictures.",
            "front_ends.conv_stack",
            "decoding.beam_search",
            "decoding.sampling",
            "decoding.minimum_bayes_risk",
            "transformer",
            "reinforcement",
        )
        assert not [module for module in modules if any(part in module for part in left_out)], stage
    assert "seq2seq_core.training.updates.schedules.inverse_sqrt" in reached["train"]
    assert "seq2seq_core.training.updates.schedules.cosine" not in reached["train"]
    assert "seq2seq_core.decoding.greedy" in reached["evaluate"]
    assert "seq2seq_core.corpus.cleaning_rules.max_characters" in reached["prepare"]
    assert "seq2seq_core.corpus.cleaning_rules.drop_copies" not in reached["prepare"]
    assert "seq2seq_core.evaluation.metrics.chrf" in reached["train"]
    assert "seq2seq_core.evaluation.metrics.ter" not in reached["train"]


def test_a_model_that_the_settings_name_may_have_any_part() -> None:
    own, parts = (
        CASES["recurrent"],
        {"layers.transformer_shape", "attention.multi_head", "alignments.monotonic", "front_ends.conv_stack"},
    )
    own, modules = CASES["recurrent"], {f"seq2seq_core.modeling.{name}" for name in parts}
    judged = {"objective": "minimum_risk", "judge": {"reader": "ear"}}
    for stage, sections in (
        ("train", own | {"train": TRAIN | {"phases": [{"objective": "likelihood"}, judged]}}),
        ("prepare", own | {"prepare": {"distill": {"teacher": "base"}}}),
        ("evaluate", CASES["speech"] | {"evaluate": {"beam_size": 1, "metrics": ["wer"], "speech": {"read_back": "ear"}},
                                        "register": {"model_name": "m", "metric": "wer"}}),
    ):  # fmt: skip
        assert modules <= _reached(find_stage(stage), _settings(sections)), stage
    assert not modules & _reached(find_stage("train"), _settings(own))


def test_a_stage_reaches_the_metrics_that_its_settings_name_and_no_other() -> None:
    settings = _settings({"train": TRAIN | {"dev_metric": "wer"}, "evaluate": {"metrics": ["exact_match", "rougeL"]}})
    prefix = "seq2seq_core.evaluation.metrics."
    reached = {
        stage: {name.removeprefix(prefix) for name in _reached(find_stage(stage), settings) if name.startswith(prefix)}
        for stage in ("train", "evaluate", "register")
    }
    assert reached == {"train": {"wer", "exact_match", "chrf"}, "evaluate": {"exact_match", "rougeL"}, "register": {"exact_match"}}


def test_another_engine_leaves_the_training_fresh() -> None:
    model = {"model": SIZES | {"architecture": "transformer"}}
    chosen = [_settings(model | {"evaluate": choice}) for choice in ({"engine": "torch"}, {}, {"compute_type": "int8"})]
    digests = {name: [digest_stage(find_stage(name), settings) for settings in chosen] for name in ("train", "export", "evaluate")}
    assert digests["train"][0] == digests["train"][1] == digests["train"][2]
    for name in ("export", "evaluate"):
        assert all(digests[name][one] != digests[name][other] for one, other in ((0, 1), (1, 2), (0, 2)))
    recurrent = _settings(CASES["recurrent"])
    for settings, is_reached in ((chosen[0], False), (chosen[1], True), (recurrent, False)):
        assert ("seq2seq_core.decoding.engines.ctranslate2_conversion" in _reached(find_stage("export"), settings)) == is_reached
    small = _settings(CASES["recurrent"] | {"evaluate": {"compute_type": "int8"}})
    for name, settings, is_reached in (("evaluate", recurrent, False), ("evaluate", small, True), ("train", small, False)):
        assert ("seq2seq_core.modeling.layers.quantized_weight" in _reached(find_stage(name), settings)) == is_reached
    assert digest_stage(find_stage("train"), small) == digest_stage(find_stage("train"), recurrent)


def test_the_network_of_a_vocoder_counts_where_sound_is_made() -> None:
    case, network = CASES["speech"], "seq2seq_core.audio.vocos.vocos_network"
    named = _settings(case | {"evaluate": case["evaluate"] | {"speech": {"vocoder": {"name": "vocos", "path": "vocos"}}}})
    for stage, is_reached in (("train", False), ("export", True), ("evaluate", True)):
        assert (network in _reached(find_stage(stage), named)) == is_reached
        assert network not in _reached(find_stage(stage), _settings(case))


def test_every_module_of_the_table_exists() -> None:
    for name in (*SILENT, *NEEDED_BY, *PARTS):
        assert find_module(name) is not None, name


def test_what_is_imported_from_a_module_that_may_be_passed_by_is_a_function_or_a_class() -> None:
    """A constant of such a module would be read without any of its functions being called."""
    for module, imported, name in _import_edges():
        needed, needed_too = _needed_by(imported), _needed_by(module)
        if not needed or not name or is_silent(module) or (needed_too and needed_too <= needed):
            continue
        defined = {node.name for node in ast.parse(_source(imported)).body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
        assert name in defined, f"{module}: {name} of {imported}"


def _needed_by(module: str) -> set[str]:
    """The features of which any makes a module needed; none where it is needed always."""
    return {word for entry, words in NEEDED_BY.items() if module == entry or module.startswith(f"{entry}.") for word in words}


def _import_edges() -> Iterator[tuple[str, str, str]]:
    """Every import inside the package: the importing module, the imported module, and the imported name."""
    for path in sorted(PACKAGE.rglob("*.py")):
        module = _name_of(path)
        for one in read_meaning(path.read_text(encoding="utf-8"), module, path.name == "__init__.py").imports:
            if one.module.partition(".")[0] == PACKAGE.name:
                target = resolve_import(one.module, one.name)
                yield module, target, one.name if target == one.module else ""


def _name_of(path: Path) -> str:
    """The absolute name of the module in a file of the package."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _source(module: str) -> str:
    path = find_module(module)
    assert path is not None, module
    return path.read_text(encoding="utf-8")


def _reached(stage: Stage, settings: Settings) -> set[str]:
    return set(reached_modules(stage_roots(stage, settings), features_in_use(settings, stage.sections)))


@contextmanager
def _executed_modules() -> Iterator[set[str]]:
    """The modules of the package of which a function is called in this thread while the block runs."""
    files: set[str] = set()

    def see(frame: FrameType, _event: str, _: object) -> None:
        """Returns no tracer of lines: only calls are seen, which costs least."""
        if frame.f_code.co_name != "<module>":
            files.add(frame.f_code.co_filename)

    modules: set[str] = set()
    tracer = sys.gettrace()
    sys.settrace(see)
    try:
        yield modules
    finally:
        sys.settrace(tracer)
        modules.update(_name_of(Path(name)) for name in files if Path(name).is_relative_to(PACKAGE))


def _settings(sections: dict[str, dict[str, Any]]) -> Settings:
    defaults: dict[str, dict[str, Any]] = {
        "corpus": {"path": "raw", "files": {split: [f"{split}.tsv"] for split in ("train", "dev", "test")}},
        "validate": {"test_leakage": {"limit": 1.0}},
        "prepare": {"leakage": "keep"},
        "tokenize": {side: {"model": "char", "vocabulary_size": 40} for side in ("source", "target")},
        "model": SIZES,
        "train": TRAIN,
        "register": {"model_name": "m"},
        "runtime": {"device": "cpu", "progress": "plain"},
    }
    if sections.get("tokenize", {}).keys() & {"joint", "audio", "image", "speech"}:
        defaults["tokenize"] = {}
    names = defaults.keys() | sections.keys()
    return parse_settings({name: defaults.get(name, {}) | sections.get(name, {}) for name in names}, "test")


def _write_corpus(folder: Path, settings: Settings, num_dev: int = 6) -> None:
    folder.mkdir()
    chance = np.random.default_rng(1)
    for split, count in (("train", 40), ("dev", num_dev), ("test", 6)):
        words = ["".join(chance.choice(list("abcdefgh"), 5)) for _ in range(count)]
        sources = list(words)
        if settings.corpus.source_kind == "audio":
            sources = [f"{split}{number}.wav" for number in range(count)]
        if settings.corpus.source_kind == "image":
            sources = [f"{split}{number}.ppm" for number in range(count)]
            for name in sources:
                (folder / name).write_bytes(b"P5 16 8 255\n" + chance.integers(0, 256, 128).astype(np.uint8).tobytes())
        targets = [f"{word[::-1]}x" for word in words]
        if settings.corpus.target_kind == "audio":
            targets = [f"{split}{number}.wav" for number in range(count)]
        for name in (one for one in (*sources, *targets) if one.endswith(".wav")):
            write_wav(folder / name, chance.normal(scale=0.1, size=1600).astype(np.float32), 8000)
        rows = "".join(f"{source}\t{target}\n" for source, target in zip(sources, targets, strict=True))
        (folder / f"{split}.tsv").write_text("source\ttarget\n" + rows, encoding="utf-8")
    for file in settings.corpus.monolingual:
        sentences = ["".join(chance.choice(list("abcdefgh"), 6)) for _ in range(120)]
        (folder / file.file).write_text("".join(f"{text}\n" for text in sentences), encoding="utf-8")


@pytest.mark.parametrize("path", sorted((PACKAGE.parent / "configs").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_code_of_every_ready_file_can_be_digested(path: Path) -> None:
    settings = load_settings(path)
    for stage in STAGES:
        code = digest_stage(stage, settings)["code"]
        assert isinstance(code, dict)
        assert f"seq2seq_core.stages.{stage.name}" in code
