"""What the deterministic modes change on a processor, and what the number of threads does."""

import os
import re

from bsn.training import determinism, launch
from tests.bsn.training.program import program
from tests.processes import exit_code


def work(folder, settled):
    folder.mkdir()
    os.chdir(folder)
    if not settled:
        launch.settle = lambda: None
    program("{}")


def test_the_deterministic_modes_change_no_byte_of_a_training_on_a_processor(tmp_path):
    weights = []
    for settled in (True, False):
        folder = tmp_path / str(settled)
        assert exit_code(work, folder, settled) == 0
        weights.append((folder / "models/toy/weights.safetensors").read_bytes())
    assert weights[0] == weights[1]


def test_the_instruction_set_has_a_name():
    assert re.fullmatch("[A-Z0-9 _]+(, pinned)?", determinism.instructions())
