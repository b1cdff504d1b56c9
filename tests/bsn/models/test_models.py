import json

import pytest
import torch
from safetensors.torch import save_file

from bsn.models import build, load

OPTIONS = {
    "deeplab": {"backbone": "resnet18", "base_width": 4, "attributes": 1, "attribute_neurons": 64},
    "fcn8s": {"base_width": 4, "batch_norm": True},
}


@pytest.mark.parametrize("network", ["deeplab", "fcn8s"])
def test_a_saved_network_comes_back_as_it_was(network, tmp_path):
    torch.manual_seed(0)
    options = {"classes": 2, **OPTIONS[network]}
    model = build(network, **options).eval()
    save_file(model.state_dict(), tmp_path / "weights.safetensors")
    (tmp_path / "model.json").write_text(json.dumps({"network": network, "options": options}))
    x = torch.randn(1, 6, 64, 48)
    again = load(tmp_path)
    assert not again.training
    assert torch.equal(again(x).fused, model(x).fused)
