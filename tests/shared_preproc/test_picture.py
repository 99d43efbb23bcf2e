"""Pictures of every kind and size: read to the level, or refused before they cost much."""

import time
import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from shared_preproc.errors import UndecodableImageError, UnsuitableDimensionsError, UnsupportedFormatError
from shared_preproc.picture import MAX_PIXELS, Picture, decode_picture
from tests import factories
from tests import picture_files as files


def gray_page() -> np.ndarray:
    return np.asarray(files.page_image().convert("L"))


def assert_refused_as_damaged(data: bytes) -> None:
    with pytest.raises(UndecodableImageError, match="damaged or cut short"):
        decode_picture(data)


@pytest.mark.parametrize(
    ("image_format", "options"),
    [
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("TIFF", {"compression": "tiff_adobe_deflate"}),
        ("TIFF", {"compression": "packbits"}),
        ("WEBP", {"lossless": True, "method": 0}),
        ("BMP", {}),
        ("PNG", {"compress_level": 1}),
    ],
)
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
def test_lossless_formats_are_read_to_the_level(image_format: str, options: dict[str, object], mode: str) -> None:
    picture = decode_picture(factories.encoded(files.page_image().convert(mode), image_format, **options))
    assert picture.format.upper() == image_format
    assert np.array_equal(picture.gray, gray_page())


def test_gif_is_read() -> None:
    picture = decode_picture(factories.encoded(files.page_image().convert("L"), "GIF"))
    assert picture.format == "GIF"
    assert np.array_equal(picture.gray, gray_page())


def test_lossy_webp_with_alpha_is_laid_on_white() -> None:
    image = files.page_image().convert("RGBA")
    image.putalpha(0)
    assert decode_picture(factories.encoded(image, "WEBP", method=0)).gray.min() == 255


@pytest.mark.parametrize("photometric", [0, 1])
@pytest.mark.parametrize("fill_order", [1, 2])
def test_fax_tiff_is_read(photometric: int, fill_order: int) -> None:
    page = files.black_and_white()
    fax = files.tiff(page, "group4", photometric=photometric, fill_order=fill_order)
    assert np.array_equal(decode_picture(fax).gray, np.asarray(page.convert("L")))


def test_fax_tiff_without_end_code_is_read() -> None:
    fax = files.tiff(files.black_and_white(), "group4")
    without = files.with_tiff_tags(fax, {279: files.tiff_tag(fax, 279) - 3})
    assert np.array_equal(decode_picture(without).gray, decode_picture(fax).gray)


@pytest.mark.parametrize(
    "make",
    [
        lambda: files.tiff(files.page_image().transpose(Image.Transpose.ROTATE_90), orientation=6),
        lambda: files.webp_with((b"EXIF", files.exif(1))),
        lambda: files.png_with((b"eXIf", files.exif(1))),
    ],
    ids=["tiff", "webp", "png"],
)
def test_orientation_of_each_format_is_applied(make: Callable[[], bytes]) -> None:
    assert np.array_equal(decode_picture(make()).gray, gray_page())


def test_webp_exif_turns_the_picture() -> None:
    assert np.array_equal(decode_picture(files.webp_with((b"EXIF", files.exif(3)))).gray, np.rot90(gray_page(), 2))


def test_phone_photograph_of_50_megapixels_is_read() -> None:
    photograph = Image.new("RGB", (8192, 6144), (200, 180, 160))
    picture = decode_picture(factories.encoded(photograph, "JPEG", quality=30))
    assert (picture.width_px, picture.height_px) == (8192, 6144)


def test_jpeg_with_a_gain_map_is_read() -> None:
    plain = decode_picture(factories.page_jpeg())
    marked = files.jpeg_with((0xE1, b"http://ns.adobe.com/xap/1.0/\0 hdrgm:Version"), (0xE2, b"MPF\0" + bytes(20)))
    assert np.array_equal(decode_picture(marked).gray, plain.gray)


@pytest.mark.parametrize(
    "data",
    [factories.bomb_png(10_000), factories.bomb_png(65_000), files.webp_of_size(10_000), files.webp_of_size(6_000)],
    ids=["100-megapixel-png", "4-gigapixel-png", "100-megapixel-webp", "36-megapixel-webp"],
)
def test_too_many_pixels_are_refused_undecoded(data: bytes) -> None:
    tracemalloc.start()
    with pytest.raises(UnsuitableDimensionsError, match="megapixels"):
        decode_picture(data)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 2**20


def test_largest_picture_is_one_of_50_megapixels() -> None:
    assert 8192 * 6144 <= MAX_PIXELS < 60_000_000


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (factories.page_jpeg()[:-2] + 2**20 * b"\xff\xe2\0\2" + files.END, "more than 1000 segments"),
        (files.jpeg_of_frame(0xC9), "arithmetic-coded"),
        (files.jpeg_of_frame(0xCA), "arithmetic-coded"),
        (files.jpeg_of_frame(0xCB), "arithmetic-coded"),
        (files.jpeg_of_frame(0xC3), "lossless or hierarchical"),
        (factories.encoded(files.page_image(), "TIFF", save_all=True, append_images=[files.page_image()]), "pages"),
        (files.tiff(files.page_image(), "jpeg"), "JPEG compression"),
        (files.tiff(files.black_and_white(), "group3"), "Group 3"),
        (files.tiff(files.page_image().convert("CMYK")), "CMYK"),
        (files.tiff(Image.new("I;16", (20, 20))), "more than 8 bits"),
        (
            factories.encoded(Image.new("L", (9, 9)), "GIF", save_all=True, append_images=[Image.new("L", (9, 9), 9)]),
            "GIF of several",
        ),
        (
            factories.encoded(Image.new("L", (9, 9)), "WEBP", save_all=True, append_images=[Image.new("L", (9, 9), 9)]),
            "animated WebP",
        ),
    ],
    ids=[
        *(
            "segments-at-the-end",
            "sof9",
            "sof10",
            "sof11",
            "sof3",
            "tiff-pages",
            "tiff-jpeg",
            "tiff-group3",
            "tiff-cmyk",
            "tiff-16",
        ),
        *("gif-animated", "webp-animated"),
    ],
)
def test_unfaithful_kinds_are_named(data: bytes, found: str) -> None:
    with pytest.raises(UnsupportedFormatError, match=found):
        decode_picture(data)


def test_png_without_its_last_rows_is_refused() -> None:
    assert_refused_as_damaged(files.png_of_rows(lambda rows: rows[: len(rows) * 4 // 5]))


def test_png_with_more_rows_than_its_header_is_refused() -> None:
    assert_refused_as_damaged(files.png_of_rows(lambda rows: rows + rows[:6640]))


@pytest.mark.parametrize("interlaced_mode", ["1", "L", "P", "RGB"])
@pytest.mark.parametrize("size_px", [(1, 1), (3, 5), (17, 9)])
def test_png_length_holds_for_small_pictures(interlaced_mode: str, size_px: tuple[int, int]) -> None:
    assert decode_picture(factories.encoded(Image.new(interlaced_mode, size_px), "PNG")).gray.shape == size_px[::-1]


def test_progressive_jpeg_without_its_last_scan_is_refused() -> None:
    assert_refused_as_damaged(files.jpeg_without_last_scan())


def test_progressive_jpeg_without_its_end_is_refused() -> None:
    assert_refused_as_damaged(factories.progressive_jpeg()[:-2])


def test_fax_tiff_without_its_last_rows_is_refused() -> None:
    page = files.black_and_white()
    short = files.tiff(page.crop((0, 0, page.width, 1500)), "group4")
    assert_refused_as_damaged(files.with_tiff_tags(short, {257: page.height, 278: page.height}))


def test_gif_without_its_last_rows_is_refused() -> None:
    assert_refused_as_damaged(files.gif_of_height(1700))


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate", "packbits", "group4"])
def test_tiff_with_a_cut_strip_is_refused(compression: str | None) -> None:
    image = files.black_and_white() if compression == "group4" else files.page_image()
    assert_refused_as_damaged(files.with_tiff_tags(files.tiff(image, compression), {279: 20_000}))


def test_damaged_fax_writes_nothing_to_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    fax = files.tiff(files.black_and_white(), "group4")
    assert_refused_as_damaged(fax[:50_000] + b"\xff" * 50 + fax[50_050:])
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("image_format", ["TIFF", "WEBP", "BMP", "GIF"])
def test_half_a_file_is_refused(image_format: str) -> None:
    data = factories.encoded(files.page_image(), image_format)
    assert_refused_as_damaged(data[: len(data) // 2])


BOMB = files.compression_bomb()


@pytest.mark.parametrize(
    "make",
    [
        lambda: files.png_with(*[(b"iCCP", b"a\0\0" + BOMB)] * 5000),
        lambda: files.png_with(*[(b"zTXt", b"Comment\0\0" + BOMB)] * 5000),
        lambda: files.png_with(*[(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + BOMB)] * 5000),
        lambda: files.jpeg_with(*[(0xE2, b"ICC_PROFILE\0\1\xff" + bytes(60_000))] * 100),
        lambda: files.jpeg_with(*[(0xE1, b"Exif\0\0" + bytes(60_000))] * 100),
        lambda: files.jpeg_with(*[(0xFE, bytes(60_000))] * 100),
        lambda: files.tiff_with_many_tags(4000, 8 * 2**20),
        lambda: files.webp_with((b"ICCP", bytes(5 * 2**20)), (b"XMP ", bytes(5 * 2**20))),
        lambda: files.gif_with_comment(40_000),
    ],
    ids=["png-iccp", "png-ztxt", "png-itxt", "jpeg-icc", "jpeg-exif", "jpeg-comments", "tiff-tags", "webp", "gif"],
)
def test_metadata_costs_little(make: Callable[[], bytes]) -> None:
    data = make()
    started = time.thread_time()
    picture: Picture = decode_picture(data)
    assert time.thread_time() - started < 1
    assert (picture.width_px, picture.height_px) == (2213, 1572)


def test_png_chunk_that_stands_twice_is_refused() -> None:
    header = files.png_chunks(factories.page_png())[0]
    assert_refused_as_damaged(files.png_with((b"PLTE", bytes(3)), (b"PLTE", bytes(3))))
    assert_refused_as_damaged(files.png_with(header))


@pytest.mark.parametrize(
    ("broken", "whole"),
    [
        (files.jpeg_with((0xE1, b"Exif\0\0MM\0*\xff\xff\xff\xff")), factories.page_jpeg()),
        (files.jpeg_with((0xE1, b"Exif\0\0" + files.exif(99))), factories.page_jpeg()),
        (files.jpeg_with((0xE2, b"ICC_PROFILE\0\1\3" + bytes(500))), factories.page_jpeg()),
        (files.png_with((b"eXIf", b"II")), factories.page_png()),
        (files.png_with((b"iCCP", b"no profile")), factories.page_png()),
        (files.png_with((b"tEXt", b"Comment\0drawn")).replace(b"drawn", b"DRAWN"), factories.page_png()),
        (files.webp_with((b"EXIF", b"\xff" * 30)), factories.page_png()),
    ],
    ids=["exif", "orientation-99", "icc-1-of-3", "png-exif", "png-icc", "png-text-checksum", "webp-exif"],
)
def test_broken_metadata_does_not_refuse_a_picture(broken: bytes, whole: bytes) -> None:
    assert np.array_equal(decode_picture(broken).gray, decode_picture(whole).gray)
