import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bsn.errors import InputError
from study.datasets import voc
from study.datasets.portraits import PortraitRule, annotated_rejection

REAL = os.environ.get("BSN_REAL_DATA")
# Two persons that touch (objects 1 and 3), a dog (object 2), void borders.
CLASSES = np.zeros((10, 20), np.uint8)
CLASSES[2:8, 2:6] = CLASSES[2:8, 6:10] = 15
CLASSES[2:8, 14:18] = 12
CLASSES[1, 2:10] = 255
OBJECTS = np.zeros((10, 20), np.uint8)
OBJECTS[2:8, 2:6], OBJECTS[2:8, 6:10], OBJECTS[2:8, 14:18], OBJECTS[1, 2:10] = 1, 3, 2, 255


def palette(array: np.ndarray, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(array)
    image.putpalette(list(range(256)) * 3)
    image.save(file)


def add(root: Path, year: int, name: str, *, photo: bool = True, classes: np.ndarray = CLASSES) -> Path:
    folder = root / "VOCdevkit" / f"VOC{year}"
    lists = folder / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True, exist_ok=True)
    with (lists / "trainval.txt").open("a") as stream:
        stream.write(f"{name}\n")
    palette(classes, folder / "SegmentationClass" / f"{name}.png")
    if photo:
        (folder / "JPEGImages").mkdir(exist_ok=True)
        (folder / "JPEGImages" / f"{name}.jpg").write_bytes(b"photo")
    return folder


def test_class_15_is_the_person_and_void_is_ignored(tmp_path):
    add(tmp_path, 2012, "2009_000001")
    (found,) = voc.candidates(tmp_path)
    mask = found.load_mask()
    assert found.split == "test"
    assert mask.dtype == np.uint8
    assert ((mask == 1).sum(), (mask == 255).sum(), (mask == 0).sum()) == (48, 8, 144)


def test_a_photo_of_several_years_is_taken_from_the_latest_complete_year(tmp_path):
    add(tmp_path, 2012, "2007_000032")
    add(tmp_path, 2007, "000032")
    add(tmp_path, 2007, "000033")
    add(tmp_path, 2008, "2008_000001")
    add(tmp_path, 2012, "2008_000001", photo=False)
    found = {c.id: c.photo.parent.parent.name for c in voc.candidates(tmp_path)}
    assert found == {"2007_000032": "VOC2012", "2007_000033": "VOC2007", "2008_000001": "VOC2008"}


def test_a_photo_in_two_lists_of_one_year_is_read_once(tmp_path):
    lists = add(tmp_path, 2012, "2009_000001") / "ImageSets" / "Segmentation"
    (lists / "val.txt").write_text("2009_000001\n")
    assert len(list(voc.candidates(tmp_path))) == 1


def test_persons_are_counted_by_object_masks_else_boxes_else_connected_components(tmp_path):
    folder = add(tmp_path, 2012, "2009_000001")
    (found,) = voc.candidates(tmp_path)
    assert found.count_persons() == 1  # the two touch: one component
    (folder / "Annotations").mkdir()
    names = ["person", "dog", "person", "person"]
    boxes = "".join(f"<object><name>{name}</name><part><name>head</name></part></object>" for name in names)
    (folder / "Annotations" / "2009_000001.xml").write_text(f"<annotation>{boxes}</annotation>")
    assert found.count_persons() == 3
    palette(OBJECTS, folder / "SegmentationObject" / "2009_000001.png")
    assert found.count_persons() == 2


@pytest.mark.parametrize("encoding", ["utf-8", "gb2312", "shift_jis", "utf-16"])
@pytest.mark.parametrize("root", ["<annotation>", '<annotation xmlns="http://example.org/voc">'])
def test_person_boxes_are_counted_in_xml_of_any_encoding_and_namespace(tmp_path, encoding, root):
    folder = add(tmp_path, 2012, "2009_000001")
    (folder / "Annotations").mkdir()
    person = "<object><name>\r\n person </name><part><name>person</name></part></object>"
    others = "<object><name>people</name></object><object><name/></object><object><bndbox/></object>"
    text = f'<?xml version="1.0" encoding="{encoding}"?>{root}<folder>写真</folder>{person}{others}</annotation>'
    (folder / "Annotations" / "2009_000001.xml").write_bytes(text.encode(encoding))
    (found,) = voc.candidates(tmp_path)
    assert found.count_persons() == 1


def test_unreadable_boxes_reject_only_that_photo(tmp_path):
    for name in ("2009_000001", "2009_000002"):
        folder = add(tmp_path, 2012, name)
    (folder / "Annotations").mkdir()
    (folder / "Annotations" / "2009_000001.xml").write_bytes(b'<?xml version="1.0" encoding="gb2312"?><a>\xff</a>')
    rule = PortraitRule(min_face=0.1, min_on_mask=0.5, box_margin=0.0)
    first, second = (annotated_rejection(found, rule) for found in voc.candidates(tmp_path))
    assert first.startswith("2009_000001.xml is not XML ('gb2312' codec can't decode")
    assert second is None


def test_a_list_in_utf_16_with_crlf_and_semicolons_is_read(tmp_path):
    lists = add(tmp_path, 2012, "2009_000001") / "ImageSets" / "Segmentation"
    (lists / "val.txt").write_bytes("2009_000001\r\n2009_000002;\r\n\r\n".encode("utf-16"))
    assert [c.id for c in voc.candidates(tmp_path)] == ["2009_000001", "2009_000002"]


def test_broken_annotations_are_refused_with_the_file_s_name(tmp_path):
    folder = add(tmp_path, 2012, "2009_000001")
    (found,) = voc.candidates(tmp_path)
    (folder / "Annotations").mkdir()
    (folder / "Annotations" / "2009_000001.xml").write_text("<annotation>")
    with pytest.raises(InputError, match=r"2009_000001\.xml is not XML"):
        found.count_persons()
    palette(OBJECTS[:5], folder / "SegmentationObject" / "2009_000001.png")
    with pytest.raises(InputError, match="object mask of 2009_000001"):
        found.count_persons()


def test_a_class_mask_without_a_person_gives_0_persons_without_reading_the_boxes(tmp_path):
    folder = add(tmp_path, 2012, "2009_000001", classes=np.where(CLASSES == 15, 0, CLASSES))
    (folder / "Annotations").mkdir()
    (folder / "Annotations" / "2009_000001.xml").write_text("no XML")
    (found,) = voc.candidates(tmp_path)
    assert found.count_persons() == 0


def test_the_years_that_list_a_photo_are_counted(tmp_path):
    add(tmp_path, 2012, "2007_000032")
    add(tmp_path, 2007, "000032")
    add(tmp_path, 2008, "2008_000001")
    assert {c.id: c.listed for c in voc.candidates(tmp_path)} == {"2007_000032": 2, "2008_000001": 1}
    assert voc.listed(tmp_path) == {"VOC2012": {"2007_000032"}, "VOC2008": {"2008_000001"}, "VOC2007": {"000032"}}


@pytest.mark.parametrize("name", ["../../../x", "x" * 300])
def test_a_listed_name_with_a_folder_or_too_long_is_refused(tmp_path, name):
    lists = add(tmp_path, 2012, "2009_000001") / "ImageSets" / "Segmentation"
    (lists / "val.txt").write_text(f"{name}\n")
    with pytest.raises(InputError, match=rf"VOC2012/ImageSets/Segmentation names '{name}', which is no file's name"):
        list(voc.candidates(tmp_path))


def test_a_folder_without_a_voc_tree_is_refused(tmp_path):
    with pytest.raises(InputError, match="no VOC tree"):
        list(voc.candidates(tmp_path))


@pytest.mark.skipif(REAL is None, reason="BSN_REAL_DATA is not set")
def test_real_sample_without_boxes_and_object_masks_is_read():
    found = list(voc.candidates(Path(REAL) / "voc"))
    assert len(found) == 108
    assert all(c.count_persons() >= 1 for c in found)
    assert set(np.unique(found[0].load_mask())) <= {0, 1, 255}
