"""The options of decoding on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from seq2seq_core.errors import UserError

if TYPE_CHECKING:
    from seq2seq_core.decoding.options import DecodingOptions

SEARCH, SAMPLING = "Search", "Sampling"

BeamSize = Annotated[
    int, typer.Option(help="Hypotheses kept at each step; 1 is greedy decoding.", min=1, max=200, rich_help_panel=SEARCH)
]
LengthPenalty = Annotated[
    float, typer.Option(help="Exponent of the length penalty (Wu 2016).", min=0.0, rich_help_panel=SEARCH)
]  # fmt: skip
MaxLength = Annotated[
    int, typer.Option(help="Most target tokens; 0: from the source's length.", min=0, rich_help_panel=SEARCH)
]  # fmt: skip
MinLength = Annotated[int, typer.Option(help="Fewest target tokens.", min=0, rich_help_panel=SEARCH)]
NoRepeatNgramSize = Annotated[
    int, typer.Option(help="No run of this many tokens comes twice; 0: any may.", min=0, rich_help_panel=SEARCH)
]
Nbest = Annotated[
    int,
    typer.Option(
        help="Hypotheses printed for each source, best first, at most the beam size; or the number of samples.",
        min=1,
        rich_help_panel=SEARCH,
    ),
]
Sample = Annotated[bool, typer.Option("--sample", help="Draw hypotheses at random instead of searching.", rich_help_panel=SAMPLING)]
Mbr = Annotated[
    int,
    typer.Option(
        help="Draw this many samples and print the one most like all of them (minimum Bayes risk, by chrF); 0: off.",
        min=0,
        rich_help_panel=SAMPLING,
    ),
]
Temperature = Annotated[
    float, typer.Option(help="Below 1 likely symbols become likelier, above 1 less likely.", rich_help_panel=SAMPLING)
]
TopK = Annotated[int, typer.Option(help="Draw among this many likeliest symbols; 0: all.", rich_help_panel=SAMPLING)]
TopP = Annotated[
    float, typer.Option(help="Draw among the fewest likeliest symbols that reach this share; 1: all.", rich_help_panel=SAMPLING)
]
Seed = Annotated[
    int, typer.Option(help="The same seed gives a source the same samples, whatever the other lines.", rich_help_panel=SAMPLING)
]

OPTION_NAMES = {"num_hypotheses": "nbest", "mbr_samples": "mbr"}
OF_SAMPLING = {"temperature": 1.0, "top_k": 0, "top_p": 1.0}
"""Options that only sampling has, and the value that leaves them out."""


def make_options(nbest: int, sample: bool, mbr: int, max_length: int, **values: Any) -> DecodingOptions:
    """The options of decoding that a command line asks for.

    Args:
        nbest: hypotheses for each source.
        sample: whether to draw at random.
        mbr: samples to choose from by minimum Bayes risk; 0: do not.
        max_length: most target tokens; 0: from the source's length.
        values: other fields of :class:`~seq2seq_core.decoding.options.DecodingOptions`.

    Raises:
        UserError: an option is out of range, or does not go with another one.
    """
    from pydantic import ValidationError

    from seq2seq_core.config.section import describe_fault
    from seq2seq_core.decoding.options import DecodingOptions

    values |= {"num_hypotheses": nbest, "max_length": max_length or None}
    if sample or mbr:
        values |= {"method": "sampling"} | ({"selection": "mbr", "mbr_samples": mbr} if mbr else {})
        if mbr and nbest > mbr:
            raise UserError(f"--nbest: must be at most --mbr, got {nbest} > {mbr}")
    else:
        for name, neutral in OF_SAMPLING.items():
            if values[name] != neutral:
                raise UserError(f"--{_option(name)}: needs --sample or --mbr, got {values[name]} without")
        if nbest > values["beam_size"]:
            raise UserError(f"--nbest: must be at most the beam size, got {nbest} > {values['beam_size']}")
    if max_length and values["min_length"] > max_length:
        raise UserError(f"--min-length: must be at most --max-length, got {values['min_length']} > {max_length}")
    try:
        return DecodingOptions.model_validate(values)
    except ValidationError as error:
        name, _, fault = describe_fault(error.errors()[0]).partition(":")
        raise UserError(f"--{_option(name)}:{fault}") from None


def _option(name: str) -> str:
    return OPTION_NAMES.get(name, name).replace("_", "-")
