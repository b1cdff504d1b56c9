from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric

from bsn.model_format import ModelDescription
from bsn.models import build
from bsn.training.checkpoints import Checkpoint, fingerprint, open_checkpoint
from bsn.training.recipe import Phase
from tests.bsn.training.test_loop import SIZE, recipe, toy_sampler

ARRAY = np.arange(6, dtype=np.float32)


def test_a_state_comes_back_and_is_gone_when_cleared(tmp_path):
    store = Checkpoint(tmp_path / "run")
    assert store.load() is None
    store.save({"iteration": 3, "model": {"w": torch.ones(2)}})
    assert Checkpoint(tmp_path / "run").load()["model"]["w"].tolist() == [1, 1]
    store.clear()
    assert Checkpoint(tmp_path / "run").load() is None


def test_a_kill_while_saving_leaves_the_state_before(tmp_path):
    store = Checkpoint(tmp_path)
    store.save({"iteration": 3})
    (tmp_path / "state.partial").write_bytes(b"half a state")
    assert store.load() == {"iteration": 3}


def test_two_jobs_that_train_the_very_same_network_do_not_break_each_others_states(tmp_path):
    def train(job: int) -> None:
        store = Checkpoint(tmp_path / "run")
        for iteration in range(30):
            store.save({"iteration": iteration, "model": {"w": torch.full((1000,), iteration)}})
            state = store.load()
            assert state is None or state["model"]["w"].eq(state["iteration"]).all()
            if iteration % 10 == 0:
                store.clear()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(train, range(2)))


def test_a_fingerprint_changes_with_any_setting_and_any_value():
    one = fingerprint({"width": 10}, [ARRAY])
    assert one == fingerprint({"width": 10}, [ARRAY.copy()])
    changed = ARRAY.copy()
    changed[5] += 1
    others = [
        fingerprint({"width": 11}, [ARRAY]),
        fingerprint({"width": 10}, [changed]),
        fingerprint({"width": 10}, [ARRAY.reshape(2, 3)]),
        fingerprint({"width": 10}, [ARRAY, ARRAY]),
    ]
    assert one not in others
    assert len(set(others)) == 4


DEEPLAB = {"classes": 2, "backbone": "resnet18", "base_width": 8, "attributes": 1}
FCN8S = {"classes": 2, "base_width": 4}


@pytest.mark.parametrize(
    ("network", "options", "phases", "line"),
    [
        ("fcn8s", FCN8S, 2, "FCN8s has no branch to learn hair, hat; leave the attributes out"),
        ("deeplab", {**DEEPLAB, "attributes": 0}, 2, "DeepLabV2 has no branch to learn hair, hat; leave the"),
        ("deeplab", DEEPLAB, 1, "hair, hat: attributes are learned in phase two, and the recipe has one; give it two"),
    ],
)
def test_attributes_that_are_not_trained_are_refused_before_training(tmp_path, network, options, phases, line):
    description = ModelDescription(network=network, options=options, size=SIZE, attributes=("hair", "hat"))
    plan = recipe(phases=[Phase(iterations=1, learning_rate=0.01)] * phases)
    with pytest.raises(ValueError, match=line):
        open_checkpoint(
            tmp_path / "checkpoints",
            description,
            build(network, **options),
            toy_sampler(),
            plan,
            Fabric(accelerator="cpu"),
        )
    assert list(tmp_path.iterdir()) == []
