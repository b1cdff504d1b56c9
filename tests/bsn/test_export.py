import json

import numpy as np
import onnxruntime
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from bsn.errors import InputError
from bsn.export import export_onnx
from bsn.models import build
from bsn.models.layers import foreground_score, upsample

NETWORKS = {
    "deeplab": {"classes": 3, "backbone": "resnet18", "base_width": 2, "attributes": 1, "scales": [0.75, 1.0]},
    "caffe": {"classes": 2, "backbone": "resnet50", "base_width": 2, "layout": "caffe", "scales": [0.5, 1.0]},
    "efficientnet": {"classes": 3, "backbone": "tf_efficientnet_lite0", "out_index": 1, "scales": [1.0]},
    "convnext": {"classes": 2, "backbone": "test_convnext", "out_index": 2, "scales": [0.75, 1.0], "attributes": 1},
    "fcn8s": {"classes": 2, "base_width": 2, "batch_norm": False},
    "fcn8s_batch_norm": {"classes": 2, "base_width": 2, "batch_norm": True},
}
# Batch, height, width: odd and even sides; a branch's half that rounds down (33 / 2 to 16) and up (71 / 2 to 36); less
# than a stride.
SHAPES = [(1, 64, 48), (2, 93, 71), (3, 33, 66), (1, 101, 90), (1, 200, 150), (1, 5, 7)]


@pytest.fixture(scope="module", params=NETWORKS)
def exported(request, tmp_path_factory):
    """The trained network, and its ONNX file."""
    torch.manual_seed(0)
    options = NETWORKS[request.param]
    network = "fcn8s" if request.param.startswith("fcn8s") else "deeplab"
    model = build(network, **options).eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):  # as after training: neither zeros nor ones
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 2)
    folder = tmp_path_factory.mktemp("models") / request.param
    folder.mkdir()
    save_file(model.state_dict(), folder / "weights.safetensors")
    (folder / "model.json").write_text(json.dumps({"network": network, "options": options, "size": [64, 48]}))
    export_onnx(folder, folder / "network.onnx")
    return model, folder / "network.onnx"


@pytest.mark.parametrize("shape", SHAPES)
def test_onnx_computes_what_torch_does_at_any_size_and_batch(exported, shape):
    model, file = exported
    # A ConvNeXt's patches of 4, halved twice, must fit into its input.
    sides = [max(side, 16) for side in shape[1:]] if "convnext" in file.parent.name else shape[1:]
    photo = torch.randn(shape[0], 6, *sides, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        output = model(photo)
        cells = foreground_score(output.fused)
        score = upsample(cells[:, None], photo.shape[-2:], align_corners=output.align_corners)[:, 0]
    session = onnxruntime.InferenceSession(file)
    found_score, found_cells = session.run(["score", "cells"], {"photo": photo.numpy()})
    for found, expected in ((found_score, score.numpy()), (found_cells, cells.numpy())):
        assert found.dtype == np.float32
        assert found.shape == expected.shape
        assert np.abs(found - expected).max() <= 1e-4 * max(1, np.abs(expected).max())


def test_the_file_needs_no_other_and_has_its_metadata(exported):
    _, file = exported
    session = onnxruntime.InferenceSession(file.read_bytes())  # no weights beside it
    assert [(value.name, value.shape[1]) for value in session.get_inputs()] == [("photo", 6)]
    told = session.get_modelmeta().custom_metadata_map
    name = file.parent.name
    assert told == {"method": name, "size": "[64, 48]", "align_corners": "true" if name == "caffe" else "false"}


def test_a_baseline_has_no_network_to_export(tmp_path):
    (tmp_path / "model.json").write_text(json.dumps({"network": "graph_cut", "options": {}}))
    with pytest.raises(InputError, match="is of graph_cut, which has no network; export a trained method"):
        export_onnx(tmp_path, tmp_path / "network.onnx")
    assert not (tmp_path / "network.onnx").exists()
