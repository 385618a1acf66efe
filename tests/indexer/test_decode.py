import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from indexer.decode import (
    MAX_BYTES,
    MAX_JPEG_SCANS,
    MAX_PIXELS,
    REFUSALS,
    ImageRefused,
    decode,
    decode_sized,
    thumbnail,
)
from tests.indexer.pictures import encoded, picture


def refusal(data: bytes) -> str:
    with pytest.raises(ImageRefused) as caught:
        decode(data)
    assert caught.value.sentence == str(caught.value) == REFUSALS[caught.value.reason]
    return caught.value.reason


def difference(one: Image.Image, other: Image.Image) -> float:
    pixels = np.asarray(one, np.float64), np.asarray(other, np.float64)
    return float(np.abs(pixels[0] - pixels[1]).mean())


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF"])
def test_the_promised_formats_come_out_as_plain_rgb(form: str) -> None:
    image = decode(encoded(picture(1), form))
    assert (image.mode, image.size, image.info) == ("RGB", (320, 240), {})
    assert difference(image, picture(1)) < 12


@pytest.mark.parametrize("form", ["BMP", "TIFF", "PPM", "ICO", "TGA", "PDF"])
def test_other_formats_are_refused_whatever_pillow_could_do(form: str) -> None:
    assert refusal(encoded(picture(1, (64, 64)), form)) == "unknown_format"


@pytest.mark.parametrize("data", [b"", b"\xff", b"<svg xmlns='http://www.w3.org/2000/svg'/>"])
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    assert refusal(data) == ("unknown_format" if data else "empty")


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF"])
def test_half_a_file_is_refused(form: str) -> None:
    whole = encoded(picture(1), form)
    assert refusal(whole[: len(whole) // 2]) == "broken"


def test_the_byte_limit_is_inclusive() -> None:
    data = encoded(picture(1))
    padded = data + b"\0" * (MAX_BYTES - len(data))
    assert decode(padded).size == (320, 240)
    assert refusal(padded + b"\0") == "too_many_bytes"


@pytest.mark.parametrize(
    "size", [(MAX_PIXELS // 5000 + 1, 5000), (30_000, 30_000), (2**31 - 1,) * 2]
)
def test_pixels_are_counted_from_the_header(size: tuple[int, int]) -> None:
    header = struct.pack(">IIBBBBB", *size, 8, 2, 0, 0, 0)
    small = encoded(picture(1, (16, 16)), "PNG")
    start = small.index(b"IHDR") + 4
    forged = bytearray(small)
    forged[start : start + len(header)] = header
    checksum = start + len(header)
    forged[checksum : checksum + 4] = struct.pack(">I", zlib.crc32(b"IHDR" + header))
    assert refusal(bytes(forged)) == "too_many_pixels"


@pytest.mark.parametrize("size", [(1, 1), (7, 100), (100, 7)])
def test_slivers_are_refused(size: tuple[int, int]) -> None:
    assert refusal(encoded(Image.new("RGB", size), "PNG")) == "too_small"


def test_a_flood_of_scans_is_refused_unread() -> None:
    data = encoded(picture(1), progressive=True)
    start = data.rindex(b"\xff\xda")
    scan, end = data[start:-2], data[-2:]
    assert decode(data).size == (320, 240)
    assert refusal(data[:-2] + scan * MAX_JPEG_SCANS + end) == "too_many_scans"


@pytest.mark.parametrize("orientation", range(11))
def test_exif_orientation_is_applied_and_illegal_values_ignored(orientation: int) -> None:
    upright = picture(3, (192, 128))
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }.get(orientation)
    stored = upright if undo is None else upright.transpose(undo)
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert difference(decode(encoded(stored, quality=95, exif=exif)), upright) < 12


@pytest.mark.parametrize(
    ("side", "size"), [(100, (300, 400)), (200, (300, 400)), (700, (1200, 1600))]
)
def test_a_jpeg_is_decoded_at_a_fraction_that_keeps_its_sides(
    side: int, size: tuple[int, int]
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(picture(3, (1600, 1200)), exif=exif)
    upright, original = decode_sized(data, side=side)
    assert original == decode(data).size == (1200, 1600)
    assert min(upright.size) >= side
    assert upright.size == (size if side != 100 else (150, 200))
    whole = decode(data).resize(upright.size, Image.Resampling.BOX)
    assert difference(upright, whole) < 3
    png = encoded(picture(3), "PNG")
    assert decode(png, side=10).size == (320, 240)


def test_metadata_is_gone() -> None:
    exif = Image.Exif()
    exif[0x010E] = "Jane Testperson"
    data = encoded(picture(1), exif=exif, comment=b"secret comment")
    image = decode(data)
    assert b"Testperson" in data
    assert image.info == {}
    for kept in (encoded(image, "PNG"), encoded(image), thumbnail(image, 100)):
        assert b"Testperson" not in kept
        assert b"secret" not in kept


def test_sixteen_bits_are_scaled_not_clipped() -> None:
    grey = np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16)
    image = decode(encoded(Image.fromarray(grey), "PNG"))
    assert difference(image, Image.fromarray((grey >> 8).astype(np.uint8)).convert("RGB")) < 1


def test_palettes_transparency_and_cmyk_become_the_colors_seen() -> None:
    original = picture(4)
    palette = original.quantize(255)
    palette.info["transparency"] = 0
    assert difference(decode(encoded(palette, "PNG", transparency=0)), original) < 12
    clear = original.copy()
    clear.putalpha(255)
    assert difference(decode(encoded(clear, "PNG")), original) == 0
    assert difference(decode(encoded(original.convert("CMYK"), quality=95)), original) < 8
    grey = original.convert("LA")
    assert difference(decode(encoded(grey, "PNG")), original.convert("L").convert("RGB")) == 0


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG"])
def test_of_an_animation_the_first_frame_comes_out(form: str) -> None:
    others = [picture(seed) for seed in range(6, 9)]
    data = encoded(picture(5), form, save_all=True, append_images=others)
    assert difference(decode(data), picture(5)) < 12


def test_a_thumbnail_is_small_and_leaves_the_picture_alone() -> None:
    image = picture(1)
    with Image.open(io.BytesIO(thumbnail(image, 64))) as small:
        assert (small.format, small.size) == ("JPEG", (64, 48))
    assert image.size == (320, 240)
