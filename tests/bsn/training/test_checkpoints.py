from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from bsn.training.checkpoints import Checkpoint, file_fingerprint, fingerprint

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


def test_a_file_s_fingerprint_follows_its_bytes(tmp_path):
    file = tmp_path / "weights"
    file.write_bytes(b"a")
    before = file_fingerprint(file)
    file.write_bytes(b"b")
    assert file_fingerprint(file) != before
