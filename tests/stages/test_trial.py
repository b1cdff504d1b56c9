from pathlib import Path

import pytest
import yaml

from bsn.errors import InputError
from stages import trial
from study import params
from study.trials import BASE, VARIANTS, trial_params


@pytest.mark.parametrize("key", ["letter-1", "sum", "sum--1", "sum-first"])
def test_a_name_that_is_not_a_trial_is_refused(key):
    with pytest.raises(
        InputError, match=f"trial = '{key}' is refused; allowed: base, plain, portrait_fcn, .*such as plain-1"
    ):
        trial.trial(key)


def test_the_pipeline_has_every_trial_with_three_seeds():
    stages = yaml.safe_load(Path("trials/dvc.yaml").read_text())["stages"]
    trials = [stage["matrix"] for stage in stages.values() if "variant" in stage.get("matrix", {})]
    assert {name for matrix in trials for name in matrix["variant"]} == set(VARIANTS) - {BASE}
    assert all(matrix["seed"] == [1, 2, 3] for matrix in [stages["base"]["matrix"], *trials])


@pytest.mark.parametrize(
    ("variant", "readings"),
    [
        ("plain", ("closeness", "text")),
        ("bsn", ("closeness", "text")),
        ("sum", ("sum", "text")),
        ("printed", ("closeness", "printed")),
    ],
)
def test_a_trial_s_parameters_are_the_study_s_but_for_its_reading_and_seed(variant, readings):
    study = params.load()
    under = trial_params(study, variant, 5)
    assert (under.kernel.reading, under.global_kernel.reading) == readings
    changed = {key for key, value in under.flat().items() if study.flat()[key] != value}
    assert changed <= {"seed", "kernel.reading", "global_kernel.reading"}
    assert under.seed == 5
    assert study.seed == 1
