"""Train and test one trial -> metrics/trials/<profile>/<variant>-<seed>.json, and its photos/ and curves/*.csv.

A trial is a method of Table 1 with another seed, or another reading of eq. (1) or (6) (study/trials.py). "base-<seed>"
trains phase one of "plain" and "bsn_ac" -> data/phase_one/plain-<seed>/. Example: python -m stages.trial closeness-2
"""

import json
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from bsn.training.checkpoints import CURVES
from bsn.training.launch import launch
from study.params import load
from study.runner import run_stage
from study.tracking.runs import flat_metrics, start_run, trial_run
from study.trials import BASE, VARIANTS, evaluate_trial, parse_trial, train_trial, trial_params

PHASE_ONE, METRICS = Path("data/phase_one"), Path("metrics/trials")


def trial(key: str) -> None:
    """Train and test one trial, or train a phase one that two of them share."""
    variant, seed = parse_trial(key)
    own = load()
    params = trial_params(own, variant, seed)
    base = PHASE_ONE / f"plain-{seed}"
    # On one thread in every profile, because trials run side by side.
    fabric = launch(threads=1, devices=1)
    if variant == BASE:
        train_trial(params, variant, base, base=base, fabric=fabric).clear()
        return
    with TemporaryDirectory() as scratch, start_run(trial_run(own, params, f"trial {key}")) as run:
        model = Path(scratch) / "model"
        checkpoint = train_trial(params, variant, model, base=base, fabric=fabric)
        photos, summaries = evaluate_trial(params, variant, model, masks=Path(scratch) / "masks", title=key)
        run.log_metrics(flat_metrics(summaries))
        out = METRICS / params.profile
        for folder in ("photos", "curves"):
            (out / folder).mkdir(parents=True, exist_ok=True)
        shutil.copy(model / CURVES, out / "curves" / f"{key}.csv")
    photos.to_csv(out / "photos" / f"{key}.csv", index=False, float_format="%.6g")
    found = {"method": VARIANTS[variant], "trial": variant, "seed": seed, "profile": params.profile, **summaries}
    (out / f"{key}.json").write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    checkpoint.clear()


if __name__ == "__main__":
    run_stage(trial)
