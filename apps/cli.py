"""The `tadsr` command. What is slow to import is imported inside the subcommand that needs it."""

import importlib.metadata
import io
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.exceptions import TyperException

from apps.options import AsJsonOption, BackendOption, BundleArgument, BundleOption, PrecisionOption
from apps.stages import GROUPS, run_command
from apps.upscale.command import upscale

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
app.command()(upscale)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and exit: 0 done, 1 some pictures failed, 2 a user's mistake, 130 Ctrl-C.

    >>> main(["upscale", "photo.jpg"])  # doctest: +SKIP
    photo_x4.png (2048x1536)
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a file name need not be text that the terminal knows
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            code = app(arguments, prog_name="tadsr", standalone_mode=False)
    except TyperException as error:  # a command or an option that does not exist, or has a value that it cannot have
        sys.stderr.write(f"error: {error.format_message()}\n")
        sys.exit(error.exit_code)
    except Exception as error:
        from runtime.errors import TadsrError
        from tadsr.commands import explain  # costs numpy and Pillow, which --help does without

        if not isinstance(error, TadsrError | OSError):
            raise
        sys.stderr.write(f"error: {explain(error)}\n")
        sys.exit(2)
    sys.exit(code)


def version() -> str:
    """The installed version of tadsr."""
    try:
        return importlib.metadata.version("tadsr")
    except importlib.metadata.PackageNotFoundError:
        return "(not installed)"


def _show_warning(message: Warning | str, *_place: Any, **_line: Any) -> None:
    """Show a warning in one line, without the place in our sources that it comes from."""
    sys.stderr.write(f"warning: {message}\n")


def _show_version(requested: bool) -> None:
    if requested:
        typer.echo(f"tadsr {version()}")
        raise typer.Exit


@app.callback(epilog="Example: tadsr upscale photo.jpg", invoke_without_command=True)
def tadsr(
    context: typer.Context,
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Enlarge photos four times, on your own device."""
    _help_if_alone(context)


@app.command()
def compare(
    picture: Annotated[Path, typer.Argument(metavar="INPUT", help="A picture.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The page.", show_default="NAME.html beside the input")
    ] = None,
    bundle: BundleOption = None,
    backend: BackendOption = "auto",
    precision: PrecisionOption = "auto",
) -> None:
    """Make a page with a slider between a bicubic enlargement and this one.

    The page is one file that needs nothing else: open it in a browser, or send it to somebody.

    \b
    Examples:
      tadsr compare photo.jpg
      tadsr compare photo.jpg -o page.html
    """
    import runtime
    from apps.compare import write_page
    from tadsr.commands import say

    target = output or picture.with_suffix(".html")
    with runtime.load(bundle, backend=backend, precision=precision) as upscaler:
        write_page(picture, target, upscaler)
    say(f"{target}")


@app.command()
def bench(
    bundle: BundleOption = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads of the engine.", show_default="the engine's choice")
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Timed runs of each.")] = 10,
    peers: Annotated[
        bool, typer.Option("--peers", help="Beside reference networks with random weights (needs the dev extra).")
    ] = False,
    overhead: Annotated[
        bool, typer.Option("--overhead", help="Also what the runtime adds to the bare engine on the same tiles.")
    ] = False,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="FILE.svg", help="Also a chart of the warm times (needs the plot extra)."),
    ] = None,
    as_json: AsJsonOption = False,
) -> None:
    """Time the model on this device: cold start, warm runs, tiles per second, memory, for each engine and precision.

    \b
    Examples:
      tadsr bench
      tadsr bench --plot speed.svg
      tadsr bench --overhead
      tadsr bench --peers --threads 2 --json > bench.json
    """
    from apps.benchmarks.chart import check_plot, write_plot
    from apps.benchmarks.inference import draw_bench, run_bench, show_bench

    if plot is not None:
        check_plot(plot)
    report = run_bench(bundle, version=version(), threads=threads, repeats=repeats, peers=peers, overhead=overhead)
    show_bench(report, as_json=as_json)
    if plot is not None:
        write_plot(plot, draw_bench(report))


@app.command()
def info(
    bundle: BundleArgument = None,
    as_json: AsJsonOption = False,
) -> None:
    """Show what a model holds: files, accuracy, licence, how it was made.

    \b
    Examples:
      tadsr info
      tadsr info photo.tadsr --json
    """
    from apps.info import show_info

    show_info(bundle, as_json=as_json)


@app.command()
def recipe(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The recipe: mobile.")],
    photos: Annotated[
        Path | None, typer.Option(help="Folder of sharp photos, searched through.", show_default="drawn, with --smoke")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run.", show_default="runs/NAME or runs/NAME-smoke")
    ] = None,
    licences: Annotated[
        str, typer.Option(help="free: only photos that a MANIFEST.csv beside them shows as free; or all.")
    ] = "all",
    smoke: Annotated[
        bool, typer.Option("--smoke", help="A few steps of tiny networks: minutes, to see that everything works.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show the commands.")] = False,
) -> None:
    """Train a model: every stage in order, from photos to a bundle.

    The same command goes on where it was stopped. Needs the compress and onnx extras.

    \b
    Examples:
      tadsr recipe mobile --photos ~/Pictures
      tadsr recipe mobile --smoke
    """
    from apps.errors import CommandError
    from apps.recipe import as_typed, commands_of, draw_photos, estimate, read_recipe, run_recipe
    from tadsr.commands import say

    if photos is None and not smoke:
        raise CommandError("--photos: name a folder of sharp photos, or try --smoke, which draws its own")
    out = out or Path("runs") / (f"{name}-smoke" if smoke else name)
    stages = read_recipe(name)
    commands = commands_of(name, stages, photos or out / "photos", out, licences=licences, smoke=smoke)
    if not smoke:
        say(estimate(stages))
    if dry_run:
        for words in commands.values():
            say(as_typed(words))
        return
    if photos is None:
        draw_photos(out / "photos")
    run_recipe(commands, out, say)
    say(f"wrote {out / f'{name}.tadsr'}; try it: tadsr upscale photo.jpg --bundle {out / f'{name}.tadsr'}")


@app.command()
def doctor(
    bundle: BundleArgument = None,
    as_json: AsJsonOption = False,
) -> None:
    """Show which engines can run a model here, which one would, and what brings the others.

    \b
    Examples:
      tadsr doctor
      tadsr doctor photo.tadsr --json
    """
    from apps.doctor import diagnose, show_diagnosis

    show_diagnosis(diagnose(bundle, version=version()), as_json=as_json)


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
    from apps.web_app.server import serve
    from tadsr.commands import say

    serve(port, open_browser=open_browser, echo=say)


def _help_if_alone(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def _add_stages() -> None:
    """``tadsr train distill`` and its like."""
    anything = {"allow_extra_args": True, "ignore_unknown_options": True}
    for group, (summary, commands) in GROUPS.items():
        stages = typer.Typer(rich_markup_mode=None, help=summary)
        stages.callback(invoke_without_command=True)(_help_if_alone)
        for name, command in commands.items():

            def forward(context: typer.Context, group: str = group, name: str = name) -> None:
                run_command(group, name, context.args)

            stages.command(name, help=command.help, context_settings=anything, add_help_option=False)(forward)
        app.add_typer(stages, name=group)


_add_stages()

if __name__ == "__main__":
    main()
