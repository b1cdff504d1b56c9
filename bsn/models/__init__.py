"""The networks of Table 1, built by name; weights are plain tensors in safetensors files, never a pickle."""

from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from bsn.model_format import WEIGHTS, ModelDescription
from bsn.models.deeplab import DeepLabV2
from bsn.models.fcn8s import FCN8s
from bsn.models.layers import Network

BUILDERS: dict[str, type[Network]] = {"deeplab": DeepLabV2, "fcn8s": FCN8s}


def build(network: str, **options: Any) -> Network:
    """Build a network of Table 1 with random weights.

    Args:
        network: "deeplab" (DeepLabv2) or "fcn8s" (PortraitFCN+).
        options: arguments of its class.
    """
    return BUILDERS[network](**options)


def load(folder: Path) -> Network:
    """Load the trained network of a model folder, in evaluation mode and on the CPU.

    Args:
        folder: with model.json and weights.safetensors.
    """
    description = ModelDescription.read(folder)
    model = build(description.network, **description.options)
    model.load_state_dict(load_file(folder / WEIGHTS))
    return model.eval()
