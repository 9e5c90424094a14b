"""Makes before_after.jpg of sample.jpg: `python docs/pictures/before_after.py`. Left bicubic, right tadsr."""

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

import runtime

HERE = Path(__file__).parent
PART = (200, 60, 620, 400)
"""What is shown of the enlarged picture, in its pixels: left, top, right, bottom."""
GAP = 12


def main() -> None:
    sample = Image.open(HERE / "sample.jpg")
    ours = runtime.upscale(sample)
    sides = {"bicubic": sample.resize(ours.size, Image.Resampling.BICUBIC), "tadsr": ours}
    width, height = PART[2] - PART[0], PART[3] - PART[1]
    page = Image.new("RGB", (2 * width + GAP, height + 2 * GAP + 18), "white")
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(18)
    for i, (label, picture) in enumerate(sides.items()):
        left = i * (width + GAP)
        page.paste(picture.crop(PART), (left, 0))
        draw.text((left + width / 2, height + GAP), label, "black", font, anchor="mt")
    page.save(HERE / "before_after.jpg", quality=92)


if __name__ == "__main__":
    main()
