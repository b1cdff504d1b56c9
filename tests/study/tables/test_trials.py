import pytest

from bsn.errors import InputError
from study.tables.seeds import read_trials


def write(folder, name, seed, *, photos=True):
    (folder / "photos").mkdir(exist_ok=True)
    (folder / f"{name}-{seed}.json").write_text("{}")
    if photos:
        (folder / f"photos/{name}-{seed}.csv").write_text("set,id,iou\npfcn,00007,0.5\n")


def test_requested_trials_are_read_with_all_their_seeds(tmp_path):
    for name, seed in (("plain", 1), ("plain", 2), ("bsn", 1), ("bsn_ac", 1)):
        write(tmp_path, name, seed)
    photos = read_trials(tmp_path, ["plain", "bsn"])
    assert photos.to_dict("list") == {
        "trial": ["plain", "plain", "bsn"],
        "seed": [1, 2, 1],
        "set": ["pfcn"] * 3,
        "id": ["00007"] * 3,
        "iou": [0.5] * 3,
    }


def test_values_of_an_attribute_are_words_even_if_they_look_like_numbers_or_missing_values(tmp_path):
    write(tmp_path, "bsn", 1)
    (tmp_path / "photos/bsn-1.csv").write_text("set,id,iou,smiles,hat\npfcn,00007,0.5,0,None\npfcn,00008,,1,\n")
    photos = read_trials(tmp_path, ["bsn"])
    assert photos["smiles"].tolist() == ["0", "1"]
    assert photos["hat"].tolist()[0] == "None"
    assert photos["hat"].isna().tolist() == photos["iou"].isna().tolist() == [False, True]


def test_missing_trials_or_photo_scores_are_refused_with_the_command_that_gets_them(tmp_path):
    write(tmp_path, "plain", 1, photos=False)
    with pytest.raises(InputError, match=r"holds no trial of this report; run them with: dvc repro trials/dvc.yaml"):
        read_trials(tmp_path, ["bsn"])
    with pytest.raises(InputError, match=r"photos/plain-1.csv is missing; get it with: git checkout"):
        read_trials(tmp_path, ["plain"])
