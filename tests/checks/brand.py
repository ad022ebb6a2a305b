"""The brand: an icon and a logo, as PNG files of the right size with a transparent ground, small enough to ship."""

from collections.abc import Iterator
from pathlib import Path
import struct

from homeassistant.components.brands.const import ALLOWED_IMAGES as NEEDED

ICON_SIDES = {"icon.png": 256, "icon@2x.png": 512}
LOGO_SIDES = {"logo.png": (128, 256), "logo@2x.png": (256, 512)}  # the shorter side lies between
BYTES_MAX = 40_000
SIGNATURE = b"\x89PNG\r\n\x1a\n"
WITH_ALPHA = {4, 6}  # colour types of the PNG format: grey with alpha, red, green, blue with alpha
PALETTE = 3


def complaints(folder: Path) -> list[str]:
    """Return what is wrong with the pictures of an integration."""
    pictures = folder / "brand"
    found = [f"brand/{name}: there is none" for name in sorted(NEEDED) if not (pictures / name).is_file()]
    for path in sorted(pictures.glob("*")):
        if path.name not in NEEDED:
            found.append(f"brand/{path.name}: Home Assistant asks for no such file")
        else:
            found += [f"brand/{path.name}: {words}" for words in _picture(path)]
    return found


def _picture(path: Path) -> Iterator[str]:
    data = path.read_bytes()
    if data[:8] != SIGNATURE:
        yield "is no PNG"
        return
    width, height, _, colour = struct.unpack(">IIBB", data[16:26])
    name = path.name.removeprefix("dark_")
    if name in ICON_SIDES and (width, height) != (ICON_SIDES[name], ICON_SIDES[name]):
        yield f"is {width} x {height}, not {ICON_SIDES[name]} square"
    if name in LOGO_SIDES:
        least, most = LOGO_SIDES[name]
        if not least <= min(width, height) <= most or width <= height:
            yield f"is {width} x {height}; a logo lies, {least} to {most} high"
    if not (colour in WITH_ALPHA or (colour == PALETTE and b"tRNS" in data)):
        yield "has no transparent ground"
    if len(data) > BYTES_MAX:
        yield f"has {len(data)} bytes: more than {BYTES_MAX}"
