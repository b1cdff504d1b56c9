"""One set's official tree -> data/portraits/<set>/: the portraits, their masks, and every photo's verdict."""

import shutil
from collections.abc import Collection, Iterator
from pathlib import Path

from bsn.errors import InputError
from bsn.faces import FaceDetector
from bsn.workers import cores
from study.datasets import coco, cocostuff, pfcn, voc
from study.datasets.candidates import Candidate
from study.datasets.location import SETS, SOURCE_FILE, tree, year
from study.datasets.portraits import judge_lists, judge_portraits, write_portraits
from study.params import load
from study.runner import checkout, run_stage

RAW, OUT = Path("data/raw"), Path("data/portraits")


def portraits(set_name: str) -> None:
    if set_name not in SETS:
        raise InputError(f"set = {set_name!r} is refused; allowed: {', '.join(SETS)}")
    params, root = load(), tree(RAW / set_name, beside=checkout())
    candidates = [] if root is None else list(_candidates(set_name, root, validation=params.data.validation))
    if set_name == "pfcn" or not candidates:
        judged = judge_lists(candidates)
    else:
        import torch

        # As in each of many processes: the last digits of a face depend on how many threads look for it.
        torch.set_num_threads(1)
        rule = params.portraits.rule()
        detector = FaceDetector(
            min_face_fraction=rule.min_face,
            margin=rule.widest_margin,
            min_probability=params.portraits.min_probability,
        )
        judged = judge_portraits(candidates, detector=detector, rule=rule, workers=cores())
    rows = write_portraits(judged, OUT / set_name, total=len(candidates))
    if root is None:
        # Why the set is left out goes on to the tables.
        shutil.copy(RAW / set_name / SOURCE_FILE, OUT / set_name)
    print(f"{set_name}: {sum(row.kept for row in rows)} of {len(rows)} photos kept")


def _candidates(set_name: str, root: Path, *, validation: Collection[int]) -> Iterator[Candidate]:
    if set_name == "pfcn":
        return pfcn.candidates(root, validation=validation)
    if set_name == "coco":
        return coco.candidates(root, year=year(RAW / "coco"))
    if set_name == "cocostuff":
        other = tree(RAW / "coco", beside=checkout())
        counts = coco.person_counts(other, year=year(RAW / "coco")) if other else {}
        return cocostuff.candidates(root, person_counts=counts)
    return voc.candidates(root)


if __name__ == "__main__":
    run_stage(portraits)
