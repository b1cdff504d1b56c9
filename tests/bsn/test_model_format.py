import json

import pytest

from bsn.errors import InputError
from bsn.model_format import VERSION, ModelDescription

NETWORK = {"network": "fcn8s", "options": {"classes": 2}, "size": [64, 48], "attributes": ["hair"]}


def test_a_description_is_read_as_it_was_written(tmp_path):
    written = ModelDescription(network="fcn8s", options={"classes": 2}, size=(64, 48), attributes=("hair",))
    written.write(tmp_path)
    assert json.loads((tmp_path / "model.json").read_text()) == {"version": VERSION, **NETWORK}
    assert ModelDescription.read(tmp_path) == written


def test_a_baseline_has_neither_size_nor_attributes(tmp_path):
    ModelDescription(network="mean_mask", options={}).write(tmp_path)
    assert json.loads((tmp_path / "model.json").read_text()) == {"version": 1, "network": "mean_mask", "options": {}}


def test_a_file_without_a_version_is_of_the_first_one(tmp_path):
    (tmp_path / "model.json").write_text(json.dumps(NETWORK))
    found = ModelDescription.read(tmp_path)
    assert (found.version, found.size, found.attributes) == (1, (64, 48), ("hair",))


def test_a_file_of_a_newer_version_is_refused_in_one_line(tmp_path):
    (tmp_path / "model.json").write_text(json.dumps({**NETWORK, "version": VERSION + 1}))
    with pytest.raises(InputError) as caught:
        ModelDescription.read(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}/model.json is of version 2, and this code reads up to 1; use a newer version of the project"
    )
