"""Write drawn photos in the layout of the PASCAL VOC devkit, for three years."""

import io
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from drawn.catalog import OTHERS, scene_of
from drawn.coco import indices
from drawn.files import draw_all, encode_jpeg, write_lines
from drawn.painter import paint

CLASSES = {"bottle": 5, "chair": 9, "dog": 12, "person": 15, "potted plant": 16}  # no cups in VOC
XML_NAMES = {"potted plant": "pottedplant"}
YEARS = ("VOC2007", "VOC2008", "VOC2012")
PRIME = 9949  # photo numbers are distinct values in 1..PRIME
VOID, VOID_WIDTH = 255, 5


def colour_map() -> list[int]:
    """VOC's palette of 256 colours, flat: three bits of the label at a time fill R, G and B from the top bit down."""
    palette = []
    for label in range(256):
        channels = [0, 0, 0]
        for bit in range(8):
            for c in range(3):
                channels[c] |= ((label >> (3 * bit + c)) & 1) << (7 - bit)
        palette += channels
    return palette


def places(index: int, seed: int) -> list[tuple[str, str]]:
    """Return the (year, photo name) pairs of the picture at an index.

    As in the real sets, VOC2007 names photos by number alone, and half of them are in VOC2012 again with the year
    before the number; all of VOC2008 is in VOC2012 under the same names; a quarter is in VOC2012 alone.
    """
    place = index - OTHERS if index >= OTHERS else index
    number = 1 + (1237 * (2 * place + (index >= OTHERS) + 1) + 31 * (seed % PRIME)) % PRIME
    return (
        [("VOC2007", f"{number:06d}")],
        [("VOC2007", f"{number:06d}"), ("VOC2012", f"2007_{number:06d}")],
        [("VOC2008", f"2008_{number:06d}"), ("VOC2012", f"2008_{number:06d}")],
        [("VOC2012", f"2011_{number:06d}")],
    )[place % 4]


def write_voc(folder: Path, *, portraits: int, others: int, seed: int, processes: int = 2) -> None:
    """Write `portraits` photos that pass the paper's rule and `others` that do not to VOCdevkit/VOC{2007,2008,2012}.

    JPEGImages/*.jpg (500x375 or 375x500), Annotations/*.xml, SegmentationClass/*.png and SegmentationObject/*.png
    (palette PNGs; 0 background, 15 person or the object's number, 255 a void border),
    ImageSets/Segmentation/{train,val,trainval}.txt.

    Args:
        folder: of the set, made if missing.
        portraits: number of portraits.
        others: number of photos that fail the rule.
        seed: of the whole drawn data.
        processes: that draw in parallel; their number changes no byte.
    """
    for year in YEARS:
        for name in ("JPEGImages", "Annotations", "SegmentationClass", "SegmentationObject", "ImageSets/Segmentation"):
            (folder / "VOCdevkit" / year / name).mkdir(parents=True, exist_ok=True)
    chosen = indices(portraits, others)
    draw_all(partial(_write_photo, folder / "VOCdevkit", seed), chosen, label="voc", processes=processes)
    for year in YEARS:
        names = [(name, index) for index in chosen for place, name in places(index, seed) if place == year]
        lists = folder / "VOCdevkit" / year / "ImageSets" / "Segmentation"
        write_lines(lists / "train.txt", sorted(name for name, index in names if index // 4 % 2 == 0))
        write_lines(lists / "val.txt", sorted(name for name, index in names if index // 4 % 2 == 1))
        write_lines(lists / "trainval.txt", sorted(name for name, _ in names))


def _write_photo(devkit: Path, seed: int, index: int) -> None:
    """Draw one photo and write it to every year that holds it."""
    picture = paint(scene_of("voc", index, seed))
    objects = [(name, mask) for name, mask in picture.things if name in CLASSES]
    objects += [("person", mask) for mask in picture.people]
    shape = picture.rgb.shape[:2]
    by_class, by_object = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    for number, (name, mask) in enumerate(objects, 1):
        by_class[mask], by_object[mask] = CLASSES[name], number
    border = void_border(by_object)
    by_class[border], by_object[border] = VOID, VOID
    photo, classes, instances = encode_jpeg(picture.rgb), _palette_png(by_class), _palette_png(by_object)
    for year, name in places(index, seed):
        root = devkit / year
        (root / "JPEGImages" / f"{name}.jpg").write_bytes(photo)
        (root / "SegmentationClass" / f"{name}.png").write_bytes(classes)
        (root / "SegmentationObject" / f"{name}.png").write_bytes(instances)
        (root / "Annotations" / f"{name}.xml").write_text(_xml(year, name, shape, objects), "utf-8")


def void_border(labels: np.ndarray) -> np.ndarray:
    """bool (H, W): pixels within VOID_WIDTH // 2 of a change of label."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (VOID_WIDTH, VOID_WIDTH))
    return cv2.dilate(labels, disc) != cv2.erode(labels, disc)


def _palette_png(labels: np.ndarray) -> bytes:
    image = Image.fromarray(labels, "P")
    image.putpalette(colour_map())
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def _xml(year: str, name: str, shape: tuple[int, int], objects: list[tuple[str, np.ndarray]]) -> str:
    """VOC's XML annotation; boxes are 1-based and include their last pixel."""
    height, width = shape
    lines = [
        "<annotation>",
        f"\t<folder>{year}</folder>",
        f"\t<filename>{name}.jpg</filename>",
        f"\t<source>\n\t\t<database>The {year} Database</database>\n\t\t<annotation>PASCAL {year}</annotation>",
        "\t\t<image>drawn</image>\n\t</source>",
        f"\t<size>\n\t\t<width>{width}</width>\n\t\t<height>{height}</height>\n\t\t<depth>3</depth>\n\t</size>",
        "\t<segmented>1</segmented>",
    ]
    for label, mask in objects:
        x, y, w, h = cv2.boundingRect(mask.astype(np.uint8))
        cut = int(x == 0 or y == 0 or x + w == width or y + h == height)
        lines += [
            f"\t<object>\n\t\t<name>{XML_NAMES.get(label, label)}</name>\n\t\t<pose>Unspecified</pose>",
            f"\t\t<truncated>{cut}</truncated>\n\t\t<difficult>0</difficult>",
            f"\t\t<bndbox>\n\t\t\t<xmin>{x + 1}</xmin>\n\t\t\t<ymin>{y + 1}</ymin>",
            f"\t\t\t<xmax>{x + w}</xmax>\n\t\t\t<ymax>{y + h}</ymax>\n\t\t</bndbox>\n\t</object>",
        ]
    return "\n".join([*lines, "</annotation>"]) + "\n"
