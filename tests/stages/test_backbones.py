"""Two timm backbones of different kinds through the stages that compute, on the miniature."""

import json
import shutil
import subprocess
import sys

import pytest
import yaml
from safetensors.torch import load_file

from tests.bsn.test_environment import ROOT, clean
from tests.miniature import miniature

# Inverted residuals with batch norm, in a dilated stage; and layer norm, at the stride that its model has.
BACKBONES = {
    "test_efficientnet": {"out_index": 3, "output_stride": 8, "attribute_classifiers": "each"},
    "test_convnext": {"out_index": 2, "output_stride": 8, "added_channels": "random"},
}


@pytest.mark.parametrize("backbone", BACKBONES)
def test_bsn_is_trained_and_evaluated_on_a_timm_backbone(backbone, tmp_path):
    for name in ("params.yaml", "sources.yaml", "dvc.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "attributes", tmp_path / "attributes")
    profile = miniature()
    profile["networks"]["deeplab"].update(backbone=backbone, attribute_neurons=8, **BACKBONES[backbone])
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles/sketch.yaml").write_text(yaml.safe_dump(profile))
    command = [sys.executable, "-m", "tests.small_study"]
    done = subprocess.run(command, cwd=tmp_path, env=clean(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    options = json.loads((tmp_path / "models/bsn/model.json").read_text())["options"]
    assert options["backbone"] == backbone
    branches = {
        name.split(".")[1] for name in load_file(tmp_path / "models/bsn/weights.safetensors") if "attribute" in name
    }
    assert len(branches) == {"test_efficientnet": 3, "test_convnext": 1}[backbone]
    sets = json.loads((tmp_path / "metrics/methods/bsn.json").read_text())["sets"]
    assert (sets["pfcn"]["photos"], sets["validation"]["photos"]) == (3, 2)
