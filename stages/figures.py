"""Draw every figure of the report from data/, models/, metrics/photos/ and reports/ -> reports/figures/.

Git tracks a copy of one of them, reports/figure7.jpg, for the README; the others are in DVC's cache.
"""

import json
import shutil
from functools import partial
from pathlib import Path

import torch
from tqdm import tqdm

from bsn.faces import FaceDetector
from study.figures import draw_all
from study.figures.material import Material
from study.params import load
from study.runner import run_stage

OUT, CAPTIONS = Path("reports/figures"), Path("reports/captions.json")
SHOWN = "figure7.jpg"
MIN_BACKGROUND_FACE = 0.01  # of the photo's area: smaller faces in the background do not confuse a network


def figures() -> None:
    """Draw every figure of the report."""
    params = load()
    # The last digits of a face depend on the number of threads.
    torch.set_num_threads(1)
    material = Material(
        portraits=Path("data/portraits"),
        predictions=Path("data/predictions"),
        photos=Path("metrics/photos"),
        faces=Path("data/faces"),
        hair=Path("data/attributes/hair.csv"),
        mean_mask=Path("data/mean_mask/mean_mask.npy"),
        models=Path("models"),
        margins=Path("reports/portrait_margins.csv"),
        detector=FaceDetector(min_face_fraction=MIN_BACKGROUND_FACE, min_probability=params.portraits.min_probability),
        kernel_width=params.kernel.width,
        kernel_reading=params.kernel.reading,
        global_low=params.global_kernel.a,
        global_high=params.global_kernel.b,
        global_reading=params.global_kernel.reading,
        seed=params.seed,
    )
    captions = draw_all(material, OUT, progress=partial(tqdm, desc="figures", unit="figure"))
    CAPTIONS.write_text(json.dumps(captions, indent=2, ensure_ascii=False) + "\n", "utf-8")
    shutil.copy(OUT / SHOWN, OUT.parent)


if __name__ == "__main__":
    run_stage(figures)
