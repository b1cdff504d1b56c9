"""Export of a trained network as one ONNX file."""

import json
import logging
import warnings
from pathlib import Path

import onnxscript
import torch
from onnxscript import opset18
from torch import Tensor, nn

from bsn import models
from bsn.errors import InputError
from bsn.inputs import CHANNELS
from bsn.model_format import ModelDescription
from bsn.models.layers import foreground_score, upsample

# Names of inputs and outputs in the ONNX file.
INPUT, SCORE, CELLS = "photo", "score", "cells"
_INT64 = 7  # onnx.TensorProto.INT64


class _Scores(nn.Module):
    """Network with the outputs of the ONNX file: (N, 6, h, w) -> score (N, h, w), cells (N, rows, columns)."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, photo: Tensor) -> tuple[Tensor, Tensor]:
        output = self.model(photo)
        cells = foreground_score(output.fused)[:, None]
        height, width = photo.shape[-2:]
        score = upsample(cells, (height, width), align_corners=output.align_corners)
        return score[:, 0], cells[:, 0]


def _round(number: onnxscript.FLOAT, digits: None = None) -> onnxscript.INT64:
    # torch's exporter does not translate Python's round. ONNX rounds half to even, too. onnxscript needs these
    # annotations, though its own types contradict them.
    return opset18.Cast(opset18.Round(number), to=_INT64)  # pyright: ignore[reportReturnType, reportArgumentType]


def export_onnx(folder: Path, file: Path) -> None:
    """Write a trained network to an ONNX file, weights included.

    Input: `photo`, (N, 6, h, w) float32: RGB normalised by ImageNet's mean and deviation, position x and y, mean mask
    (bsn/inputs.py). Outputs: `score`, (N, h, w) float32, foreground logit minus background logit, above zero for
    portrait; and `cells`, the same on the network's own coarse grid, (N, rows, columns). N, h and w are free.
    Metadata: `method`, `size` (JSON, height and width of a PFCN photo's working copy) and `corners` (JSON, the
    `align_corners` with which `bsn.models.layers.upsample` makes `score` from `cells`).

    Args:
        folder: `models/<method>`.
        file: to write.

    Raises:
        InputError: the folder holds a baseline, which has no network.
    """
    description = ModelDescription.read(folder)
    if description.network not in models.BUILDERS:
        raise InputError(f"{folder} is of {description.network}, which has no network; export a trained method")
    model = models.load(folder)
    # Two photos of odd sides: torch treats a dimension of 1 as a constant.
    example = torch.zeros(2, CHANNELS, 93, 71)
    # torch logs pages of progress and of its own deprecations.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    # Without gradients: with them, dilated convolutions take the path of training.
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        exported = torch.onnx.export(
            _Scores(model).eval(),
            (example,),
            dynamo=True,
            verbose=False,
            input_names=[INPUT],
            output_names=[SCORE, CELLS],
            dynamic_shapes=({0: "batch", 2: "height", 3: "width"},),
            custom_translation_table={round: _round},
        )
    assert exported is not None  # as always with dynamo=True
    exported.model.metadata_props.update(
        method=folder.resolve().name,
        size=json.dumps(description.size),
        corners=json.dumps(getattr(model, "align_corners", False)),
    )
    exported.save(file, external_data=False)
