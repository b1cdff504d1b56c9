"""The trials of Table 1's trained rows -> reports/seeds.csv and .md: which gains seeds and photos leave standing."""

from pathlib import Path

from bsn.report.seeds import seeds_table
from bsn.report.trials import read_trial_photos
from stages.params import load
from stages.runner import run_stage
from stages.tracking import tell_trials

TRIALS, REPORTS = Path("metrics/trials"), Path("reports")


def seeds() -> None:
    params = load()
    trials = {
        "portrait_fcn": "portrait_fcn",
        "portrait_deeplab": "plain",
        "bsn_ac": "bsn_ac",
        "bsn_gk": params.global_kernel.reading,
        "bsn_ik": params.kernel.reading,
        "bsn": "bsn",
    }
    photos = read_trial_photos(TRIALS, trials.values(), profile=params.profile)
    methods = {trial: method for method, trial in trials.items()}
    table = seeds_table(photos.assign(method=photos["trial"].map(methods)), profile=params.profile, seed=params.seed)
    table.write(REPORTS)
    print(table.text())
    tell_trials(params, REPORTS / "seeds.csv", REPORTS / "seeds.md")


if __name__ == "__main__":
    run_stage(seeds)
