"""Fake official servers: drawn data sets, packed and laid out as the publishers do."""

import hashlib
import json
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from study.fetch import Download

# Position of the PFCN portrait in its 1024 x 768 photo: rows, then columns.
CROP = (3, 1003, 5, 755)


def pack_zip(file: Path, root: Path, names: Iterable[Path], prefix: str = "") -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(names):
            archive.write(name, prefix + name.relative_to(root).as_posix())


def pack_tar(file: Path, root: Path, names: Iterable[Path]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(file, "w") as archive:
        for name in sorted(names):
            archive.add(name, name.relative_to(root).as_posix())


def files(folder: Path) -> list[Path]:
    return [file for file in sorted(folder.rglob("*")) if file.is_file()]


def published(file: Path, url: str, **hashes: str) -> Download:
    return Download(name=file.name, urls=(url,), size=file.stat().st_size, **hashes)


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def md5(file: Path) -> str:
    return hashlib.md5(file.read_bytes()).hexdigest()


def serve(site, folder: Path) -> None:
    """Put all files of a folder on the test server, at their relative paths."""
    for file in files(folder):
        site.put("/" + file.relative_to(folder).as_posix(), file.read_bytes(), etag='"1"')


def publish_pfcn(drawn: Path, out: Path, address: str) -> Download:
    """Pack the release without its photos, and write the uncropped photos for their owners' pages."""
    data = drawn / "pfcn" / "data"
    work = out.parent / "release" / "data"
    work.mkdir(parents=True)
    numbers = [file.stem for file in files(data / "images_data_crop")]
    for name in numbers:
        portrait = cv2.imread(str(data / "images_data_crop" / f"{name}.jpg"))
        photo = np.full((1024, 768, 3), 128, np.uint8)
        y0, y1, x0, x1 = CROP
        photo[y0:y1, x0:x1] = cv2.resize(portrait, (x1 - x0, y1 - y0), interpolation=cv2.INTER_CUBIC)
        (out / "owners").mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(out / "owners" / f"{name}.jpg"), photo, [cv2.IMWRITE_JPEG_QUALITY, 98])
    crop = " ".join(map(str, CROP))
    (work / "crop.txt").write_text("".join(f"{name}.jpg {crop}\n" for name in numbers))
    (work / "alldata_urls.txt").write_text("".join(f"{name}.jpg {address}/owners/{name}.jpg\n" for name in numbers))
    rest = [file for file in files(data) if file.parent.name != "images_data_crop" and file.suffix != ".txt"]
    for file in rest:
        place = work / file.relative_to(data)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(file.read_bytes())
    (work.parent / "demo.m").write_text("% code, which stays packed\n")
    pack_zip(out / "release.zip", work.parent, files(work.parent), prefix="EG_code_data_release/")
    return Download(name="release.zip", urls=(f"{address}/release.zip",))


def publish_coco(drawn: Path, out: Path, address: str) -> Download:
    """Pack the annotations, with URLs of this server, among files that are not needed; and copy the photos."""
    work = out.parent / "coco"
    for part in ("train2017", "val2017"):
        content = json.loads((drawn / "coco/annotations" / f"instances_{part}.json").read_text())
        for image in content["images"]:
            image["coco_url"] = f"{address}/{part}/{image['file_name']}"
        (work / "annotations").mkdir(parents=True, exist_ok=True)
        (work / "annotations" / f"instances_{part}.json").write_text(json.dumps(content))
        (work / "annotations" / f"captions_{part}.json").write_text("{}")
        for photo in files(drawn / "coco" / part):
            (out / part).mkdir(exist_ok=True)
            (out / part / photo.name).write_bytes(photo.read_bytes())
    pack_zip(out / "annotations.zip", work, files(work))
    return published(out / "annotations.zip", f"{address}/annotations.zip", sha256=sha256(out / "annotations.zip"))


def publish_cocostuff(drawn: Path, out: Path, address: str) -> Download:
    root = drawn / "cocostuff"
    pack_zip(out / "cocostuff-10k.zip", root, files(root))
    return Download(name="cocostuff-10k.zip", urls=(f"{address}/cocostuff-10k.zip",))


def publish_voc(drawn: Path, out: Path, address: str) -> list[Download]:
    """Pack one archive per year."""
    root, downloads = drawn / "voc", []
    for year in ("VOC2007", "VOC2008", "VOC2012"):
        file = out / f"{year}.tar"
        pack_tar(file, root, files(root / "VOCdevkit" / year))
        downloads.append(published(file, f"{address}/{file.name}", md5=md5(file)))
    return downloads
