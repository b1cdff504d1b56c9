"""Filter one data set -> data/portraits/<set>/: the portraits, their masks, and index.csv with a row per photo."""

import shutil
from pathlib import Path

from bsn.faces import FaceDetector
from bsn.workers import cores
from study.checking import require_choice
from study.datasets import SETS, SOURCE_FILE, absence
from study.datasets.portraits import filter_pfcn, filter_portraits, write_portraits
from study.datasets.sets import read_candidates
from study.params import load
from study.runner import run_stage

RAW, OUT = Path("data/raw"), Path("data/portraits")


def portraits(set_name: str) -> None:
    """Decide which photos are portraits, and copy those."""
    require_choice("set", set_name, SETS)
    params = load()
    candidates = list(read_candidates(set_name, RAW, validation=params.validation))
    if set_name == "pfcn" or not candidates:
        verdicts = filter_pfcn(candidates)
    else:
        import torch  # late: the stage does not need it for PFCN

        # The same in one process as in each of many: the last digits of a face depend on the number of threads.
        torch.set_num_threads(1)
        rule = params.portraits.rule()
        detector = FaceDetector(
            min_face_fraction=rule.min_face,
            margin=rule.widest_margin,
            min_probability=params.portraits.min_probability,
        )
        verdicts = filter_portraits(candidates, detector=detector, rule=rule, workers=cores())
    rows = write_portraits(verdicts, OUT / set_name, total=len(candidates))
    if absence(RAW / set_name) is not None:
        # The tables read there why the set is left out.
        shutil.copy(RAW / set_name / SOURCE_FILE, OUT / set_name)
    print(f"{set_name}: {sum(row.kept for row in rows)} of {len(rows)} photos kept")


if __name__ == "__main__":
    run_stage(portraits)
