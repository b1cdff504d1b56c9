"""Log a finished study: its own run with headline, tables and figures, and one run per evaluated method.

Evaluations write files alone, so that they need not wait seconds for MLflow's import; this reads the files.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from PIL import Image

from bsn.disk import file_fingerprint
from bsn.photos import read_palette, read_photo
from study.evaluation import Sample, evaluated_photos
from study.figures.sheet import outlined
from study.params import Params
from study.provenance import Origin, read_timing
from study.tracking.runs import RunSpec, flat_metrics, start_run, study_run

RESULTS_TAG = "results"
EXAMPLES = 4  # photos that MLflow shows


def record_study(spec: RunSpec, folder: Path = Path(), *, tags: Mapping[str, str] | None = None) -> None:
    """Log what `folder` holds of metrics/, reports/, timings/ and data/predictions/.

    A method that was trained in this study has a run, which gets its evaluation. One that DVC took from its cache gets
    a run with its numbers and, if the database knows it, a link to the run that trained it.

    Args:
        spec: of the study's run.
        folder: of the study.
        tags: further tags of the study's run.
    """
    with start_run(replace(spec, tags={**spec.tags, **(tags or {})})) as run:
        for file in _method_files(folder):
            _record_method(spec, file, folder)
        run.log_metrics(headline(folder))
        for table in sorted((folder / "reports").glob("table*")):
            run.log_artifact(table, "tables")
        figures = folder / "reports/figures"  # in DVC's cache and not in git
        if figures.exists():
            run.log_artifact(figures, "figures")
        run.set_tag(RESULTS_TAG, results_hash(spec.params, folder))


def record_trials(params: Params, *tables: Path) -> None:
    """Add tables to the parent run of the trials."""
    with start_run(study_run(params, Origin.here(), kind="trials")) as run:
        for table in tables:
            run.log_artifact(table, "tables")
            # A copy on a server is renewed when a tag changes, and not for a file.
            run.set_tag(f"{RESULTS_TAG}.{table.name}", file_fingerprint(table))


def results_hash(params: Mapping[str, Any], folder: Path) -> str:
    """Hash, ten digits, of the parameters and of all files in `folder`/metrics/methods."""
    digest = hashlib.sha256(json.dumps(dict(params), sort_keys=True).encode())
    for file in _method_files(folder):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:10]


def headline(folder: Path) -> dict[str, float]:
    """Numbers of `folder`/metrics/headline/, by which experiments are compared, under keys such as `bsn/mean_iou`."""
    files = sorted((folder / "metrics/headline").glob("*.json"))
    return {name: value for file in files for name, value in flat_metrics(json.loads(file.read_text("utf-8"))).items()}


def draw_examples(samples: Sequence[Sample], folder: Path) -> Iterator[Path]:
    """Write the first EXAMPLES photos to `folder` with the contour of the predicted mask; yields their files."""
    for sample in samples[:EXAMPLES]:
        photo, mask = read_photo(sample.file.photo), read_palette(sample.file.mask) // 255
        file = folder / f"{sample.set}-{sample.id}.jpg"
        Image.fromarray(outlined(photo, mask, thickness=max(2, len(photo) // 200))).save(file, quality=95)
        yield file


def _record_method(study: RunSpec, file: Path, folder: Path) -> None:
    summary = json.loads(file.read_text("utf-8"))
    name, weights = summary["method"], summary.get("weights")
    timing = read_timing(folder, name, profile=study.tags.get("profile", ""), weights=weights)
    with start_run(study.child("method", name, tags=timing.environment), weights=weights) as run:
        seconds = {f"{key}/seconds_per_photo": value for key, value in timing.seconds.items()}
        run.log_metrics({**flat_metrics(summary["sets"]), **seconds})
        run.log_artifact(file)
        masks = folder / "data/predictions" / name  # not of a commit
        if masks.is_dir():
            with TemporaryDirectory() as work:
                for example in draw_examples(evaluated_photos(folder / "data", out=masks), Path(work)):
                    run.log_artifact(example, "examples")


def _method_files(folder: Path) -> list[Path]:
    return sorted((folder / "metrics/methods").glob("*.json"))
