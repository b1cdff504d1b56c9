"""The networks of Table 1: build one by name, or load a trained one. Weights are in safetensors files, not pickles."""

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
        network: "deeplab" (`DeepLabV2`) or "fcn8s" (`FCN8s`, PortraitFCN+).
        options: keyword arguments of its class.
    """
    return BUILDERS[network](**options)


def load(folder: Path) -> Network:
    """Load the trained network of a model folder, in evaluation mode and on the CPU.

    Args:
        folder: with model.json and weights.safetensors.

    Raises:
        InputError, FileNotFoundError, ValueError, KeyError, TypeError: as `bsn.model_format.ModelDescription.read`.
        RuntimeError, safetensors.SafetensorError: the weights are damaged, or do not fit model.json.
    """
    description = ModelDescription.read(folder)
    model = build(description.network, **description.options)
    model.load_state_dict(load_file(folder / WEIGHTS))
    return model.eval()
