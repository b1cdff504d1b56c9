"""What a network starts from: nothing, torchvision's weights, or a file of the user's, in our names, for our input."""

import http.client
import json
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from bsn.disk import FULL
from bsn.errors import InputError
from bsn.models import build, caffe, vgg

# What stands above the pre-trained layers; taken from a file only where it fits.
HEADS = ("aspp.", "attribute_branch.", "score_")
_INPUTS = {"deeplab": "backbone.conv1.weight", "fcn8s": "blocks.0.0.weight"}


def starting_weights(network: str, source: str, **options: Any) -> dict[str, Tensor]:
    """The tensors that `fill` puts into a network, by our names; float32, on the CPU.

    network and options: as for `bsn.models.build`: depth, base_width and layout of "deeplab", base_width and batch_norm
    of "fcn8s". source: "none" gives no tensors; "imagenet" gives torchvision's ResNet-18, 50 or 101 (IMAGENET1K_V1),
    VGG16 or, with batch_norm, VGG16_BN; "coco_voc" the ResNet-50 or 101 of torchvision's DeepLabV3
    (COCO_WITH_VOC_LABELS_V1; its head is another network's). These are downloaded, and kept in torch's own cache.
    Anything else is the path of a safetensors or torch file that holds this project's own `weights.safetensors`, a
    torchvision ResNet or VGG16 (with or without `backbone.` or `module.` before its names), or a converted Caffe
    DeepLabv2 (bsn/models/caffe.py).

    Of three input channels six are made: the weights of position and mean mask start at zero, so that the network
    computes what it did.

    Raises InputError when the weights cannot be had, are no weights, or are another network's.
    """
    if source == "none":
        return {}
    with torch.device("meta"):
        expected = build(network, classes=2, **options).state_dict()
    published = source in ("imagenet", "coco_voc")
    tensors = _download(_published(network, source, options)) if published else _read(Path(source))
    if network == "deeplab":
        ours = _resnet(tensors, Path(source), options["layout"])
    else:
        bare = {key.removeprefix("module."): tensor for key, tensor in tensors.items()}
        is_vgg = any(key.startswith("features.") for key in bare)
        ours = vgg.from_torchvision(bare, batch_norm=options["batch_norm"]) if is_vgg else bare
    given = ", ".join(f"{key} {value}" for key, value in options.items())
    return _checked(ours, expected, input_layer=_INPUTS[network], name=source, wanted=f"this {network} ({given})")


def fill(model: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Start `model` from `starting_weights`. Layers above the pre-trained ones keep their own where none fit."""
    if not tensors:
        return
    own = model.state_dict()
    heads = {name: tensor for name, tensor in own.items() if name.startswith(HEADS)}
    fitting = {
        name: tensor
        for name, tensor in tensors.items()
        if not name.startswith(HEADS) or (name in own and own[name].shape == tensor.shape)
    }
    model.load_state_dict({**heads, **fitting})


def _published(network: str, source: str, options: Mapping[str, Any]) -> Any:
    """torchvision's entry."""
    from torchvision import models

    if network == "fcn8s" and source == "imagenet":
        entry = models.VGG16_BN_Weights if options["batch_norm"] else models.VGG16_Weights
    elif network == "deeplab" and source == "imagenet":
        entry = getattr(models, f"ResNet{options['depth']}_Weights")
    elif network == "deeplab" and options["depth"] != 18:
        entry = getattr(models.segmentation, f"DeepLabV3_ResNet{options['depth']}_Weights")
    else:
        shape = f" of depth {options['depth']}" if network == "deeplab" else ""
        raise InputError(f"there are no {source} weights for {network}{shape}; allowed: deeplab of depth 50 or 101")
    return entry.IMAGENET1K_V1 if source == "imagenet" else entry.COCO_WITH_VOC_LABELS_V1


def _download(entry: Any) -> dict[str, Tensor]:
    try:
        return entry.get_state_dict(progress=True, check_hash=True, weights_only=True, map_location="cpu")
    except (OSError, http.client.HTTPException, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        if isinstance(error, OSError) and error.errno in FULL:
            raise  # the stage's runner has a line for it
        reason = " ".join(str(error).split())
        raise InputError(
            f"{entry.url} could not be fetched ({reason}); fetch it by hand and name the file as `weights`"
        ) from None


def _read(file: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not file.is_file():
        raise InputError(f"weights = {str(file)!r} is no file; name one that is there, or none, imagenet or coco_voc")
    try:
        tensors = (
            load_file(file)
            if file.suffix == ".safetensors"
            else torch.load(file, weights_only=True, map_location="cpu")
        )
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError):
        raise InputError(f"{file} holds no weights; allowed: .safetensors, or a state dict by torch.save") from None
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}; is it whole, and yours to read?") from None
    if not isinstance(tensors, dict) or not all(isinstance(tensor, Tensor) for tensor in tensors.values()):
        raise InputError(f"{file} holds no tensors by name; save the network's state_dict() alone and name that file")
    return tensors


def _resnet(tensors: Mapping[str, Tensor], file: Path, layout: str) -> dict[str, Tensor]:
    if caffe.is_caffe(tensors):
        _require("caffe", layout, file)
        return caffe.from_caffe(tensors)
    bare = {re.sub(r"^(module\.)?(backbone\.)?", "", key): tensor for key, tensor in tensors.items()}
    first = bare.get("conv1.weight")
    description = file.with_name("model.json")
    if first is None or first.dim() != 4 or first.shape[1] == 3:
        _require("torchvision", layout, file)
    elif description.is_file():  # our own: both layouts have the same names
        _require(json.loads(description.read_text("utf-8"))["options"].get("layout", "torchvision"), layout, file)
    return {key if key.startswith(HEADS) else f"backbone.{key}": tensor for key, tensor in bare.items()}


def _require(found: str, layout: str, file: Path) -> None:
    if found != layout:
        raise InputError(
            f"{file} is of layout {found}, and the network's layout is {layout}: it would compute something else; "
            f"set layout to {found}, or name other weights"
        )


def _checked(
    ours: Mapping[str, Tensor], expected: Mapping[str, Tensor], *, input_layer: str, name: str, wanted: str
) -> dict[str, Tensor]:
    """`ours` with six input channels, and without what the network has no place for. Raises InputError."""
    checked = {key: tensor.float().contiguous() for key, tensor in ours.items() if key.startswith(HEADS)}
    for key, place in expected.items():
        if key.startswith(HEADS):
            continue
        tensor = ours.get(key)
        if tensor is None and key.endswith("num_batches_tracked"):
            tensor = torch.zeros((), dtype=torch.long)  # older files have none
        if tensor is None:
            raise InputError(f"{name} has no {key}, which {wanted} needs; name the weights of such a network")
        if key == input_layer and tensor.dim() == 4 and tensor.shape[1] == 3:
            tensor = torch.cat([tensor, tensor.new_zeros(len(tensor), place.shape[1] - 3, *tensor.shape[2:])], dim=1)
        if tensor.shape != place.shape:
            raise InputError(
                f"{name} has {key} of shape {list(tensor.shape)}, and {wanted} needs {list(place.shape)}; "
                "name the weights of such a network"
            )
        checked[key] = tensor.to(place.dtype).contiguous()
    surplus = next((key for key in ours if key.startswith("backbone.layer") and key not in expected), None)
    if surplus is not None:
        raise InputError(f"{name} has {surplus}, for which {wanted} has no place; name the weights of such a network")
    return checked
