"""A stage that is called with a wrong name refuses it in one line with what is allowed."""

import subprocess
import sys

import pytest

from bsn.errors import InputError
from stages.attributes import attributes
from stages.download import download
from stages.labels import labels
from stages.loss_weights import loss_weights
from stages.portraits import portraits
from stages.pretrained import pretrained
from stages.train_base import train_base

SETS = "set = 'x' is refused; allowed: pfcn, coco, cocostuff, voc"
BASES = (
    "deeplab-hard-uniform, deeplab-hard-global, deeplab-soft-uniform, deeplab-soft-global, "
    "fcn8s-hard-uniform, fcn8s-hard-global, fcn8s-soft-uniform, fcn8s-soft-global"
)


@pytest.mark.parametrize(
    ("stage", "line"),
    [
        (download, SETS),
        (portraits, SETS),
        (attributes, "attributes = 'x' is refused; allowed: none, hair"),
        (labels, "labels = 'x' is refused; allowed: hard, soft"),
        (loss_weights, "weight = 'x' is refused; allowed: uniform, global"),
        (pretrained, "network = 'x' is refused; allowed: deeplab, fcn8s"),
        (train_base, f"phase one = 'x' is refused; allowed: {BASES}"),
    ],
)
def test_a_wrong_name_is_refused_in_one_line(stage, line):
    with pytest.raises(InputError) as refused:
        stage("x")
    assert str(refused.value) == line


@pytest.mark.parametrize("name", ["deeplab-soft", "deeplab-soft-global-1", "deeplab-soft-text", ""])
def test_the_name_of_phase_one_has_three_words(name):
    with pytest.raises(InputError, match=f"phase one = '{name}' is refused; allowed: deeplab-hard-uniform, "):
        train_base(name)


def test_as_a_command_it_is_one_line_and_status_1():
    done = subprocess.run([sys.executable, "-m", "stages.labels", "x"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "labels: labels = 'x' is refused; allowed: hard, soft\n"
