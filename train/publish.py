"""``python -m train.publish``: copy networks out of a run as fp16, or name their photos' sources for a model card."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from tadsr import commands
from train.data.photos import credits_as_json
from train.engine.checkpoints import BUILDERS, load_network, save_network
from train.engine.errors import TrainError


def publish(source: Path, folder: Path) -> Path:
    """Store one network of a run as fp16 under the same name. Raises ``TrainError`` where it is not a network."""
    network, description = load_network(source, *BUILDERS)
    target = folder / source.name
    save_network(target, network.state_dict(), description, half=True)
    return target


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog=commands.prog("train.publish"),
        description="Copy networks out of runs as fp16, or name the sources and licences of the photos they have seen.",
    )
    parser.add_argument("networks", type=Path, nargs="*", help="weights that trainers wrote (.safetensors)")
    parser.add_argument("-o", "--output", type=Path, help="the folder to write to")
    parser.add_argument(
        "--credits",
        type=Path,
        metavar="PHOTOS",
        help="say as JSON where the photos of a folder are from; a MANIFEST.csv lies inside or one folder up",
    )
    parser.add_argument("--licences", choices=["free", "all"], default="free", help="which photos --credits counts")
    arguments = parser.parse_args(argv)
    if arguments.credits is not None:
        commands.say(json.dumps(credits_as_json(arguments.credits, arguments.licences), indent=1, ensure_ascii=False))
        return
    if not arguments.networks or arguments.output is None:
        parser.error("give networks and --output, or --credits PHOTOS")
    if twice := {a.name for a in arguments.networks for b in arguments.networks if a != b and a.name == b.name}:
        raise TrainError(f"{min(twice)}: named twice; publish one of them into another folder")
    for source in arguments.networks:
        target = publish(source, arguments.output)
        commands.say(f"{target}: {target.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    commands.run(main)
