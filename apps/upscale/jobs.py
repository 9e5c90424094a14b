"""Which picture becomes which file, decided and checked before any work begins."""

import glob
import itertools
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from apps.errors import CommandError
from runtime.errors import PictureError
from runtime.pictures.formats import FORMATS
from runtime.pictures.saving import check_output, is_installed

READABLE = (*FORMATS, ".apng", ".jfif", ".jp2", ".tga", ".ppm", ".pgm")
"""Suffixes of pictures in a folder; a file that is named itself may have any."""


@dataclass(frozen=True)
class Job:
    """A picture to read and the file to write."""

    source: Path
    target: Path


def plan_jobs(inputs: Sequence[Path], output: str | None, *, scale: int, suffix: str | None = None) -> list[Job]:
    """Pair every picture of `inputs` (files, folders, patterns such as `photos/**/*.jpg`) with its target.

    Nothing is written. `output` is a folder where there are several inputs, where the input is a folder or a pattern,
    where it ends in a separator or is a folder already; pictures keep their names there, and those of a folder or
    pattern their subfolders. Otherwise it is a file. None puts `NAME_x{scale}.png` beside the input. `suffix` names the
    format of all results; where it is None, those in a folder keep that of their picture if it holds its colours.
    Raises `CommandError` or `PictureError`.

    >>> plan_jobs([Path("photo.jpg")], "big/", scale=4)  # doctest: +SKIP
    [Job(source=Path("photo.jpg"), target=Path("big/photo.jpg"))]
    """
    for path in inputs:
        if not path.exists() and not is_pattern(path):
            raise PictureError(f"{path}: no such file or folder; check the name")
    folder = _output_folder(inputs, output)
    jobs: list[Job] = []
    for path in inputs:
        if folder is not None:
            root, pictures = _find(path, folder)
            jobs += [Job(picture, folder / _named(picture.relative_to(root), suffix)) for picture in pictures]
        elif path.is_dir():
            raise CommandError(f"{path}: is a folder; name a folder for the results with -o")
        elif output is None:
            _, pictures = _find(path, None)
            jobs += [
                Job(picture, picture.with_name(f"{picture.stem}_x{scale}{suffix or '.png'}")) for picture in pictures
            ]
        else:
            form = check_output(output)
            if suffix is not None and FORMATS[suffix] is not form:
                raise CommandError(f"{output}: is no {suffix[1:]} file, which --format asks for; leave one of them out")
            jobs.append(Job(path, Path(output)))
    return list(dict.fromkeys(jobs))


def is_pattern(path: Path) -> bool:
    """Whether `path` is a pattern that no shell has expanded: quoted, or on Windows. A file of that name goes first.

    >>> is_pattern(Path("photos/*.jpg"))
    True
    """
    return glob.has_magic(str(path)) and not path.exists()


def suffix_of(form: str | None) -> str | None:
    """The suffix for `--format`, None for None. Raises `CommandError` for a format that cannot be written.

    >>> suffix_of("JPG")
    '.jpg'
    """
    if form is None:
        return None
    suffix = f".{form.lower().removeprefix('.')}"
    if suffix not in FORMATS:
        names = ", ".join(known[1:] for known in FORMATS)
        raise CommandError(f"--format {form}: is not a format that can be written; use one of {names}")
    return suffix


def find_pictures(folder: Path, results: Path | None) -> list[Path]:
    """Every picture under `folder` in a fixed order, by suffix; without hidden files, and without those in `results`.

    Raises `PictureError` where there is none.
    """
    visible = [
        path
        for path in sorted(folder.rglob("*"))
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
    pictures = _pictures_among(visible, folder, results)
    if not pictures:
        raise PictureError(f"{folder}: holds no pictures; name a folder with {', '.join(READABLE)}")
    return pictures


def match_pictures(pattern: Path, results: Path | None) -> tuple[Path, list[Path]]:
    """The folder before the first wildcard, and the pictures that match, as `find_pictures` finds them.

    `**` stands for any subfolders. Raises `PictureError` where nothing matches.
    """
    fixed = itertools.takewhile(lambda part: not glob.has_magic(part), pattern.parts)
    root = Path(*fixed)
    names = glob.glob(str(pattern), recursive=True)  # noqa: PTH207  (Path.glob refuses `a**b`, and shows hidden files)
    matching = [Path(name) for name in sorted(names)]
    pictures = _pictures_among(matching, root, results)
    if not pictures:
        raise PictureError(f"{pattern}: matches no pictures; check the pattern, and that it is in the right folder")
    return root, pictures


def split_existing(jobs: Sequence[Job]) -> tuple[list[Job], list[Job]]:
    """Split jobs into those to do and those whose target exists; a job whose target is its input is always to do."""
    waiting: list[Job] = []
    existing: list[Job] = []
    for job in jobs:
        exists = job.target.exists() and job.target.resolve() != job.source.resolve()
        (existing if exists else waiting).append(job)
    return waiting, existing


def check_jobs(jobs: Sequence[Job], *, overwrite: bool) -> None:
    """Raise `CommandError` where a job would destroy a file that the user may want to keep."""
    sources = {job.source.resolve() for job in jobs}
    sources_of: dict[Path, Path] = {}
    for job in jobs:
        target = job.target.resolve()
        if target in sources_of:
            raise CommandError(
                f"{job.target}: both {sources_of[target]} and {job.source} would be saved there; "
                "rename one, or give them one at a time"
            )
        sources_of[target] = job.source
        if target == job.source.resolve():
            if not overwrite:
                raise CommandError(
                    f"{job.target}: is the input itself; choose another -o, or replace it with --overwrite"
                )
        elif target in sources:
            raise CommandError(f"{job.target}: is an input too, and {job.source} would replace it; choose another -o")
        elif job.target.exists() and not overwrite:
            raise CommandError(f"{job.target}: exists already; choose another -o, --skip-existing or --overwrite")


def make_folders(jobs: Sequence[Job]) -> None:
    """Make the folders of all targets and try to write there. Raises `CommandError` or `PictureError`."""
    for folder in sorted({job.target.parent for job in jobs}):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):  # permission bits say too little: read-only disks, Windows, root
                pass
        except (FileExistsError, NotADirectoryError) as error:
            raise CommandError(f"{folder}: a file stands where this folder is needed; choose another -o") from error
        except OSError as error:
            raise CommandError(f"{folder}: cannot be written to ({error.strerror}); choose another -o") from error
    for job in jobs:
        check_output(job.target)


def _find(path: Path, results: Path | None) -> tuple[Path, list[Path]]:
    """(the folder whose subfolders are kept, the pictures) of one input."""
    if is_pattern(path):
        return match_pictures(path, results)
    return (path, find_pictures(path, results)) if path.is_dir() else (path.parent, [path])


def _pictures_among(paths: Sequence[Path], root: Path, results: Path | None) -> list[Path]:
    """Files with a picture's suffix; if `results` is a folder inside `root`, without those that it holds."""
    folder = results and results.resolve()
    inner = folder if folder and root.resolve() in folder.parents else None
    return [
        path
        for path in paths
        if path.suffix.lower() in READABLE and not (inner and inner in path.resolve().parents) and path.is_file()
    ]


def _output_folder(inputs: Sequence[Path], output: str | None) -> Path | None:
    if output is None:
        return None
    several = len(inputs) > 1 or inputs[0].is_dir() or is_pattern(inputs[0])
    separators = tuple(filter(None, (os.sep, os.altsep)))
    return Path(output) if several or output.endswith(separators) or Path(output).is_dir() else None


def _named(name: Path, suffix: str | None) -> Path:
    if suffix is not None:
        return name.with_suffix(suffix)
    form = FORMATS.get(name.suffix.lower())
    return name if form is not None and not form.palette and is_installed(form) else name.with_suffix(".png")
