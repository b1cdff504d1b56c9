"""Batch normalisation over all processes of a training run."""

import torch
from torch import Tensor, distributed, nn
from torch.distributed.nn.functional import all_reduce


class BatchNorm2d(nn.BatchNorm2d):
    """nn.BatchNorm2d whose statistics in training are those of the joint batch, however it is split.

    torch's own SyncBatchNorm does that on a GPU only. With one process, and in evaluation mode, it is nn.BatchNorm2d.

    forward: (N, channels, h, w) -> the same shape and dtype.
    """

    def forward(self, x: Tensor) -> Tensor:
        if not (self.training and distributed.is_initialized() and distributed.get_world_size() > 1):
            return super().forward(x)
        values = x.to(torch.promote_types(x.dtype, torch.float32))
        count = values.new_tensor([values.numel() / values.shape[1]])
        sums = all_reduce(torch.cat([values.sum(dim=(0, 2, 3)), count]))
        total, mean = sums[-1].detach(), (sums[:-1] / sums[-1].detach())[:, None, None]
        # A second look, because the mean of squares minus the square of the mean loses what both have in common.
        variance = all_reduce((values - mean).square().sum(dim=(0, 2, 3))) / total
        with torch.no_grad():
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean.flatten().to(self.running_mean.dtype), self.momentum)
            self.running_var.lerp_((variance * total / (total - 1)).to(self.running_var.dtype), self.momentum)
        scale = (self.weight * (variance + self.eps).rsqrt())[:, None, None]
        return ((values - mean) * scale + self.bias[:, None, None]).to(x.dtype)


class BatchNormAct2d(BatchNorm2d):
    """timm's layer of that name over all processes: batch norm, then the module's own `drop` and `act`."""

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.drop(super().forward(x)))


def freeze_batch_norm(model: nn.Module) -> None:
    """Make every batch norm a fixed scale and shift, as when fine-tuning from pre-trained weights.

    Raises ValueError for a model without any: there is nothing to freeze.
    """
    layers = [module for module in model.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    if not layers:
        raise ValueError(f"{type(model).__name__} has no batch normalisation to freeze; leave freeze_batch_norm off")
    for layer in layers:
        layer.eval().requires_grad_(False)
