import pytest

from bsn.errors import InputError
from stages import params, trial


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("letter", "1"), "reading = 'letter' is refused; allowed: plain, distance, closeness, sum, text, printed"),
        (("sum", "-1"), "seed = '-1' is refused; allowed: a whole number, 0 or more"),
    ],
)
def test_what_is_no_trial_is_refused(arguments, line):
    with pytest.raises(InputError, match=line):
        trial.trial(*arguments)


@pytest.mark.parametrize(
    ("method", "reading", "readings"),
    [
        ("portrait_deeplab", "plain", ("distance", "text")),
        ("bsn_ik", "sum", ("sum", "text")),
        ("bsn_gk", "printed", ("distance", "printed")),
    ],
)
def test_a_trial_s_parameters_are_the_study_s_but_for_its_reading_and_seed(method, reading, readings):
    study = params.load()
    under = trial._under(study, method, reading, 5)
    assert (under.kernel.reading, under.global_kernel.reading) == readings
    changed = {key for key, value in under.flat().items() if study.flat()[key] != value}
    assert changed <= {"seed", "kernel.reading", "global_kernel.reading"}
    assert under.seed == 5
    assert study.seed == 1
