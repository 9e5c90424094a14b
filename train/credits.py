"""``python -m train.credits``: whose photos a model was trained on, as the table of a model card."""

import argparse
from pathlib import Path

from runtime import commands
from train.photos import credits


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m train.credits", description="Sources and licences of photos.")
    parser.add_argument("photos", type=Path, help="folder of photos with a MANIFEST.csv inside or one folder up")
    parser.add_argument("--licences", choices=["free", "all"], default="free", help="which of them")
    options = parser.parse_args()
    commands.say("| source | licence | photos |\n|---|---|---|")
    for source, licence, count in credits(options.photos, options.licences):
        commands.say(f"| {source} | {licence} | {count} |")


if __name__ == "__main__":
    commands.run(main)
