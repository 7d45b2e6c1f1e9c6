"""Commands that use a trained model: predict, score and serve."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seq2seq_core.artifacts import Paths, find_workspace
from seq2seq_core.cli.boundary import boundary
from seq2seq_core.cli.bulk_flags import PredictCommand, check_plain, is_bulk, predict_in_bulk
from seq2seq_core.cli.decoding_flags import Mbr, Sample, given_options, make_options
from seq2seq_core.cli.lines.hypothesis_lines import LineFormat
from seq2seq_core.cli.lines.spoken_lines import speak_lines
from seq2seq_core.cli.option_types import Debug, Model, Verbose, Workspace, resolve_workspace
from seq2seq_core.cli.phrase_flags import ForbidOption, ForceOption, GlossaryOption, read_phrases
from seq2seq_core.cli.predicted_lines import PredictionFiles, TagFiles, predict_lines, score_lines
from seq2seq_core.cli.tag_lines import TagOption, TagsOption, parse_tags
from seq2seq_core.errors import UserError

if TYPE_CHECKING:
    from seq2seq_core.config.decoding_options import DecodingOptions
    from seq2seq_core.decoding.predictor import Predictor

logger = logging.getLogger(__name__)

PANEL = "Using a model"

Output = Annotated[Path | None, typer.Option("--output", "-o", help="Write here instead of standard output.", show_default=False)]
BatchSentences = Annotated[int, typer.Option(help="Sources decoded together.", min=1)]
Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:1, or auto.")]


def add_to(app: typer.Typer) -> None:
    """Adds the commands of this module to the application."""
    app.command("predict", rich_help_panel=PANEL, cls=PredictCommand)(predict)
    app.command("score", rich_help_panel=PANEL)(score)
    app.command("serve", rich_help_panel=PANEL)(serve)


def predict(
    context: typer.Context,
    sources: Annotated[
        list[Path] | None,
        typer.Argument(
            help="A text file, one source a line (for a model of recordings or pictures, a file's name); by default stdin. "
            "With --into files and folders: .parquet .jsonl .tsv .csv .txt, also with .gz.",
            show_default=False,
        ),
    ] = None,
    model: Model = "",
    output: Output = None,
    prefix: Annotated[
        Path | None,
        typer.Option(help="A text file with one line per source: the forced beginning of its target.", show_default=False),
    ] = None,
    attention: Annotated[
        Path | None,
        typer.Option(help="Write the attention to this file, one JSON object per hypothesis.", show_default=False),
    ] = None,
    sound: Annotated[
        Path | None,
        typer.Option(
            help="Of a model of speech: write a WAV file of each source to this folder, and its path as the prediction.",
            show_default=False,
        ),
    ] = None,
    tag: TagOption = None,
    tags: TagsOption = None,
    force: ForceOption = None,
    forbid: ForbidOption = None,
    glossary: GlossaryOption = None,
    scores: Annotated[bool, typer.Option("--scores", help="Put the score and a TAB before each hypothesis.")] = False,
    json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="Write a JSON object a hypothesis: line (of its source), prediction, score, is_cut (by its length "
            "limit), source_is_cut (too long to be read whole); of a model with a calibrator also confidence and abstained; "
            "with a lexicon from_lexicon.",
        ),
    ] = False,
    sample: Sample = False,
    mbr: Mbr = 0,
    batch_sentences: BatchSentences = 64,
    device: Device = "auto",
    workspace: Workspace = None,
    debug: Debug = False,
    verbose: Verbose = False,
) -> None:
    """Turn sources into targets: one source a line in, one prediction a line out.

    An option of the search that is left out is as the model was evaluated with it.

    With --into FOLDER whole files are read and shards of rows are written, which keep every column. All cores work. A row that
    cannot be predicted has the reason in its column prediction_error. After Ctrl-C, a kill or a full disk the same command goes on.

    Examples:
      echo "3 May 2031" | s2s predict

      s2s predict --model models:/dates@champion --nbest 3 --scores sources.txt > predictions.tsv

      s2s predict --mbr 64 --seed 7 sources.txt

      s2s predict --tag target_language=de sources.txt

      s2s predict --glossary terms.tsv --forbid maybe sources.txt

      ls recordings/*.wav | s2s predict

      ls pictures/*.png | s2s predict
      s2s predict --sound spoken --tag speaker=jackson numbers.txt

      s2s predict --into predictions --column text tickets/ archive.parquet
    """
    with boundary(debug, verbose, cleans_up=is_bulk(context)):
        if is_bulk(context):
            from seq2seq_core.serving.loading import find_model

            _tell_of_challenger(model, paths := _workspace(model, workspace))
            found = find_model(model, paths)
            options = make_options(_stored_options(found.folder), sample, mbr, given_options(context))
            common = {"tags": parse_tags(tag), "batch_sentences": batch_sentences, "device": device}
            common["phrases"] = read_phrases(force, forbid, glossary)
            named = {"--output": output, "--prefix": prefix, "--attention": attention, "--tags": tags}
            predict_in_bulk(context, sources, found, options, common, {**named, "--scores": scores, "--json": json})
            return
        if scores and json:
            raise UserError("--scores: must be left out with --json, whose objects hold the score")
        files = PredictionFiles(check_plain(context, sources), prefix, output, attention, TagFiles(parse_tags(tag), tags))
        phrases = read_phrases(force, forbid, glossary)
        folder = _find_bundle(model, workspace)
        if _speaks(folder, sound) and sound is not None:
            texts: dict[str, object] = {
                "prefix": prefix,
                "attention": attention,
                "force": force,
                "forbid": forbid,
                "glossary": glossary,
            }
            texts |= {"scores": scores, "json": json, "sample": sample, "mbr": mbr} | given_options(context)
            speak_lines(
                _load_predictor(folder, device), files, sound, batch_sentences, [name for name, one in texts.items() if one]
            )
            return
        options = make_options(_stored_options(folder), sample, mbr, given_options(context))
        predict_lines(_load_predictor(folder, device), files, options, batch_sentences, LineFormat(scores, json), phrases)


def score(
    source: Annotated[
        Path | None,
        typer.Argument(
            help="A text file with one source a line or, without TARGET, a source, a TAB and a target; by default standard input.",
            show_default=False,
        ),
    ] = None,
    target: Annotated[Path | None, typer.Argument(help="A text file with the target of each source.", show_default=False)] = None,
    model: Model = "",
    output: Output = None,
    tag: TagOption = None,
    tags: TagsOption = None,
    batch_sentences: BatchSentences = 64,
    device: Device = "auto",
    workspace: Workspace = None,
    debug: Debug = False,
    verbose: Verbose = False,
) -> None:
    """Score given targets: one line per pair, natural log-probability, TAB, number of tokens (end mark included).

    Examples:
      s2s score sources.txt targets.txt

      s2s score --model models:/dates@champion pairs.tsv > scores.tsv
    """
    with boundary(debug, verbose):
        tag_files = TagFiles(parse_tags(tag), tags)
        score_lines(_load_predictor(_find_bundle(model, workspace), device), source, target, output, batch_sentences, tag_files)


def _find_bundle(reference: str, workspace: Path | None) -> Path:
    """The folder of a bundle: the workspace's, another one, or that of a registered version."""
    from seq2seq_core.serving.loading import find_bundle

    paths = _workspace(reference, workspace)
    _tell_of_challenger(reference, paths)
    return find_bundle(reference, paths)


def _tell_of_challenger(reference: str, paths: Paths) -> None:
    """Warns where the workspace's own model, which is used without a reference, is no champion."""
    from seq2seq_core.registry.receipts import find_served_challenger

    if not reference and (receipt := find_served_challenger(paths)) is not None:
        logger.warning(
            "%s is version %s of %s, which did not replace the champion, version %s (%s); "
            "--model models:/%s@champion uses that one",
            paths.served.relative_to(paths.root), receipt.version, name := receipt.model_name, receipt.champion_version,
            receipt.reason, name,
        )  # fmt: skip


def _workspace(reference: str, workspace: Path | None) -> Paths:
    """The workspace of a model; the current folder where a reference needs none."""
    if workspace or not reference:
        return resolve_workspace(workspace)
    return find_workspace(Path.cwd()) or Paths(Path.cwd())


def _speaks(folder: Path, sound: Path | None) -> bool:
    """Whether a bundle holds a model of speech, which alone writes sound."""
    from seq2seq_core.bundle.config_file import read_config

    speaks = read_config(folder).config.speech is not None
    if speaks and sound is None:
        raise UserError("--sound: must be a folder with this model, which writes speech, got nothing")
    if sound is not None and not speaks:
        raise UserError("--sound: must be left out with this model, which writes text, got a folder")
    return speaks


def _stored_options(folder: Path) -> DecodingOptions:
    """The decoding options of a bundle."""
    from seq2seq_core.bundle.config_file import read_config
    from seq2seq_core.config.decoding_options import DecodingOptions

    return read_config(folder).decoding or DecodingOptions()


def _load_predictor(folder: Path, device: str) -> Predictor:
    """The predictor of a bundle's folder."""
    from seq2seq_core.decoding.predictor import Predictor

    return Predictor.from_folder(folder, device=device)


def serve(
    model: Annotated[
        str,
        typer.Option(
            "--model",
            "-m",
            help="A registered model, such as @champion or models:/dates/3; by default @champion.",
            show_default=False,
        ),
    ] = "",
    host: Annotated[
        str, typer.Option(help="Address to listen on; by default serve.host, this machine alone.", show_default=False)
    ] = "",
    port: Annotated[
        int | None, typer.Option(help="Port to listen on; by default serve.port, 5001.", min=1, max=65535, show_default=False)
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, or auto; by default runtime.device.", show_default=False)] = "",
    workspace: Workspace = None,
    debug: Debug = False,
) -> None:
    """Serve a registered model over HTTP: MLflow's own API, with requests decoded together and every request bounded.

    POST /invocations answers as `mlflow models serve` does. /ready says whether requests get answered, /metrics is for
    Prometheus, and the header X-S2S-Model of every answer names the version. When the alias moves, the new version is loaded
    beside the old one, checked, and exchanged for it without a lost request.

    The section serve of params.yaml sets the limits, workers, token and TLS (docs/serving.md). Ctrl-C or SIGTERM lets the server
    finish its requests and stops it.

    Examples:
      s2s serve

      s2s serve --model models:/dates/3 --port 8080

      curl http://127.0.0.1:5001/invocations -H 'Content-Type: application/json' -d '{"inputs": ["3 May 2031"]}'
    """
    with boundary(debug):
        from seq2seq_core.config.settings import load_settings
        from seq2seq_core.serving.loading import full_reference
        from seq2seq_core.serving.server import serve_model

        paths = resolve_workspace(workspace)
        settings = load_settings(paths.params)
        reference = full_reference(model or "@champion", paths)
        given = {name: value for name, value in (("host", host), ("port", port)) if value}
        serve_model(reference, paths, settings.serve.model_copy(update=given), device or settings.runtime.device)
