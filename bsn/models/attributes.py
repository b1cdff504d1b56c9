"""The boundary-sensitive attribute classifier of section 3.3."""

import torch
from torch import Tensor, nn

from bsn.models.dropout import Dropout


class AttributeBranch(nn.Module):
    """Pooled features of the shared layers -> two logits per attribute: FC, ReLU, dropout, twice, and FC 2.

    "conv1_1 to pool5" are VGG's names; in a ResNet pool5 is the global average pool of the last stage, which DeepLab
    leaves out, so it is put back here. neurons: of both hidden layers, 1024 in the paper.

    forward: (N, channels, h, w) -> (N, attributes, 2).
    """

    def __init__(self, channels: int, *, attributes: int, neurons: int) -> None:
        super().__init__()
        self.classifiers = nn.ModuleList(
            nn.Sequential(
                nn.Linear(channels, neurons),
                nn.ReLU(inplace=True),
                Dropout(neurons),
                nn.Linear(neurons, neurons),
                nn.ReLU(inplace=True),
                Dropout(neurons),
                nn.Linear(neurons, 2),
            )
            for _ in range(attributes)
        )

    def forward(self, features: Tensor) -> Tensor:
        pooled = features.mean(dim=(2, 3))
        return torch.stack([classifier(pooled) for classifier in self.classifiers], dim=1)
