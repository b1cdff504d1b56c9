"""DeepLabv2's backbones: the paper's ResNet, or any timm model that can be dilated to the output stride."""

import logging
from typing import Any

from torch import Tensor, nn

from bsn.model_format import RESNETS
from bsn.models.convolutions import DilatedConv2d
from bsn.models.layers import BatchNorm2d, BatchNormAct2d
from bsn.models.resnet import DilatedResNet


def build_backbone(
    name: str, *, channels: int, base_width: int, layout: str, output_stride: int, out_index: int
) -> "DilatedResNet | TimmBackbone":
    """Build a backbone.

    Args:
        name: `resnet18`, `resnet50`, `resnet101`, or the name of a timm model.
        channels: input channels.
        base_width: channels of a ResNet's first stage, 64 in the published networks.
        layout: of a ResNet, see `bsn.models.resnet`.
        output_stride: input pixels per cell of a timm model's feature maps. The ResNets have 8.
        out_index: index of the timm feature level that is returned; deeper layers are not built.

    Returns:
        Module with `out_channels`: (N, channels, H, W) -> (N, out_channels, H / stride, W / stride), rounded up.

    Raises:
        ValueError: timm has no such model, or cannot build it with this output stride or feature level.
    """
    if name in RESNETS:
        return DilatedResNet(depth=RESNETS[name], base_width=base_width, channels=channels, layout=layout)
    return TimmBackbone(name, channels=channels, output_stride=output_stride, out_index=out_index)


class TimmBackbone(nn.Module):
    """One feature level of a timm model.

    forward: (N, channels, H, W) -> (N, out_channels, H / output_stride, W / output_stride), sides rounded up.
    """

    def __init__(self, name: str, *, channels: int, output_stride: int, out_index: int) -> None:
        super().__init__()
        net = timm_features(name, channels=channels, output_stride=output_stride, out_index=out_index)
        self.net = net
        self.out_channels: int = net.feature_info.channels()[-1]
        for module in net.modules():
            _adapt(module)

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)[-1]


def timm_features(name: str, *, channels: int, output_stride: int, out_index: int, **options: Any) -> Any:
    """Build timm's feature extractor of one level, without the layers above it.

    Args:
        name: of the timm model.
        channels: input channels.
        output_stride: input pixels per cell.
        out_index: index of the feature level.
        options: other arguments of `timm.create_model`.

    Returns:
        timm's nn.Module, with its `feature_info` and `default_cfg`.

    Raises:
        ValueError: as `build_backbone`.
    """
    import timm  # late: its import takes two seconds

    # timm warns that the file has tensors for layers above this level.
    logging.getLogger("timm.models").setLevel(logging.ERROR)
    if not timm.is_model(name):
        raise ValueError(f"backbone = {name!r} is refused; allowed: {', '.join(RESNETS)} or a timm model")
    try:
        net: Any = timm.create_model(
            name,
            features_only=True,
            in_chans=channels,
            output_stride=output_stride,
            out_indices=(out_index,),
            **options,
        )
    except (AssertionError, TypeError, RuntimeError, IndexError) as error:
        reason = str(error).splitlines()[0] if str(error) else "timm cannot dilate it"
        raise ValueError(
            f"backbone = {name!r} cannot be built with output_stride {output_stride} and out_index {out_index} "
            f"({reason}); choose another backbone, or other values"
        ) from None
    stages = getattr(net, "_stage_out_idx", None)
    if stages is not None:  # of EfficientNets and MobileNets timm also builds, and runs, the blocks above this level
        net.blocks = net.blocks[: max(stages)]
    return net


def _adapt(module: nn.Module) -> None:
    """Change a timm module's class to our batch norm over processes or our dilated convolution, in place."""
    from timm.layers.norm_act import BatchNormAct2d as TimmBatchNormAct2d  # late, as timm itself

    if type(module) is TimmBatchNormAct2d:
        module.__class__ = BatchNormAct2d
    elif type(module) is nn.BatchNorm2d:
        module.__class__ = BatchNorm2d
    elif type(module) is nn.Conv2d and max(module.dilation) > 1:
        module.__class__ = DilatedConv2d
