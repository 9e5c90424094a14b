"""The `tadsr` command. Whatever is slow to import is imported inside the subcommand that needs it."""

import importlib.metadata
import io
import sys
import warnings
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)


class Seam(StrEnum):
    """How far tiles stay away from each other's edges."""

    FAST = "fast"
    EXACT = "exact"


BundleOption = Annotated[
    Path | None, typer.Option(help="The model: a NAME.tadsr folder or zip.", show_default="the one that comes along")
]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and exit: 0 done, 1 some pictures failed, 2 a mistake the user can mend, 130 Ctrl-C.

    >>> main(["upscale", "photo.jpg"])  # doctest: +SKIP
    photo_x4.png (2048x1536)
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a file name need not be text that the terminal knows
    try:
        app(arguments, prog_name="tadsr")
    except Exception as error:
        from runtime.commands import explain  # costs numpy and Pillow, which --help does without
        from runtime.errors import TadsrError

        if not isinstance(error, TadsrError | OSError):
            raise
        sys.stderr.write(f"error: {explain(error)}\n")
        sys.exit(2)


def version() -> str:
    """The installed version of tadsr."""
    try:
        return importlib.metadata.version("tadsr")
    except importlib.metadata.PackageNotFoundError:
        return "(not installed)"


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tadsr {version()}")
        raise typer.Exit


@app.callback(epilog="Example: tadsr upscale photo.jpg")
def tadsr(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Enlarge photos four times, on your own device."""


@app.command()
def upscale(
    inputs: Annotated[list[Path], typer.Argument(metavar="INPUT", help="Pictures, and folders of pictures.")],
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            help="A file, or a folder, which is made if it ends in / or there are several pictures.",
            show_default="NAME_x4.png beside the input",
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that exist.")] = False,
    bundle: BundleOption = None,
    backend: Annotated[str, typer.Option(help="The engine, for example onnx.")] = "auto",
    precision: Annotated[str, typer.Option(help="fp32, fp16, bf16 or int8, if the model has it.")] = "auto",
    tile: Annotated[
        int | None, typer.Option(min=1, help="Side of a tile, in pixels of the input; smaller needs less memory.")
    ] = None,
    seam: Annotated[
        Seam, typer.Option(help="exact: tiles equal the whole picture; fast: as far as the eye can tell.")
    ] = Seam.FAST,
) -> None:
    """Enlarge pictures.

    Folders are searched through, and their subfolders kept. In an output folder pictures keep their names; formats that
    cannot be written become .png. Nothing that exists is replaced without --overwrite.

    \b
    Examples:
      tadsr upscale photo.jpg                    makes photo_x4.png
      tadsr upscale photo.jpg -o big.jpg
      tadsr upscale photos holiday.png -o large
    """
    import runtime
    from runtime.commands import say

    from .errors import CommandError
    from .jobs import check_jobs, make_folders, plan_jobs
    from .upscaling import run_jobs

    warnings.filterwarnings("ignore", module="PIL")  # it warns of what is odd in a file that it reads all the same
    with runtime.load(bundle, backend=backend, precision=precision) as upscaler:
        jobs = plan_jobs(inputs, output, scale=upscaler.manifest.scale)
        check_jobs(jobs, overwrite=overwrite)
        make_folders(jobs)
        failures = run_jobs(upscaler, jobs, tile=tile, seam=seam, done=say)
    if failures and len(jobs) == 1:
        raise CommandError(failures[0])
    for failure in failures:
        typer.echo(f"error: {failure}", err=True)
    if failures:
        typer.echo(f"{len(failures)} of {len(jobs)} pictures failed, the others are done", err=True)
        raise typer.Exit(1)


@app.command()
def bench(
    bundle: BundleOption = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads of the engine.", show_default="the engine's choice")
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Timed runs of each.")] = 10,
    peers: Annotated[
        bool, typer.Option("--peers", help="Beside networks of known shapes, random weights (needs the dev extra).")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout instead of tables.")] = False,
) -> None:
    """Time the model on this device: cold start, warm runs, memory.

    \b
    Examples:
      tadsr bench
      tadsr bench --peers --threads 2 --json > bench.json
    """
    from .bench import run_bench, show_bench

    report = run_bench(bundle, version=version(), threads=threads, repeats=repeats, peers=peers)
    show_bench(report, as_json=as_json)


@app.command()
def info(
    bundle: Annotated[
        Path | None,
        typer.Argument(help="The model: a NAME.tadsr folder or zip.", show_default="the one that comes along"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout instead of tables.")] = False,
) -> None:
    """Show what a model holds: files, accuracy, licence, how it was made.

    \b
    Examples:
      tadsr info
      tadsr info photo.tadsr --json
    """
    from .info import show_info

    show_info(bundle, as_json=as_json)


@app.command()
def web(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where it is served; 0 takes any free port.")] = 8400,
    open_browser: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
) -> None:
    """Serve the browser app, which enlarges pictures in the browser itself, on this computer.

    \b
    Examples:
      tadsr web --open
      tadsr web --port 0
    """
    from runtime.commands import say

    from .web_server import serve

    serve(port, open_browser=open_browser, say=say)


if __name__ == "__main__":
    main()
