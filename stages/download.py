"""Get one data set -> data/raw/<set>/: the drawn files, or source.json with the folder of the real ones."""

import shutil
from dataclasses import replace
from pathlib import Path

import drawn
from bsn.errors import InputError
from study.checking import require_choice
from study.datasets import SETS, write_source
from study.datasets.downloads import load_sources
from study.datasets.sets import download_set, own_set
from study.params import load
from study.runner import run_stage

OUT = Path("data/raw")


def download(set_name: str) -> None:
    """Draw, find or download the set, as the profile's `data` says."""
    require_choice("set", set_name, SETS)
    params = load()
    folder = OUT / set_name
    # Files of an interrupted run must not mix with this one's.
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    if params.data.draw is not None:
        write = getattr(drawn, f"write_{set_name}")
        write(folder, seed=params.data.draw.seed, **getattr(params.data.draw, set_name).model_dump())
        return
    if params.data.folder is not None:
        source = own_set(set_name, params)
    else:
        source = download_set(set_name, params, load_sources(), OUT)
    if set_name == "pfcn" and source.absent is not None:
        raise InputError(f"{source.absent}; every network is trained on PFCN")
    if set_name == "coco":
        source = replace(source, year=params.data.coco_year)
    write_source(folder, source)
    print(f"{set_name}: {source.folder or f'left out: {source.absent}'}")


if __name__ == "__main__":
    run_stage(download, again="finished downloads are kept; run the same command again")
