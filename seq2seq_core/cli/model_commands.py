"""Commands that use a trained model: predict and serve."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seq2seq_core.artifacts import Paths, find_workspace
from seq2seq_core.cli.boundary import boundary
from seq2seq_core.cli.options import Debug, Model, Verbose, Workspace, resolve_workspace
from seq2seq_core.errors import UserError

if TYPE_CHECKING:
    from seq2seq_core.decoding.options import DecodingOptions
    from seq2seq_core.decoding.predictor import Predictor

PANEL = "Using a model"


def add_to(app: typer.Typer) -> None:
    """Adds the commands of this module to the application."""
    app.command("predict", rich_help_panel=PANEL)(predict)
    app.command("serve", rich_help_panel=PANEL)(serve)


def predict(
    source: Annotated[
        Path | None, typer.Argument(help="A text file, one source a line; by default standard input.", show_default=False)
    ] = None,
    model: Model = "",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write here instead of standard output.", show_default=False)
    ] = None,
    beam_size: Annotated[int, typer.Option(help="Hypotheses kept at each step; 1 is greedy decoding.", min=1, max=200)] = 5,
    length_penalty: Annotated[float, typer.Option(help="Exponent of the length penalty (Wu 2016).", min=0.0)] = 1.0,
    max_length: Annotated[int, typer.Option(help="Most target tokens; 0: from the source's length.", min=0)] = 0,
    nbest: Annotated[int, typer.Option(help="Hypotheses printed for each source, best first; at most the beam size.", min=1)] = 1,
    scores: Annotated[bool, typer.Option("--scores", help="Put the score and a TAB before each hypothesis.")] = False,
    batch_sentences: Annotated[int, typer.Option(help="Sources decoded together.", min=1)] = 64,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, or auto.")] = "auto",
    workspace: Workspace = None,
    debug: Debug = False,
    verbose: Verbose = False,
) -> None:
    """Turn sources into targets: one source a line in, one prediction a line out.

    Examples:
      echo "3 May 2031" | s2s predict

      s2s predict --model models:/dates@champion --nbest 3 --scores sources.txt > predictions.tsv
    """
    with boundary(debug, verbose):
        from seq2seq_core.decoding.options import DecodingOptions

        if nbest > beam_size:
            raise UserError(f"--nbest: must be at most the beam size, got {nbest} > {beam_size}")
        options = DecodingOptions(
            beam_size=beam_size, length_penalty=length_penalty, max_length=max_length or None, num_hypotheses=nbest
        )  # fmt: skip
        predictor = _load_predictor(model, workspace, device)
        _predict_lines(predictor, source, output, options, batch_sentences, scores)


def _load_predictor(reference: str, workspace: Path | None, device: str) -> Predictor:
    """The predictor of a bundle folder or of a registered version."""
    from seq2seq_core.decoding.predictor import Predictor

    if reference and not reference.startswith("models:"):
        return Predictor.from_folder(Path(reference), device=device)
    if not reference:
        return Predictor.from_folder(resolve_workspace(workspace).bundle, device=device)
    from seq2seq_core.registry.bundles import fetch_bundle

    paths = resolve_workspace(workspace) if workspace else find_workspace(Path.cwd()) or Paths(Path.cwd())
    return Predictor.from_folder(fetch_bundle(reference, paths), device=device)


def _predict_lines(
    predictor: Predictor, source: Path | None, output: Path | None, options: DecodingOptions, batch_sentences: int, scores: bool
) -> None:
    """Streams lines through the predictor, some batches at a time; a terminal gets each answer at once."""
    from seq2seq_core.cli.line_streams import open_sources, open_targets, read_chunks

    with open_sources(source) as lines, open_targets(output) as write:
        chunk_lines = 1 if source is None and sys.stdin.isatty() else batch_sentences * 16
        for chunk in read_chunks(lines, source, chunk_lines):
            for prediction in predictor.predict(chunk, options, batch_sentences=batch_sentences):
                for hypothesis in prediction.hypotheses[: options.num_hypotheses]:
                    write(f"{hypothesis.score:.4f}\t{hypothesis.text}\n" if scores else f"{hypothesis.text}\n")


def serve(
    model: Annotated[
        str,
        typer.Option(
            "--model", "-m", help="A registered model; by default models:/NAME@champion of params.yaml.", show_default=False
        ),
    ] = "",
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65535)] = 5001,
    workspace: Workspace = None,
    debug: Debug = False,
) -> None:
    """Serve a registered model over HTTP, by plain `mlflow models serve`.

    Ctrl-C stops it. The README shows a request.
    """
    with boundary(debug):
        from seq2seq_core.config.settings import load_settings
        from seq2seq_core.serving.server import serve_model

        paths = resolve_workspace(workspace)
        reference = model or f"models:/{load_settings(paths.params).register_.model_name}@champion"
        serve_model(reference, paths, host=host, port=port)
