"""What is evaluated is what is served: prepared rows in the evaluation, raw rows by every door, the same texts and scores."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any, get_args

import pandas as pd
import pytest
from typer.testing import CliRunner

from seq2seq_core.artifacts import Paths
from seq2seq_core.cli.main import app
from seq2seq_core.config.settings import Settings, parse_settings
from seq2seq_core.corpus.pairs import iterate_pairs
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.normal_form import AS_IT_IS, MendingName, NormalForm
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.registry.registration import register_bundle
from seq2seq_core.stages.evaluate import run_evaluate
from seq2seq_core.stages.export import run_export
from seq2seq_core.stages.prepare import run_prepare
from seq2seq_core.stages.tokenize import run_tokenize
from seq2seq_core.stages.train import run_train

from .conftest import Client, open_client

pytestmark = pytest.mark.usefixtures("light_registration")

UNICODE_FORMS, WHITESPACE = (get_args(NormalForm.model_fields[name].annotation) for name in ("unicode_normalization", "whitespace"))
DEFAULT: dict[str, Any] = {}
FAR = {"beam_size": 1, "max_length_ratio": 16.0, "min_length": 3, "no_repeat_ngram_size": 2, "length_penalty": 0.0}
LIMITED = {"beam_size": 3, "max_length": 6, "min_length": 6, "length_penalty": 2.5}
# Each Unicode form and each way with blanks once: a case is a training, and every door uses the one `NormalForm.apply`.
CASES = [(form, blanks, FAR, ()) for form, blanks in zip(UNICODE_FORMS, WHITESPACE, strict=True)]
CASES += [("NFKC", "collapse", DEFAULT, get_args(MendingName)), ("NFKC", "collapse", LIMITED, ())]
# Accents that compose, a no-break and an ideographic space, a ligature, wide letters, runs of blanks, blanks at both ends,
# a text to mend.
SIDES = [
    "cafe\u0301 noir", "caf\u00e9  noir", "caf\u00e9\u00a0noir", " \ufb01n  \uff21\uff11 ", "\u3000fin A1", "\u00a0x\u00a0 y z",
    "x y  z\u2003", "caf\u00c3\u00a9&#32;no\u200bir",
]  # fmt: skip
TAGS = ["e\u0301s", "\u00e9s", "\uff44\uff45", "de", "a  b", " a\u00a0b"]
ROWS = [(source, target, tag) for source, target in product(SIDES, SIDES[::2]) for tag in TAGS[:2]]
ROWS += [(f"{source} {tag}", source, tag) for source, tag in product(SIDES, TAGS)]


@dataclass(frozen=True)
class Served:
    """A workspace with every stage done."""

    paths: Paths
    client: Client
    model: Any


@pytest.fixture(scope="module", params=CASES, ids=lambda case: f"{case[0]}-{case[1]}-{len(case[2])}")
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, mlflow_template: Path) -> Iterator[Served]:
    paths, settings = Paths(tmp_path_factory.mktemp("doors")), make_settings(*request.param)
    shutil.copy(mlflow_template, paths.mlflow_database)
    write_corpus(paths.root / "corpus")
    for run in (run_prepare, run_tokenize, run_train, run_export, run_evaluate):
        run(settings, paths, NullRecorder())
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("MLFLOW_TRACKING_URI", raising=False)
        register_bundle(settings, paths)
    with open_client(paths, "models:/dates/1") as client:
        import mlflow.pyfunc

        yield Served(paths, client, mlflow.pyfunc.load_model("models:/dates/1"))


def write_corpus(corpus: Path) -> None:
    corpus.mkdir()
    for split, rows in (("train", ROWS), ("dev", ROWS[::9]), ("test", ROWS[::2])):
        lines = "".join("\t".join(row) + "\n" for row in rows)
        (corpus / f"{split}.tsv").write_text("source\ttarget\tlanguage\n" + lines, encoding="utf-8")


def make_settings(unicode_normalization: str, whitespace: str, options: dict[str, Any], mend: tuple[str, ...]) -> Settings:
    return parse_settings(
        {
            "corpus": {"path": "corpus", "files": {split: [f"{split}.tsv"] for split in ("train", "dev", "test")}},
            "prepare": {
                "unicode_normalization": unicode_normalization, "whitespace": whitespace, "leakage": "keep", "deduplicate": "none",
                "mend": list(mend),
            },
            "tokenize": {
                "joint": True, "source": {"model": "char", "vocabulary_size": 60}, "source_tags": ["language"],
                "target_tags": ["language"],
            },
            "model": {"width": 16},
            "train": {
                "max_steps": 30, "warmup_steps": 1, "learning_rate": 0.02, "batch_tokens": 256, "validate_every_steps": 30,
                "dev_sentences": 2,
            },
            "evaluate": options,
            "register": {"model_name": "dates"},
            "runtime": {"device": "cpu", "progress": "plain", "num_threads": 1},
        },
        "test",
    )  # fmt: skip


def run_cli(paths: Paths, *words: object) -> str:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    (paths.root / "dvc.yaml").write_text("stages: {}\n")
    done = CliRunner().invoke(app, [*map(str, words), "--workspace", str(paths.root), "--device", "cpu"])
    for number, handler in before.items():
        signal.signal(number, handler)
    assert done.exit_code == 0, done.output
    return done.stdout


def write_lines(path: Path, lines: list[str]) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def write_rows(paths: Paths, rows: list[tuple[str, str, str]]) -> tuple[Path, Path, Path]:
    """Files of the sources, the targets and the tags."""
    return (
        write_lines(paths.root / "sources.txt", [row[0] for row in rows]),
        write_lines(paths.root / "targets.txt", [row[1] for row in rows]),
        write_lines(paths.root / "tags.jsonl", [json.dumps({"language": row[2]}) for row in rows]),
    )


def ask_command_line(served: Served, rows: list[tuple[str, str, str]]) -> list[dict[str, Any]]:
    sources, _, tags = write_rows(served.paths, rows)
    return [json.loads(line) for line in run_cli(served.paths, "predict", sources, "--tags", tags, "--json").splitlines()]


def ask_pyfunc(served: Served, rows: list[tuple[str, str, str]]) -> list[dict[str, Any]]:
    frame = pd.DataFrame({"source": [row[0] for row in rows], "language": [row[2] for row in rows]}, dtype=object)
    answer = served.model.predict(frame)
    found: list[dict[str, Any]] = answer.to_dict("records")
    return found


def ask_over_http(served: Served, rows: list[tuple[str, str, str]]) -> list[dict[str, Any]]:
    response = served.client.post(json={"dataframe_records": [{"source": row[0], "language": row[2]} for row in rows]})
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = response.json()["predictions"]
    return found


def test_raw_rows_get_by_every_door_what_the_evaluation_got_for_prepared_ones(served: Served) -> None:
    raw = ROWS[::2]
    evaluated = [json.loads(line) for line in (served.paths.evaluation / "predictions.jsonl").read_text().splitlines()]
    assert len(evaluated) == len(raw)
    for ask in (ask_command_line, ask_pyfunc, ask_over_http):
        answers = ask(served, raw)
        assert [one["prediction"] for one in answers] == [one["hypothesis"] for one in evaluated], ask.__name__
        assert [one["score"] for one in answers] == pytest.approx([one["score"] for one in evaluated], abs=2e-4)
        assert [one["is_cut"] for one in answers] == [one["is_cut"] for one in evaluated]


def test_raw_targets_and_prefixes_are_read_as_prepared_ones(served: Served) -> None:
    prepared = [(pair["source"], pair["target"], pair["language"]) for pair in iterate_pairs(served.paths.prepared_split("test"))]
    found = []
    for rows in (ROWS[::2], prepared):
        sources, targets, tags = write_rows(served.paths, rows)
        prefixes = write_lines(served.paths.root / "prefixes.txt", [row[1] for row in rows])
        scores = run_cli(served.paths, "score", sources, targets, "--tags", tags)
        found.append((scores, run_cli(served.paths, "predict", sources, "--tags", tags, "--prefix", prefixes)))
    assert found[0] == found[1]
    assert len(found[0][0].splitlines()) == len(prepared)


def test_without_the_normal_form_the_answers_would_differ(served: Served) -> None:
    """Or the tests above would show nothing."""
    predictor = Predictor.from_folder(served.paths.served)
    form, raw = predictor.bundle.config.normal_form, ROWS[::2]
    assert form == NormalForm.model_validate_json(served.paths.prepared_normal_form.read_bytes())
    config = predictor.bundle.config.model_copy(update={"normal_form": AS_IT_IS})
    naive = Predictor(replace(predictor.bundle, config=config))
    tags = [{"language": form.apply(row[2]).strip()} for row in raw]
    sources = [row[0] for row in raw]
    scores = [[one.score for one in one.predict(sources, tags=tags)] for one in (predictor, naive)]
    moved = [abs(one - other) > 1e-3 for one, other in zip(*scores, strict=True)]
    changed = [form.apply(source) != source for source in sources]
    assert any(changed) == any(moved) == (form != AS_IT_IS)
    assert not [source for source, has_moved, is_changed in zip(sources, moved, changed, strict=True) if has_moved > is_changed]
