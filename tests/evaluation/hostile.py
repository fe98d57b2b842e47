"""Image files that are odd but whole, broken, or made to take the machine down."""

from __future__ import annotations

import io
import struct
import zlib
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, PngImagePlugin

from tests.evaluation.pictures import encoded, picture

if TYPE_CHECKING:
    from collections.abc import Mapping

KNOWN = "no image of a known format"


def whole() -> Mapping[str, bytes]:
    """Odd ones that torchvision reads."""
    colour, grey = picture(1), picture(2).convert("L")
    sixteen = np.random.default_rng(3).integers(0, 2**16, (48, 40), dtype=np.uint16)
    frames = [picture(seed) for seed in (5, 6, 7)]
    turned = Image.Exif()
    turned[0x0112] = 6  # orientation: to be turned by 90°
    return {
        "cmyk.jpg": encoded(colour.convert("CMYK"), "JPEG"),
        "grey.jpg": encoded(grey, "JPEG"),
        "progressive.jpg": encoded(colour, "JPEG", progressive=True, quality=60),
        "exif-rotated.jpg": encoded(colour, "JPEG", exif=turned),
        "grey-16-bit.png": encoded(Image.fromarray(sixteen), "PNG"),
        "colour-16-bit.png": _png_of_16_bits(4),
        "one-bit.png": encoded(grey.convert("1"), "PNG"),
        "palette.png": encoded(colour.quantize(17), "PNG"),
        "palette-transparent.png": encoded(
            colour.quantize(17), "PNG", transparency=bytes(range(17))
        ),
        "palette-one-transparent.png": encoded(colour.quantize(17), "PNG", transparency=3),
        "grey-alpha.png": encoded(_with_alpha(grey), "PNG"),
        "colour-alpha.png": encoded(_with_alpha(colour), "PNG"),
        "colour-key.png": encoded(colour, "PNG", transparency=(1, 2, 3)),
        "animated.png": encoded(frames[0], "PNG", save_all=True, append_images=frames[1:]),
        "animated-gif.jpg": encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]),
        "animated.webp": encoded(
            frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True
        ),
        "alpha.webp": encoded(_with_alpha(colour), "WEBP", lossless=True),
        "png-named.jpg": encoded(colour, "PNG"),
        "float.tif": encoded(grey.convert("F"), "TIFF"),
        "cmyk.tif": encoded(colour.convert("CMYK"), "TIFF"),
        "lab.tif": encoded(_lab(), "TIFF"),
        "pages.tiff": encoded(frames[0], "TIFF", save_all=True, append_images=frames[1:]),
        "plain.bmp": encoded(colour, "BMP"),
        "plain.ppm": encoded(colour, "PPM"),
        "grey.pgm": encoded(grey, "PPM"),
        "one-pixel.png": encoded(picture(8, 1, 1), "PNG"),
        "strip.png": encoded(picture(9, 1, 300), "PNG"),
        "lying-strip.png": encoded(picture(10, 300, 1), "PNG"),
        "trailing-junk.jpg": encoded(colour, "JPEG") + b"\0junk" * 1000,
    }


def broken() -> Mapping[str, tuple[bytes, str]]:
    """Those of which no image can be made, with the beginning of the reason."""
    colour = picture(1)
    jpeg, png = encoded(colour, "JPEG"), encoded(colour, "PNG")
    flipped = bytearray(png)
    flipped[len(png) // 2] ^= 0x10
    return {
        "empty.jpg": (b"", KNOWN),
        "text.jpg": (b"<html>404 Not Found</html>", KNOWN),
        "zeros.png": (bytes(4096), KNOWN),
        "only-a-header.jpg": (jpeg[:4], KNOWN),
        "postscript.jpg": (
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n",
            KNOWN,
        ),
        "truncated.jpg": (jpeg[: len(jpeg) // 2], "image file is truncated"),
        "truncated.png": (png[: len(png) // 2], "image file is truncated"),
        "flipped-bit.png": (bytes(flipped), "broken data stream"),
        "truncated.webp": (encoded(colour, "WEBP")[:-40], "could not create decoder object"),
        "truncated.gif.png": (encoded(colour, "GIF")[:900], "image file is truncated"),
        "truncated.tif": (encoded(colour, "TIFF")[:-300], "image file is truncated"),
        "truncated.bmp": (encoded(colour, "BMP")[:-300], "image file is truncated"),
        "truncated.ppm": (encoded(colour, "PPM")[:-300], "image file is truncated"),
        "no-pixels.png": (_png(40, 48, b""), "image file is truncated"),
        "no-width.png": (_png(0, 48, b""), KNOWN),
        "short-pixels.png": (_png(40, 48, zlib.compress(bytes(2000))), "image file is truncated"),
        **bombs(),
    }


def bombs() -> Mapping[str, tuple[bytes, str]]:
    """Small files that would become gigabytes."""
    large = "Image size ("
    return {
        "30000x30000.png": (_png_of_zeros(30_000, 30_000), large),
        "9500x9500.png": (_png_of_zeros(9_500, 9_500), large),
        "65500x65500.jpg": (_jpeg_of(65_500), large),
        "60000x60000.tif": (_tiff_of(60_000), large),
        "60000x60000.bmp": (_bmp_of(60_000), large),
        "60000x60000.ppm": (b"P6\n60000 60000\n255\n" + bytes(100), large),
        "60000x60000.gif.png": (_gif_of(60_000), large),
        "16384x16384.webp": (_webp_of(16_384), large),
        "narrow.png": (
            _png_of_zeros(1, 60_000),
            "1×60000 pixels would be resized to",
        ),
        "narrowest.png": (
            _png_of_zeros(1, 80_000_000),
            "1×80000000 pixels, more than 65,536 in a row",
        ),
        "flat.png": (_png_of_zeros(80_000_000, 1), "80000000×1 pixels, more than 65,536 in a row"),
        "profile.png": (
            encoded(picture(1), "PNG", icc_profile=bytes(2**26)),
            "Decompressed data too large",
        ),
        "texts.png": (_texts(80), "Too much memory used in text chunks"),
    }


def _with_alpha(image: Image.Image) -> Image.Image:
    made = image.copy()
    made.putalpha(picture(4).convert("L"))
    return made


def _lab() -> Image.Image:
    return Image.fromarray(np.asarray(picture(11)), "LAB")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(width: int, height: int, packed: bytes, *, bits: int = 8, colour: int = 2) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    chunks = (_chunk(b"IHDR", header), _chunk(b"IDAT", packed), _chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _png_of_16_bits(seed: int) -> bytes:
    rows = np.random.default_rng(seed).integers(0, 256, (48, 40 * 6), dtype=np.uint8)
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    return _png(40, 48, zlib.compress(raw), bits=16)


def _png_of_zeros(width: int, height: int) -> bytes:
    """One grey bit a pixel; a million times smaller than what it claims to be."""
    packer = zlib.compressobj(9)
    row = bytes(1 + (width + 7) // 8)
    many = max(1, 2**20 // len(row))
    parts = [packer.compress(row * many) for _ in range(height // many)]
    parts += [packer.compress(row * (height % many)), packer.flush()]
    return _png(width, height, b"".join(parts), bits=1, colour=0)


def _texts(count: int) -> bytes:
    """A megabyte of text in each of ``count`` compressed chunks."""
    info = PngImagePlugin.PngInfo()
    for number in range(count):
        info.add_text(f"k{number}", "a" * (2**20 - 1), zip=True)
    return encoded(picture(1), "PNG", pnginfo=info)


def _jpeg_of(side: int) -> bytes:
    jpeg = bytearray(encoded(picture(1), "JPEG"))
    at = jpeg.index(b"\xff\xc0") + 5
    jpeg[at : at + 4] = struct.pack(">HH", side, side)
    return bytes(jpeg)


def _tiff_of(side: int) -> bytes:
    rows = {256: side, 257: side, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: side, 279: 100}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in rows.items())
    return b"II*\0" + struct.pack("<IH", 8, len(rows)) + entries + bytes(4)


def _bmp_of(side: int) -> bytes:
    bmp = bytearray(encoded(picture(1), "BMP"))
    bmp[18:26] = struct.pack("<ii", side, side)
    return bytes(bmp)


def _gif_of(side: int) -> bytes:
    gif = bytearray(encoded(picture(1), "GIF"))
    gif[6:10] = struct.pack("<HH", side, side)
    return bytes(gif)


def _webp_of(side: int) -> bytes:
    """An animation's canvas of side², with one small frame on it."""
    buffer = io.BytesIO()
    frames = [picture(seed) for seed in (5, 6)]
    frames[0].save(buffer, "WEBP", save_all=True, append_images=frames[1:])
    webp = bytearray(buffer.getvalue())
    at = webp.index(b"VP8X") + 12
    webp[at : at + 6] = (side - 1).to_bytes(3, "little") * 2
    return bytes(webp)
