"""Options that several subcommands of `tadsr` share."""

from pathlib import Path
from typing import Annotated

import typer

BundleOption = Annotated[
    Path | None, typer.Option(help="The model: a NAME.tadsr folder or zip.", show_default="the one that comes along")
]
BundleArgument = Annotated[
    Path | None,
    typer.Argument(help="The model: a NAME.tadsr folder or zip.", show_default="the one that comes along"),
]
BackendOption = Annotated[str, typer.Option(help="The engine, one of those that tadsr doctor shows.")]
PrecisionOption = Annotated[str, typer.Option(help="fp32, fp16, bf16 or int8, if the model has it.")]
AsJsonOption = Annotated[bool, typer.Option("--json", help="JSON on stdout instead of tables.")]
