"""One set's official tree in data/raw/<set>/: drawn, or a pointer to the user's own folder or to what was fetched."""

import csv
import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bsn.errors import InputError
from study.datasets.location import SETS, SOURCE_FILE, tree
from study.params import Params, load
from study.runner import checkout, run_stage
from study.sources import Sources, load_sources

if TYPE_CHECKING:
    from study.datasets.official import Brought

OUT, MISSING_FILE = Path("data/raw"), "missing.csv"


def download(set_name: str) -> None:
    if set_name not in SETS:
        raise InputError(f"set = {set_name!r} is refused; allowed: {', '.join(SETS)}")
    params = load()
    folder = OUT / set_name
    # What a broken run left behind must not mix with this one.
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if params.data.draw is not None:
        import drawn as sketch

        write = getattr(sketch, f"write_{set_name}")
        write(folder, seed=params.data.draw.seed, **getattr(params.data.draw, set_name))
        return
    if params.data.folder is not None:
        source = _own(set_name, params)
    elif params.data.download is None:
        raise InputError(f"profiles/{params.profile}.yaml names no data: give data.folder, data.download or data.draw")
    elif set_name not in params.data.download.sets:
        source = {"absent": f"data.download.sets in profiles/{params.profile}.yaml does not name it"}
    else:
        source = _fetched(set_name, params, load_sources(), folder)
    if set_name == "pfcn" and "absent" in source:
        raise InputError(f"{source['absent']}; every network is trained on PFCN")
    if set_name == "coco":
        source["year"] = params.data.coco_year
    (folder / SOURCE_FILE).write_text(json.dumps(source, indent=1) + "\n", "utf-8")
    print(f"{set_name}: {source.get('folder') or 'left out: ' + source['absent']}")


def _own(set_name: str, params: Params) -> dict[str, Any]:
    """The set in the user's own folder."""
    name = params.data.folder
    root = checkout() / Path(name).expanduser()
    if not root.is_dir():
        raise InputError(f"data.folder = {name!r} in profiles/{params.profile}.yaml is not a folder")
    if not any((root / known).is_dir() for known in SETS):
        raise InputError(f"data.folder = {name!r} holds none of {', '.join(SETS)}")
    if (root / set_name).is_dir():
        return {"folder": str(Path(name) / set_name)}
    return {"absent": f"data.folder = {name!r} holds no {set_name}/"}


def _fetched(set_name: str, params: Params, sources: Sources, out: Path) -> dict[str, Any]:
    """The set as it was brought from the network; what could not be had is listed in `missing.csv`."""
    kept = Path(params.data.download.folder)
    place = checkout() / kept.expanduser()
    brought = _bring(set_name, params, sources, place)
    for photo in brought.missing[:5]:
        print(f"{set_name}: {photo.id} cannot be had: {photo.reason}")
    if brought.missing:
        with (out / MISSING_FILE).open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, ["id", "url", "reason"], lineterminator="\n")
            writer.writeheader()
            writer.writerows(asdict(photo) for photo in brought.missing)
        print(f"{set_name}: all {len(brought.missing)} photos that cannot be had are in {out / MISSING_FILE}")
    print(f"{set_name}: {brought.summary}")
    return {
        "folder": str(kept / brought.root.relative_to(place)),
        "summary": brought.summary,
        "missing": len(brought.missing),
    }


def _bring(set_name: str, params: Params, sources: Sources, kept: Path) -> "Brought":
    from study.datasets import coco, official

    place = {"folder": kept / set_name, "archives": kept / "archives"}
    rule = params.portraits.rule()
    if set_name == "pfcn":
        return official.bring_pfcn(**place, release=sources.pfcn.release.download())
    if set_name == "coco":
        year = params.data.coco_year
        annotations = getattr(sources.coco, f"annotations_{year}").download()
        photos = sources.coco.photos
        return official.bring_coco(
            **place, annotations=annotations, mirrors=photos.mirrors, whole=photos.whole, year=year, rule=rule
        )
    if set_name == "cocostuff":
        # How many persons a photo shows is told by COCO's annotations of the same photo.
        raw = OUT / "coco"
        root = tree(raw, beside=checkout())
        counts = coco.person_counts(root, year=params.data.coco_year) if root else {}
        return official.bring_cocostuff(
            **place, release=sources.cocostuff.release.download(), person_counts=counts, rule=rule
        )
    years = tuple(str(year) for year in params.data.download.voc_years)
    releases = [archive.download() for key, archive in sources.voc.items() if key.startswith(years)]
    return official.bring_voc(**place, releases=releases, rule=rule)


if __name__ == "__main__":
    run_stage(download, again="what is fetched is kept; run the same command again")
