"""The networks of Table 1, built by name; weights are plain tensors in safetensors files, never a pickle."""

from pathlib import Path
from typing import Any

from torch import nn

from bsn.models.deeplab import DeepLabV2
from bsn.models.fcn8s import FCN8s

BUILDERS = {"deeplab": DeepLabV2, "fcn8s": FCN8s}


def build(network: str, **options: Any) -> nn.Module:
    """A network of Table 1: "deeplab" (DeepLabv2) or "fcn8s" (PortraitFCN+); the options are its constructor's."""
    return BUILDERS[network](**options)


def load(folder: Path) -> nn.Module:
    """The trained network in `models/<method>`, in evaluation mode: `model.json` builds it, `weights.safetensors`
    fills it."""
    import json

    from safetensors.torch import load_file

    description = json.loads((folder / "model.json").read_text("utf-8"))
    model = build(description["network"], **description["options"])
    model.load_state_dict(load_file(folder / "weights.safetensors"))
    return model.eval()
