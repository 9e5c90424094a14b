"""Colour profiles, where a picture has to leave the one it came in.

A picture in grey or RGB never does: the network enlarges the numbers as they are, whatever profile they are in, and the
result carries the same profile. RGB profiles are encoded for the eye much as sRGB is, and what the network does, moving
edges and textures but no mean, is right in all of them. A detour through sRGB would cut off the colours for which
people choose Display P3 or Adobe RGB, and round twice.
"""

import io

from PIL import Image


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """An 8-bit ``image`` as RGB, or RGBA if it has transparency, in sRGB and without a profile of its own.

    It goes through ``profile``. What cannot be managed (no profile, a damaged one, one for other colours, a Pillow
    without colour management) is converted by Pillow's plain formula.
    """
    plain = image.convert("RGBA" if image.has_transparency_data else "RGB")
    plain.info.pop("icc_profile", None)
    if not profile:
        return plain
    from PIL import ImageCms

    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        opaque = image.convert("L" if image.mode == "LA" else "RGB") if plain.mode == "RGBA" else image
        managed = ImageCms.profileToProfile(opaque, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImportError, OSError, ValueError, ImageCms.PyCMSError):
        return plain
    if managed is None:  # only where it was to change the image in place
        return plain
    if plain.mode == "RGBA":
        managed.putalpha(plain.getchannel("A"))
    managed.info = plain.info
    return managed
