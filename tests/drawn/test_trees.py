"""The drawn trees have the official formats, and the same seed gives the same bytes."""

import hashlib
import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import cv2
import numpy as np
import pytest
import scipy.io
from PIL import Image
from pycocotools.coco import COCO

from drawn import hair_truth, write_coco, write_cocostuff, write_pfcn, write_voc
from drawn.catalog import OTHERS, scene_of
from drawn.coco import image_id, to_counts, to_polygons
from drawn.files import MAT_HEADER, WORTH_A_POOL
from drawn.pfcn import index_of, number_of
from drawn.voc import colour_map, void_border

SEED = 3
COUNTS = {"portraits": 4, "others": 6, "seed": SEED}


def tree_hash(folder: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted(p for p in folder.rglob("*") if p.is_file()):
        digest.update(str(file.relative_to(folder)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("drawn")
    write_pfcn(root / "pfcn", train=16, test=8, seed=SEED, processes=1)
    write_coco(root / "coco", **COUNTS)
    write_cocostuff(root / "cocostuff", portraits=2, others=3, seed=SEED)
    write_voc(root / "voc", **COUNTS)
    return root


@pytest.mark.parametrize("name", ["coco", "cocostuff", "voc"])
def test_same_seed_gives_same_bytes(trees: Path, tmp_path: Path, name: str) -> None:
    again = {"coco": write_coco, "cocostuff": write_cocostuff, "voc": write_voc}[name]
    again(tmp_path, **(COUNTS if name != "cocostuff" else {"portraits": 2, "others": 3, "seed": SEED}))
    assert tree_hash(tmp_path) == tree_hash(trees / name)


def test_two_processes_give_the_bytes_of_one(trees: Path, tmp_path: Path) -> None:
    assert WORTH_A_POOL <= 24  # or no pool would be made here
    write_pfcn(tmp_path, train=16, test=8, seed=SEED, processes=2)
    assert tree_hash(tmp_path) == tree_hash(trees / "pfcn")


def test_another_seed_gives_another_picture() -> None:
    assert scene_of("pfcn", 0, 1).seed != scene_of("pfcn", 0, 2).seed
    assert image_id(0, seed=1) != image_id(0, seed=2)


def test_pfcn_matrices_have_the_release_s_types(trees: Path) -> None:
    data = trees / "pfcn" / "data"
    trackers = [scipy.io.loadmat(f)["tracker"] for f in sorted((data / "images_tracker").glob("*.mat"))]
    assert {(t.dtype.str, t.shape) for t in trackers} == {("<f4", (49, 2)), ("|u1", (0, 0)), ("<f4", (98, 2))}
    assert sum(t.size == 0 for t in trackers) == 1
    for file in (data / "images_mask").glob("*.mat"):
        mask = scipy.io.loadmat(file)["mask"]
        assert (mask.dtype, mask.shape) == (np.uint8, (800, 600))
        assert set(np.unique(mask)) == {0, 1}
        assert file.read_bytes().startswith(MAT_HEADER)
    photo = cv2.imread(str(next((data / "images_data_crop").glob("*.jpg"))))
    assert photo.shape == (800, 600, 3)


def test_pfcn_lists_share_out_every_photo_once(trees: Path) -> None:
    data = trees / "pfcn" / "data"
    train, test = (scipy.io.loadmat(data / f"{n}list.mat")[f"{n}list"] for n in ("train", "test"))
    assert (train.dtype, train.shape, test.shape) == (np.uint16, (1, 16), (1, 8))
    photos = sorted(int(f.stem) for f in (data / "images_data_crop").glob("*.jpg"))
    assert sorted([*train[0].tolist(), *test[0].tolist()]) == photos
    assert photos != list(range(1, 25))  # numbers have gaps
    assert test.max() > train.min()  # shuffled, not one list behind the other
    assert (np.diff(train[0].astype(int)) > 0).all()
    mean = cv2.imread(str(data / "meanmask.png"), cv2.IMREAD_UNCHANGED)
    assert (mean.dtype, mean.shape, mean.max()) == (np.uint8, (800, 600), 255)
    first = scipy.io.loadmat(data / "images_mask" / f"{train[0, 0]:05d}_mask.mat")["mask"]
    assert mean[(first == 1)].min() >= 15  # 255 / 16, the first photo's own share


def test_pfcn_numbers_and_indices_are_inverse() -> None:
    assert [number_of(i) for i in range(7)] == [1, 2, 3, 5, 6, 7, 9]
    assert [index_of(number_of(i)) for i in range(50)] == list(range(50))
    with pytest.raises(ValueError, match="number 4 "):
        index_of(4)


def test_hair_truth_has_both_classes() -> None:
    hair = [hair_truth(number_of(i), seed=0) for i in range(60)]
    assert 18 <= hair.count("long") <= 42
    assert hair.count("long") + hair.count("short") == 60


def test_coco_annotations_open_with_pycocotools(trees: Path) -> None:
    root = trees / "coco"
    seen = 0
    for split in ("train2017", "val2017"):
        coco = COCO(str(root / "annotations" / f"instances_{split}.json"))
        for key, image in coco.imgs.items():
            seen += 1
            photo = cv2.imread(str(root / split / image["file_name"]))
            assert photo.shape[:2] == (image["height"], image["width"])
            assert sorted(photo.shape[:2]) == [480, 640]
            assert image["file_name"] == f"{key:012d}.jpg"
            for annotation in coco.imgToAnns[key]:
                mask = coco.annToMask(annotation)
                assert abs(mask.sum() - annotation["area"]) <= 0.05 * annotation["area"] + 40
                assert isinstance(annotation["segmentation"], dict if annotation["iscrowd"] else list)
    assert seen == 10


def test_each_other_breaks_its_rule(trees: Path) -> None:
    annotations: dict[int, list[dict]] = {}
    for split in ("train2017", "val2017"):
        content = json.loads((trees / "coco" / "annotations" / f"instances_{split}.json").read_text())
        for a in content["annotations"]:
            annotations.setdefault(a["image_id"], []).append(a)
    people = [
        [a for a in annotations.get(image_id(OTHERS + k, seed=SEED), []) if a["category_id"] == 1] for k in range(6)
    ]
    several, small, nobody, back, poster, crowd = people
    assert len(several) >= 2
    assert len(small) == 1
    assert small[0]["bbox"][2] < 160  # far away: the whole figure is narrower than a quarter of the photo's long side
    assert nobody == []
    assert len(back) == 1
    assert len(poster) <= 1
    assert sorted(a["iscrowd"] for a in crowd) == [0, 1]
    assert [scene_of("coco", OTHERS + k, SEED).kind for k in (3, 4)] == ["back", "poster"]
    portraits = [annotations[image_id(k, seed=SEED)] for k in range(4)]
    assert [[a["category_id"] for a in p] for p in portraits] == [[1]] * 4


def test_rle_counts_run_down_the_columns() -> None:
    mask = np.array([[0, 1], [1, 1], [0, 0]], bool)
    assert to_counts(mask) == [1, 1, 1, 2, 1]
    assert to_counts(np.ones((2, 2), bool)) == [0, 4]


def test_polygons_follow_the_mask_and_drop_scraps() -> None:
    mask = np.zeros((40, 50), bool)
    mask[10:30, 20:40] = True
    mask[2:4, 2:4] = True
    (polygon,) = to_polygons(mask)
    corners = np.array(polygon).reshape(-1, 2)
    assert corners.min(0).tolist() == [20.25, 10.25]
    assert corners.max(0).tolist() == [39.75, 29.75]


def test_cocostuff_repeats_the_coco_photos_by_id(trees: Path) -> None:
    stuff, coco = trees / "cocostuff", trees / "coco"
    names = (stuff / "imageLists" / "all.txt").read_text().split()
    assert len(names) == 5
    for name in names:
        number = name.removeprefix("COCO_train2014_")
        (original,) = coco.glob(f"*2017/{number}.jpg")
        assert (stuff / "images" / f"{name}.jpg").read_bytes() == original.read_bytes()
        labels = scipy.io.loadmat(stuff / "annotations" / f"{name}.mat")["S"]
        assert labels.shape == cv2.imread(str(original)).shape[:2]
    portrait = scipy.io.loadmat(stuff / "annotations" / f"COCO_train2014_{image_id(0, seed=SEED):012d}.mat")["S"]
    assert (portrait == 1).mean() > 0.15


def test_voc_masks_have_the_palette_and_void_borders(trees: Path) -> None:
    assert colour_map()[:12] == [0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0]
    assert colour_map()[45:48] == [192, 128, 128]  # person
    assert colour_map()[-3:] == [224, 224, 192]
    year = trees / "voc" / "VOCdevkit" / "VOC2012"
    names = (year / "ImageSets" / "Segmentation" / "trainval.txt").read_text().split()
    for name in names:
        classes, objects = (Image.open(year / f"Segmentation{k}" / f"{name}.png") for k in ("Class", "Object"))
        assert classes.mode == "P"
        assert classes.getpalette() == colour_map()
        classes, objects = np.array(classes), np.array(objects)
        assert ((classes == 255) == (objects == 255)).all()
        assert ((classes == 0) == (objects == 0)).all()
        step = (classes[:, 1:] != classes[:, :-1]) & (classes[:, 1:] != 255) & (classes[:, :-1] != 255)
        assert not step.any()  # no label touches another: void lies between
        root = ElementTree.parse(year / "Annotations" / f"{name}.xml").getroot()
        assert (int(root.findtext("size/height")), int(root.findtext("size/width"))) == classes.shape
        assert len(root.findall("object")) == len(set(np.unique(objects)) - {0, 255})


def test_void_border_lies_on_both_sides_of_an_edge() -> None:
    labels = np.zeros((20, 20), np.uint8)
    labels[:, 10:] = 1
    assert np.flatnonzero(void_border(labels)[10]).tolist() == [8, 9, 10, 11]  # two on each side of the edge


def test_voc_years_overlap_as_the_real_ones_do(trees: Path) -> None:
    devkit = trees / "voc" / "VOCdevkit"
    photos = {f"{y}/{f.stem}": f.read_bytes() for y in ("VOC2007", "VOC2008", "VOC2012")
              for f in (devkit / y / "JPEGImages").glob("*.jpg")}  # fmt: skip
    assert len(photos) > len(set(photos.values())) == 10
    for key, data in photos.items():
        year, name = key.split("/")
        if year == "VOC2012" and name.startswith("2007_"):
            assert photos[f"VOC2007/{name[5:]}"] == data
        if year == "VOC2008":
            assert photos[f"VOC2012/{name}"] == data
