"""A student beside its teacher, and beside the same small model without one, on the test set of the student's settings.

    python benchmarks/student.py WORKSPACE                   trains both small models and measures all three (hours of one core)
    python benchmarks/student.py WORKSPACE --max-steps 40    a short training, to see that everything works
    python benchmarks/student.py WORKSPACE --measure-only    measures what was trained

WORKSPACE holds the teacher (models/bundle) and the corpus that its params.yaml names; nothing is written there. Rates are of one
core, best of --rounds, the systems in turns: the teacher by beam 5 and the student greedily, both at 8 bits, through the engines
that serve. Sizes are of the whole served bundles. BLEU has a paired bootstrap (Koehn 2004) of the same sentences. Ctrl-C keeps what
is trained and decoded: the same command goes on. Figures go to --output as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ.setdefault("OMP_NUM_THREADS", "1")

from seq2seq_core import atomic
from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.bundle import load_bundle
from seq2seq_core.bundle.config_file import read_config
from seq2seq_core.bundle.served_bundle import export_bundle
from seq2seq_core.config.evaluate import EvaluateSection
from seq2seq_core.config.settings import Settings, load_values, parse_settings
from seq2seq_core.console import configure_logging
from seq2seq_core.corpus.pairs import SOURCE, TARGET, iterate_pairs
from seq2seq_core.decoding.engines.engine_choice import choose_engine, convert_bundle
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.evaluation.scoring_options import scoring_options
from seq2seq_core.gate.paired_comparison import compare
from seq2seq_core.gate.scored_rows import ScoredRows, score_rows
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.stages.export import run_export
from seq2seq_core.stages.prepare import run_prepare
from seq2seq_core.stages.tokenize import run_tokenize
from seq2seq_core.stages.train import run_train

ROOT = Path(__file__).resolve().parents[1]
TEACHER, STUDENT, ALONE = "teacher", "student", "alone"
BATCH = 64
LEVEL = 0.05
BARS = {"times_the_rate": 4.0, "megabytes": 10.0, "bleu_lost": 0.5}


def settings_of(name: str, teacher: Path, corpus: Path, max_steps: int) -> Settings:
    """The student's settings, with or without its teacher.

    Args:
        name: ``student`` or ``alone``.
        teacher: the folder of the teacher's bundle.
        corpus: the folder of the corpus.
        max_steps: most updates; 0: those of the settings.
    """
    values: dict[str, Any] = load_values(ROOT / "configs" / "student_en_de.yaml")
    values["corpus"]["path"] = str(corpus)
    values["prepare"]["distill"]["teacher"] = str(teacher)
    if name == ALONE:
        del values["prepare"]["distill"]
    if max_steps:
        values["train"] |= {"max_steps": max_steps, "warmup_steps": max_steps // 4, "validate_every_steps": max_steps // 2}
    values["runtime"] = {"device": "cpu", "progress": "plain", "num_threads": 1}
    return parse_settings(values, name)


def train(name: str, settings: Settings, paths: Paths) -> None:
    """Trains and exports a model in a workspace of its own; what is finished is not done again.

    Args:
        name: for messages.
        settings: of the model.
        paths: its workspace.
    """
    if paths.served.is_dir():
        return
    print(f"== {name}", flush=True)
    recorder = NullRecorder()
    for is_made, run in (
        (paths.prepare_report.is_file(), run_prepare),
        (paths.tokenize_report.is_file(), run_tokenize),
        (paths.bundle.is_dir(), run_train),
    ):
        if not is_made:
            run(settings, paths, recorder)
    run_export(settings, paths, recorder)


def export_teacher(bundle: Path, folder: Path) -> None:
    """Writes the teacher as it would be served at 8 bits by beam 5.

    Args:
        bundle: the folder of its trained bundle.
        folder: the output folder.
    """
    section = EvaluateSection(beam_size=5, compute_type="int8")
    engine = choose_engine(section, read_config(bundle).config)
    export_bundle(bundle, folder, section.decoding, None if engine is None else convert_bundle(load_bundle(bundle), engine))


def decode_in_turns(
    systems: Mapping[str, Path], pairs: Sequence[Mapping[str, str]], rounds: int
) -> tuple[dict[str, list[str]], dict[str, float]]:
    """The outputs of each system, and its sentences a second on one core: the best of some rounds, after one to warm up.

    Args:
        systems: folders of served bundles, by name.
        pairs: the test set.
        rounds: rounds that count.
    """
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    predictors = {name: Predictor.from_folder(folder, device="cpu") for name, folder in systems.items()}
    sources, texts = [pair[SOURCE] for pair in pairs], dict[str, list[str]]()
    seconds: dict[str, list[float]] = {name: [] for name in systems}
    for number in range(rounds + 1):
        for name, predictor in predictors.items():
            asked = sources if number else sources[:BATCH]
            started = time.perf_counter()
            found = predictor.predict(asked, predictor.options, BATCH)
            if number:
                seconds[name].append(time.perf_counter() - started)
                texts[name] = [one.text for one in found]
    return texts, {name: len(sources) / min(times) for name, times in seconds.items()}


def describe(name: str, folder: Path, rate: float, rows: ScoredRows) -> dict[str, Any]:
    """The figures of one system.

    Args:
        name: of the system.
        folder: of its served bundle.
        rate: its sentences a second.
        rows: its outputs as BLEU counts them.
    """
    content = read_config(folder)
    engine = "torch float32" if content.engine is None else f"{content.engine.name} {content.engine.compute_type}"
    return {
        "system": name,
        "engine": engine,
        "beam_size": content.decoding.beam_size if content.decoding else 5,
        "weights": sum(weight.numel() for weight in load_bundle(folder).model.parameters()),
        "megabytes": round(sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6, 2),
        "sentences_a_second": round(rate, 1),
        "bleu": round(rows.score, 2),
    }


def measure(work: Path, rounds: int, limit: int) -> dict[str, Any]:
    """All figures of three systems that are trained.

    Args:
        work: the folder of their workspaces.
        rounds: rounds of decoding that count.
        limit: most test rows; 0: all.
    """
    test = Paths(work / STUDENT)
    pairs = list(islice(iterate_pairs(test.prepared_split("test")), limit or None))
    systems = {TEACHER: work / TEACHER} | {name: Paths(work / name).served for name in (STUDENT, ALONE)}
    section = parse_settings(load_values(ROOT / "configs" / "student_en_de.yaml"), "student").evaluate
    texts, rates = decode_in_turns(systems, pairs, rounds)
    references = [pair[TARGET] for pair in pairs]
    rows = {name: score_rows("bleu", texts[name], references, scoring_options(section)) for name in systems}
    found = {name: describe(name, folder, rates[name], rows[name]) for name, folder in systems.items()}
    against = {name: asdict(compare(rows[name], rows[STUDENT], LEVEL)) for name in (TEACHER, ALONE)}
    ratio = rates[STUDENT] / rates[TEACHER]
    return {
        "test_rows": len(pairs),
        "systems": found,
        "times_the_rate": round(ratio, 2),
        "student_against": against,
        "is_met": {
            f"at least {BARS['times_the_rate']:g} times the teacher's rate": ratio >= BARS["times_the_rate"],
            f"at most {BARS['megabytes']:g} MB": found[STUDENT]["megabytes"] <= BARS["megabytes"],
            f"at most {BARS['bleu_lost']:g} BLEU below the teacher": -against[TEACHER]["gain"]["value"] <= BARS["bleu_lost"],
            f"better than without a teacher, p <= {LEVEL}": against[ALONE]["p_better"] <= LEVEL,
        },
    }


def show(figures: Mapping[str, Any]) -> None:
    """Prints the figures.

    Args:
        figures: from :func:`measure`.
    """
    columns = ("system", "engine", "beam_size", "weights", "megabytes", "sentences_a_second", "bleu")
    print(f"| {' | '.join(columns)} |\n|{' --- |' * len(columns)}")
    for system in figures["systems"].values():
        print(f"| {' | '.join(f'{system[name]:,}' if name == 'weights' else str(system[name]) for name in columns)} |")
    print(f"\nthe student at {figures['times_the_rate']} times the teacher's rate, {figures['test_rows']} sentences")
    for name, one in figures["student_against"].items():
        gain = one["gain"]
        interval = f"{gain['low']:+.2f} to {gain['high']:+.2f}"
        print(f"against {name}: {gain['value']:+.2f} BLEU ({interval}), p of better {one['p_better']:.4f}")
    for bar, is_met in figures["is_met"].items():
        print(f"{'met' if is_met else 'NOT met'}: {bar}")


def main() -> None:
    """Runs the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspace", type=Path, help="the teacher's workspace")
    parser.add_argument("--work", type=Path, default=Path(".s2s/benchmarks/student"), help="folder of what is trained")
    parser.add_argument("--output", type=Path, default=Path("student.json"), help="file of the figures")
    parser.add_argument("--max-steps", type=int, default=0, help="updates of both small models (default: as configured)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of decoding that count")
    parser.add_argument("--limit", type=int, default=0, help="most test rows (default: all)")
    parser.add_argument("--measure-only", action="store_true", help="train nothing")
    arguments = parser.parse_args()
    configure_logging()
    work, teacher = arguments.work.resolve(), Paths(arguments.workspace.resolve())
    if not arguments.measure_only:
        corpus = teacher.root / parse_settings(load_values(teacher.params), str(teacher.params)).corpus.path
        for name in (STUDENT, ALONE):
            train(name, settings_of(name, teacher.bundle, corpus, arguments.max_steps), Paths(work / name))
        export_teacher(teacher.bundle, work / TEACHER)
    figures = measure(work, arguments.rounds, arguments.limit)
    atomic.write_text(arguments.output, json.dumps(figures, indent=1) + "\n")
    show(figures)


if __name__ == "__main__":
    main()
