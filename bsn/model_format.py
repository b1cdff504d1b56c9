"""The file model.json of a model folder: which network or baseline it holds, and the options to build it.

`bsn.models.load` builds the network, `bsn.methods.prediction.load_method` any method. This module imports no torch.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bsn.errors import InputError

BASELINES = ("graph_cut", "mean_mask")  # methods without a network
# Depth of the ResNets in bsn/models/resnet.py, by the name of the backbone. Every other name is a timm model.
RESNETS = {"resnet18": 18, "resnet50": 50, "resnet101": 101}
DESCRIPTION, WEIGHTS = "model.json", "weights.safetensors"
# Written by bsn/export.py: the network, and the folder of the face detector's three.
NETWORK, FACES = "network.onnx", "faces"
# Names of input and outputs in NETWORK.
INPUT, SCORE, CELLS = "photo", "score", "cells"
VERSION = 1  # of the format; files without a version are of version 1


@dataclass(frozen=True, kw_only=True)
class ModelDescription:
    """Content of model.json.

    Attributes:
        version: of the format.
        network: "deeplab" or "fcn8s", or one of BASELINES.
        options: keyword arguments of `bsn.models.build` or of the baseline's class.
        size: (height, width) of a PFCN photo's working copy, pixels; None for a baseline.
        attributes: names of the attributes that the branch classifies, in the order of its logits.
    """

    version: int = VERSION
    network: str
    options: Mapping[str, Any]
    size: tuple[int, int] | None = None
    attributes: tuple[str, ...] = ()

    @classmethod
    def read(cls, folder: Path) -> "ModelDescription":
        """Read the model.json of a folder.

        Raises:
            InputError: a newer version of this project wrote it.
            FileNotFoundError: the folder has no model.json.
            ValueError, KeyError, TypeError: the file is damaged, or is not a model description.
        """
        content = json.loads((folder / DESCRIPTION).read_text("utf-8"))
        if not isinstance(content, dict):
            raise ValueError(f"{folder / DESCRIPTION} holds no keys")
        version = content.get("version", 1)
        if version > VERSION:
            raise InputError(
                f"{folder / DESCRIPTION} is of version {version}, and this code reads up to {VERSION}; "
                "use a newer version of the project"
            )
        size = content.get("size")
        if size is not None:
            height, width = size
            size = (height, width)
        return cls(
            version=version,
            network=content["network"],
            options=content["options"],
            size=size,
            attributes=tuple(content.get("attributes", ())),
        )

    def write(self, folder: Path) -> None:
        """Write the model.json of an existing folder."""
        (folder / DESCRIPTION).write_text(json.dumps(self.content(), indent=1) + "\n", "utf-8")

    def content(self) -> dict[str, Any]:
        """The keys of the file; a baseline has neither size nor attributes."""
        without = ("size", "attributes") if self.size is None else ()
        return {key: value for key, value in asdict(self).items() if key not in without}
