import pytest

from bsn.errors import InputError
from study.tables.seeds import read_trials


def write(folder, name, seed):
    (folder / "photos").mkdir(exist_ok=True)
    (folder / f"photos/{name}-{seed}.csv").write_text("set,id,iou\npfcn,00007,0.5\n")


def test_requested_trials_are_read_with_all_their_seeds(tmp_path):
    for name, seed in (("plain", 1), ("plain", 2), ("bsn", 1), ("bsn_ac", 1)):
        write(tmp_path, name, seed)
    assert read_trials(tmp_path, ["plain", "bsn"]).to_dict("list") == {
        "trial": ["plain", "plain", "bsn"],
        "seed": [1, 2, 1],
        "set": ["pfcn"] * 3,
        "id": ["00007"] * 3,
        "iou": [0.5] * 3,
    }


def test_missing_trials_are_refused_with_the_command_that_runs_them(tmp_path):
    write(tmp_path, "plain", 1)
    with pytest.raises(InputError, match=r"holds no trial of this report; run them with: dvc repro trials/dvc.yaml"):
        read_trials(tmp_path, ["bsn"])
