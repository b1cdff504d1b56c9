"""Export of a trained network as one ONNX file, and of the face detector's networks beside it."""

import importlib.util
import io
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from bsn import models
from bsn.errors import InputError
from bsn.inputs import CHANNELS
from bsn.model_format import CELLS, FACES, INPUT, NETWORK, SCORE, ModelDescription
from bsn.models.layers import foreground_score, upsample

OPSET = 18


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


def export_onnx(folder: Path, file: Path) -> None:
    """Write a trained network to an ONNX file, weights included.

    Input: `photo`, (N, 6, h, w) float32: RGB normalised by ImageNet's mean and deviation, position x and y, mean mask
    (bsn/inputs.py). Outputs: `score`, (N, h, w) float32, foreground logit minus background logit, above zero for
    portrait; and `cells`, the same on the network's own coarse grid, (N, rows, columns). N, h and w are free.
    Metadata: `method`, `size` (JSON, height and width of a PFCN photo's working copy) and `align_corners`
    (JSON, with which `bsn.models.layers.upsample` makes `score` from `cells`).

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
    # Without gradients: with them, dilated convolutions take the path of training.
    with warnings.catch_warnings(), torch.no_grad():
        # torch recommends its newer exporter, which takes twenty times as long, and warns of shapes that are constants.
        warnings.simplefilter("ignore")
        content = io.BytesIO()
        torch.onnx.export(
            _Scores(model).eval(),
            (example,),
            content,  # pyright: ignore[reportArgumentType] # a buffer too, without dynamo
            dynamo=False,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=[SCORE, CELLS],
            dynamic_axes={
                INPUT: {0: "batch", 2: "height", 3: "width"},
                SCORE: {0: "batch", 1: "height", 2: "width"},
                CELLS: {0: "batch", 1: "rows", 2: "columns"},
            },
        )
    exported = onnx.load_from_string(content.getvalue())
    metadata = {
        "method": folder.resolve().name,
        "size": json.dumps(description.size),
        "align_corners": json.dumps(getattr(model, "align_corners", False)),
    }
    onnx.helper.set_model_props(exported, metadata)
    file.write_bytes(exported.SerializeToString(deterministic=True))


def export_model(folder: Path) -> None:
    """Write to a trained model's folder what `bsn segment` runs without torch: the network and the face detector's."""
    export_onnx(folder, folder / NETWORK)
    export_face_networks(folder / FACES)


def export_face_networks(folder: Path) -> None:
    """Write MTCNN's three networks, with facenet-pytorch's weights, to ONNX files; the same bytes each time.

    Built from the weights, because facenet-pytorch takes four seconds to import. Input: `image`, (N, 3, h, w) float32.
    Outputs: shifts of the box, of the third network also points, and probabilities of no face and of a face.
    """
    package = importlib.util.find_spec("facenet_pytorch")
    assert package is not None
    assert package.submodule_search_locations is not None
    weights = Path(package.submodule_search_locations[0]) / "data"
    folder.mkdir(parents=True, exist_ok=True)
    for name in _FACE_NETWORKS:
        tensors = torch.load(weights / f"{name}.pt", weights_only=True)
        graph = _FaceNetwork({key: tensor.numpy() for key, tensor in tensors.items()}).graph(name)
        opset = onnx.helper.make_opsetid("", OPSET)
        # The format's version that opset 18 came with, whatever the installed onnx writes by default.
        model = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8)
        onnx.checker.check_model(model, full_check=True)
        (folder / f"{name}.onnx").write_bytes(model.SerializeToString(deterministic=True))


# Layers of each network, with the window of the max pooling behind them; then the outputs, the probabilities first.
_FACE_NETWORKS = {
    "pnet": (["conv1 2", "conv2", "conv3"], ["conv4_1", "conv4_2"]),
    "rnet": (["conv1 3", "conv2 3", "conv3", "dense4"], ["dense5_1", "dense5_2"]),
    "onet": (["conv1 3", "conv2 3", "conv3 2", "conv4", "dense5"], ["dense6_1", "dense6_2", "dense6_3"]),
}


class _FaceNetwork:
    """Builds the ONNX graph of one of MTCNN's networks from its weights."""

    def __init__(self, weights: dict[str, np.ndarray]) -> None:
        self.weights = weights
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.dense = False
        self.channels: slice | np.ndarray = slice(None)  # order of the channels that the next layer gets

    def graph(self, name: str) -> onnx.GraphProto:
        layers, (scores, *others) = _FACE_NETWORKS[name]
        x = "image"
        for layer in layers:
            kind, _, window = layer.partition(" ")
            slope = self.weights[f"{kind.replace('conv', 'prelu').replace('dense', 'prelu')}.weight"]
            x = self._pooled(kind, slope, int(window), x) if window else self._rectified(self._linear(kind, x), slope)
        outputs = [self._linear(head, x) for head in others]
        outputs.append(self._node("Softmax", self._linear(scores, x), axis=1))
        value = onnx.helper.make_tensor_value_info
        image = value("image", onnx.TensorProto.FLOAT, ["n", 3, "height", "width"])
        found = [value(output, onnx.TensorProto.FLOAT, [None] * (2 if self.dense else 4)) for output in outputs]
        return onnx.helper.make_graph(self.nodes, name, [image], found, self.constants)

    def _linear(self, layer: str, x: str) -> str:
        weight, bias = self.weights[f"{layer}.weight"], self.weights[f"{layer}.bias"]
        if layer.startswith("conv"):
            return self._convolution(weight, bias, x)
        if not self.dense:  # columns before rows, as in MATLAB
            x, self.dense = self._node("Flatten", self._node("Transpose", x, perm=[0, 3, 2, 1])), True
        return self._node("Gemm", x, self._constant(weight), self._constant(bias), transB=1)

    def _convolution(self, weight: np.ndarray, bias: np.ndarray, x: str) -> str:
        weight, self.channels = weight[:, self.channels], slice(None)
        return self._node("Conv", x, self._constant(weight), self._constant(bias))

    def _rectified(self, x: str, slope: np.ndarray) -> str:
        return self._node("PRelu", x, self._constant(slope if self.dense else slope[:, None, None]))

    def _pooled(self, layer: str, slope: np.ndarray, window: int, x: str) -> str:
        """Convolution, PReLU and max pooling, with the PReLU behind the pooling, where it has a quarter of the work.

        A PReLU that rises changes places with a maximum. One that falls below zero is the larger of y and slope * y,
        so that the convolution computes slope * y too and both are pooled.
        """
        falls = slope < 0
        order = np.argsort(falls, kind="stable")
        count, falling = int(falls.sum()), np.flatnonzero(falls)
        weight, bias = self.weights[f"{layer}.weight"], self.weights[f"{layer}.bias"]
        padding = -(len(slope) + count) % 16  # onnxruntime pools channels in blocks of eight or sixteen
        weight = np.concatenate([weight[order], weight[falling] * slope[falling, None, None, None]])
        weight = np.pad(weight, ((0, padding), (0, 0), (0, 0), (0, 0)))
        y = self._convolution(
            weight, np.pad(np.concatenate([bias[order], bias[falling] * slope[falling]]), (0, padding)), x
        )
        y = self._node("MaxPool", y, kernel_shape=[window] * 2, strides=[2, 2], ceil_mode=1)
        self.channels = order
        sizes = self._constant(np.array([len(slope) - count, count, count, padding]))
        rising, plain, scaled, _ = self._nodes("Split", 4, y, sizes, axis=1)
        rising = self._rectified(rising, slope[~falls])
        return self._node("Concat", rising, self._node("Max", plain, scaled), axis=1)

    def _constant(self, value: np.ndarray) -> str:
        name = f"constant{len(self.constants)}"
        self.constants.append(onnx.numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def _node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        return self._nodes(kind, 1, *inputs, **attributes)[0]

    def _nodes(self, kind: str, number: int, *inputs: str, **attributes: Any) -> list[str]:
        """Append a node with so many outputs; returns their names."""
        outputs = [f"{kind}{len(self.nodes)}_{output}" for output in range(number)]
        self.nodes.append(onnx.helper.make_node(kind, inputs, outputs, **attributes))
        return outputs
