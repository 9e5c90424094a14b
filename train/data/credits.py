"""``python -m train.data.credits``: whose photos a model was trained on, as the table of a model card."""

import argparse
import json
from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import Any

from tadsr import commands
from train.data.photos import Licences, credits, find_photos, photo_size


def as_json(photos: Path, licences: Licences) -> dict[str, Any]:
    """How many photos and megapixels there are, and the rows of ``credits``.

    Raises ``PhotoError`` as ``credits``, and where a photo's size cannot be read.
    """
    found = find_photos(photos, licences)
    megapixels = sum(prod(photo_size(photo)) for photo in found) / 1e6
    rows = [credit._asdict() for credit in credits(photos, licences)]
    return {"photos": len(found), "megapixels": megapixels, "credits": rows}


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m train.data.credits", description="Sources and licences of photos.")
    parser.add_argument("photos", type=Path, help="folder of photos with a MANIFEST.csv inside or one folder up")
    parser.add_argument("--licences", choices=["free", "all"], default="free", help="which of them")
    parser.add_argument("--json", action="store_true", help="print JSON, with the photos' number and size")
    options = parser.parse_args(argv)
    if options.json:
        commands.say(json.dumps(as_json(options.photos, options.licences), indent=1, ensure_ascii=False))
        return
    commands.say("| source | licence | photos |\n|---|---|---|")
    for source, licence, count in credits(options.photos, options.licences):
        commands.say(f"| {source} | {licence} | {count} |")


if __name__ == "__main__":
    commands.run(main)
