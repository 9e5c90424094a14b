"""The options of `tadsr upscale`. What is slow to import is imported when it runs."""

import warnings
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from apps.options import BackendOption, BundleOption, PrecisionOption


class Seam(StrEnum):
    """How far tiles stay away from each other's edges."""

    FAST = "fast"
    EXACT = "exact"


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
    backend: BackendOption = "auto",
    precision: PrecisionOption = "auto",
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
    from apps.errors import CommandError
    from apps.upscale.jobs import check_jobs, make_folders, plan_jobs, split_existing, suffix_of
    from apps.upscale.outcomes import Outcome, Status
    from apps.upscale.outcomes import as_json as outcomes_as_json
    from apps.upscale.running import parse_size, run_jobs
    from tadsr.commands import say

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
            on_saved=(lambda line: None) if as_json else say,
            on_warning=lambda text: typer.echo(f"warning: {text}", err=True),
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
