"""PortraitFCN+ (Shen et al. 2016): FCN-8s on VGG16 with six input channels."""

from torch import Tensor, nn

from bsn.models.batch_norm import BatchNorm2d
from bsn.models.dropout import Dropout
from bsn.models.output import Output, upsample

VGG16_BLOCKS = (
    (1, 2),
    (2, 2),
    (4, 3),
    (8, 3),
    (8, 3),
)  # (channels in base widths, convolutions) up to each pool
PAPER_FC, PAPER_BASE_WIDTH = 4096, 64


class FCN8s(nn.Module):
    """FCN-8s: scores of pool3, pool4 and fc7, each upsampled and added to the finer one.

    classes: 2. channels: of the input, 6 in the paper. base_width: 64 in VGG16. batch_norm: for training from scratch,
    where plain VGG16 does not start.
    """

    def __init__(self, *, classes: int, channels: int = 6, base_width: int = 64, batch_norm: bool = False) -> None:
        super().__init__()
        self.blocks = nn.ModuleList()
        inputs = channels
        for widths, convolutions in VGG16_BLOCKS:
            layers: list[nn.Module] = []
            for _ in range(convolutions):
                layers += _convolution(inputs, widths * base_width, 3, batch_norm)
                inputs = widths * base_width
            # Ceil mode, as in Caffe: a photo whose sides are no multiple of 32 loses no border.
            self.blocks.append(nn.Sequential(*layers, nn.MaxPool2d(2, 2, ceil_mode=True)))
        neurons = PAPER_FC * base_width // PAPER_BASE_WIDTH
        self.fc6 = nn.Sequential(*_convolution(inputs, neurons, 7, batch_norm), Dropout(neurons))
        self.fc7 = nn.Sequential(*_convolution(neurons, neurons, 1, batch_norm), Dropout(neurons))
        self.score_pool3 = nn.Conv2d(4 * base_width, classes, 1)
        self.score_pool4 = nn.Conv2d(8 * base_width, classes, 1)
        self.score_fc7 = nn.Conv2d(neurons, classes, 1)
        for score in (self.score_pool3, self.score_pool4, self.score_fc7):
            nn.init.normal_(score.weight, std=0.01)
            nn.init.zeros_(score.bias)

    def forward(self, x: Tensor) -> Output:
        """x: (N, channels, H, W). Logits come on the grid of pool3, an eighth of the input."""
        pools = []
        for block in self.blocks:
            x = block(x)
            pools.append(x)
        score = self.score_fc7(self.fc7(self.fc6(x)))
        for finer in (self.score_pool4(pools[3]), self.score_pool3(pools[2])):
            score = finer + upsample(score, finer.shape[-2:])
        return Output(score)

    def parameter_groups(self, *, head_lr_multiplier: float) -> list[dict]:
        """Parameters by learning-rate multiplier: `head_lr_multiplier` for the three score layers, 1 below them."""
        new = [p for name, p in self.named_parameters() if name.startswith("score")]
        old = [p for name, p in self.named_parameters() if not name.startswith("score")]
        return [{"params": old, "multiplier": 1.0}, {"params": new, "multiplier": head_lr_multiplier}]


def _convolution(inputs: int, outputs: int, kernel: int, batch_norm: bool) -> list[nn.Module]:
    conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=not batch_norm)
    nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
    return [conv, *([BatchNorm2d(outputs)] if batch_norm else []), nn.ReLU(inplace=True)]
