"""The `tadsr` command. Whatever is slow to import is imported inside the subcommand that needs it."""

import importlib.metadata
import io
import sys
import warnings
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.exceptions import TyperException

from .stages import GROUPS, run_command

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)


class Seam(StrEnum):
    """How far tiles stay away from each other's edges."""

    FAST = "fast"
    EXACT = "exact"


BundleOption = Annotated[
    Path | None, typer.Option(help="The model: a NAME.tadsr folder or zip.", show_default="the one that comes along")
]
BundleArgument = Annotated[
    Path | None,
    typer.Argument(help="The model: a NAME.tadsr folder or zip.", show_default="the one that comes along"),
]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and exit: 0 done, 1 some pictures failed, 2 a mistake the user can mend, 130 Ctrl-C.

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


def _show_warning(message: Warning | str, *_where: Any, **_line: Any) -> None:
    """One line, without the place in our sources that it comes from."""
    sys.stderr.write(f"warning: {message}\n")


def _show_version(wanted: bool) -> None:
    if wanted:
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
def upscale(
    inputs: Annotated[list[Path], typer.Argument(metavar="INPUT", help="Pictures, folders of pictures, patterns.")],
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
    skip_existing: Annotated[
        bool, typer.Option("--skip-existing", help="Leave out pictures whose results exist.")
    ] = False,
    bundle: BundleOption = None,
    backend: Annotated[str, typer.Option(help="The engine, one of those that tadsr doctor shows.")] = "auto",
    precision: Annotated[str, typer.Option(help="fp32, fp16, bf16 or int8, if the model has it.")] = "auto",
    tile: Annotated[
        int | None, typer.Option(min=1, help="Side of a tile, in pixels of the input; smaller needs less memory.")
    ] = None,
    seam: Annotated[
        Seam, typer.Option(help="exact: tiles equal the whole picture; fast: as far as the eye can tell.")
    ] = Seam.FAST,
    form: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="Of the results: png, jpg, webp, avif, heic, tif, gif or bmp.",
            show_default="by the suffix of -o; in a folder each picture's own",
        ),
    ] = None,
    quality: Annotated[
        int | None,
        typer.Option(min=1, max=100, help="Of JPEG, WebP, AVIF and HEIC.", show_default="95, for AVIF and HEIC 90"),
    ] = None,
    strip_metadata: Annotated[
        bool, typer.Option("--strip-metadata", help="Leave out EXIF and XMP: camera, place, time, names.")
    ] = False,
    wrap: Annotated[
        bool, typer.Option("--wrap", help="A texture whose opposite sides meet; then the result's do.")
    ] = False,
    scale: Annotated[
        int | None, typer.Option(min=1, help="How many times larger.", show_default="as often as the model does it")
    ] = None,
    size: Annotated[
        str | None, typer.Option(metavar="WxH", help="Exact size of the result, for example 1920x1080.")
    ] = None,
    max_memory: Annotated[
        str | None,
        typer.Option(help="The most memory to use, for example 700MB; large pictures then go through in strips."),
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads of the engine.", show_default="the engine's choice")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="In the end, what became of each picture, as JSON on stdout.")
    ] = False,
) -> None:
    """Enlarge pictures.

    Folders are searched through, and their subfolders kept; so are those of a quoted pattern. In an output folder
    pictures keep their names; formats that cannot be written, or hold too few colours (GIF), become .png. Nothing that
    exists is replaced without --overwrite. A picture that fails does not stop the others: the exit code is then 1.

    \b
    Examples:
      tadsr upscale photo.jpg                    makes photo_x4.png
      tadsr upscale photo.jpg -o big.jpg
      tadsr upscale photos holiday.png -o large
      tadsr upscale "photos/**/*.jpg" -o large --skip-existing
      tadsr upscale scan.tif --max-memory 700MB  needs tadsr[imaging] if the result is larger than that
    """
    import runtime
    from tadsr.commands import say

    from .errors import CommandError
    from .jobs import check_jobs, make_folders, plan_jobs, split_existing, suffix_of
    from .outcomes import Outcome, Status
    from .outcomes import as_json as outcomes_as_json
    from .upscaling import parse_size, run_jobs

    if overwrite and skip_existing:
        raise CommandError("--overwrite and --skip-existing: exclude each other; leave one of them out")
    warnings.filterwarnings("ignore", module="PIL")  # it warns of what is odd in a file that it reads all the same
    suffix = suffix_of(form)
    exact = None if size is None else parse_size(size)
    options = runtime.Options(tile=tile, seam=seam, wrap=wrap, scale=scale, size=exact, max_memory=max_memory)
    with runtime.load(bundle, backend=backend, precision=precision, threads=threads) as upscaler:
        jobs = plan_jobs(inputs, output, scale=scale or upscaler.manifest.scale, suffix=suffix)
        waiting, existing = split_existing(jobs) if skip_existing else (jobs, [])
        check_jobs(waiting, overwrite=overwrite)
        make_folders(waiting)
        outcomes = [Outcome(job, Status.SKIPPED) for job in existing]
        outcomes += run_jobs(
            upscaler,
            waiting,
            options,
            strip_metadata=strip_metadata,
            quality=quality,
            done=(lambda line: None) if as_json else say,
            warned=lambda text: typer.echo(f"warning: {text}", err=True),
        )
    if as_json:
        say(outcomes_as_json(outcomes))
    if existing:
        typer.echo(f"{len(existing)} of {len(jobs)} pictures skipped, their results exist", err=True)
    failures = [outcome.error for outcome in outcomes if outcome.error is not None]
    if failures and len(jobs) == 1:
        raise CommandError(failures[0])
    for failure in failures:
        typer.echo(f"error: {failure}", err=True)
    if failures:
        typer.echo(f"{len(failures)} of {len(jobs)} pictures failed, the others are done", err=True)
        raise typer.Exit(1)


@app.command()
def compare(
    picture: Annotated[Path, typer.Argument(metavar="INPUT", help="A picture.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The page.", show_default="NAME.html beside the input")
    ] = None,
    bundle: BundleOption = None,
    backend: Annotated[str, typer.Option(help="The engine, for example onnx.")] = "auto",
    precision: Annotated[str, typer.Option(help="fp32, fp16, bf16 or int8, if the model has it.")] = "auto",
) -> None:
    """Make a page with a slider between a bicubic enlargement and this one.

    The page is one file that needs nothing else: open it in a browser, or send it to somebody.

    \b
    Examples:
      tadsr compare photo.jpg
      tadsr compare photo.jpg -o page.html
    """
    import runtime
    from tadsr.commands import say

    from .compare import write_page

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
    as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout instead of tables.")] = False,
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

    Given again, it goes on where it was stopped. Needs the compress and onnx extras.

    \b
    Examples:
      tadsr recipe mobile --photos ~/Pictures
      tadsr recipe mobile --smoke
    """
    from tadsr.commands import say

    from .errors import CommandError
    from .recipe import as_typed, commands_of, draw_photos, estimate, read_recipe, run_recipe

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
    as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout instead of tables.")] = False,
) -> None:
    """Show which engines can run a model here, which one would, and what brings the others.

    \b
    Examples:
      tadsr doctor
      tadsr doctor photo.tadsr --json
    """
    from .doctor import diagnose, show_diagnosis

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
    from tadsr.commands import say

    from .web_server import serve

    serve(port, open_browser=open_browser, say=say)


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
