"""The decoding options on the command line, generated from the list of decoding options when a command needs them.

They are not parameters of the command's function: the list is a pydantic model, which is too slow to import at every start.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from seq2seq_core.errors import UserError

if TYPE_CHECKING:
    from seq2seq_core.config.decoding_options import DecodingOptions

SAMPLING = "Sampling"

Sample = Annotated[bool, typer.Option("--sample", help="Draw hypotheses at random instead of searching.", rich_help_panel=SAMPLING)]
Mbr = Annotated[
    int,
    typer.Option(
        help="Draw this many samples and print the one most like all of them (minimum Bayes risk, by chrF); 0: off.",
        min=0,
        rich_help_panel=SAMPLING,
    ),
]
OTHER_FLAGS = {"mbr_samples": "mbr"}
"""Flags of options that have no generated flag, by field name."""


class DecodingCommand(TyperCommand):
    """A command with a flag for each decoding option; the values go into its context, see :func:`given_options`."""

    def get_params(self, ctx: typer.Context) -> list[Any]:  # type: ignore[override]
        """The command's own parameters and the decoding options."""
        return [*super().get_params(ctx), *_decoding_params()]

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        """Moves the decoding options into the context, then runs the command with its own parameters."""
        ctx.obj = {param.name: ctx.params.pop(param.name) for param in _decoding_params()}
        return super().invoke(ctx)


@cache
def _decoding_params() -> tuple[Any, ...]:
    """The decoding options as Click parameters, made by Typer from a function with these options."""
    from seq2seq_core.config.decoding_options import offered_options

    parameters = []
    for option in (option for option in offered_options() if option.flag):
        text = option.description.replace("``", "").replace("\n", " ")
        flag = f"--{option.flag}/--no-{option.flag}" if option.kind is bool else f"--{option.flag}"
        shown = typer.Option(flag, help=text, rich_help_panel=option.offer.heading, show_default=False)
        kind: Any = option.kind | None
        annotation = Annotated[kind, shown]
        parameters.append(inspect.Parameter(option.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation))

    def options(**_values: object) -> None:
        pass

    options.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    options.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    app = typer.Typer(add_completion=False)
    app.command()(options)
    return tuple(typer.main.get_command(app).params)


def given_options(context: typer.Context) -> dict[str, Any]:
    """The decoding options on the command line, by field name.

    Args:
        context: the context of a :class:`DecodingCommand`.
    """
    return {name: value for name, value in (context.obj or {}).items() if value is not None}


def make_options(defaults: DecodingOptions, sample: bool, mbr: int, given: dict[str, Any]) -> DecodingOptions:
    """The decoding options of a command line.

    Args:
        defaults: the model's options, for those that the command line leaves out.
        sample: whether to draw hypotheses at random.
        mbr: number of samples for minimum Bayes risk; 0 for none.
        given: the other options, by field name.

    Raises:
        UserError: an option is out of range, or conflicts with another one.
    """
    from pydantic import ValidationError

    from seq2seq_core.config.section import describe_fault

    asked = dict(given)
    if sample or mbr:
        asked |= {"method": "sampling"} | ({"selection": "mbr", "mbr_samples": mbr} if mbr else {})
    try:
        _check_company(defaults.model_dump() | asked)
        return defaults.override(**asked)
    except ValidationError as error:
        name, colon, fault = name_flags(describe_fault(error.errors()[0])).partition(":")
        raise UserError(f"--{_flag(name)}:{fault}" if colon and not name.startswith("--") else name + colon + fault) from None


@contextmanager
def flag_errors() -> Iterator[None]:
    """Names options by their flags in the errors of the ``with`` block."""
    try:
        yield
    except UserError as error:
        raise UserError(name_flags(str(error))) from None


def name_flags(message: str) -> str:
    """A message with the flags of options in place of their names in Python.

    Args:
        message: names options such as ``beam_size``; names of one word are left, as they are words of other meanings too.
    """
    from seq2seq_core.config.decoding_options import offered_options

    names = "|".join(option.name for option in offered_options() if "_" in option.name)
    return re.sub(rf"(?<![\w.-])({names})\b", lambda found: f"--{_flag(found[1])}", message)


def _check_company(values: dict[str, Any]) -> None:
    """Checks that options do not conflict; errors name the command-line flags."""
    from seq2seq_core.config.decoding_options import offered_options

    nbest, beam_size, samples = values["num_hypotheses"], values["beam_size"], values["mbr_samples"]
    if values["method"] != "sampling":
        for option in offered_options():
            if option.offer.needs_sampling and values[option.name] != option.default:
                raise UserError(f"--{option.flag}: needs --sample or --mbr, got {values[option.name]} without")
        if nbest > beam_size:
            raise UserError(f"--nbest: must be at most the beam size (--beam-size), got {nbest} > {beam_size}")
    elif values["min_confidence"]:
        raise UserError(f"--min-confidence: must be left out with --sample and --mbr, got {values['min_confidence']:g}")
    elif values["selection"] == "mbr" and nbest > samples:
        raise UserError(f"--nbest: must be at most --mbr, got {nbest} > {samples}")
    if 0 < values["max_length"] < values["min_length"]:
        raise UserError(f"--min-length: must be at most --max-length, got {values['min_length']} > {values['max_length']}")


def _flag(name: str) -> str:
    """The command-line flag of an option, without the leading hyphens."""
    from seq2seq_core.config.decoding_options import offered_options

    flags = {option.name: option.flag for option in offered_options()}
    return OTHER_FLAGS.get(name) or flags.get(name, name)
