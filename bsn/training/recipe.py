"""How a network is trained: phases, optimizer, schedule and augmentation, as plain frozen dataclasses.

params.yaml is validated against Phase and Augmentation, whose ranges are pydantic annotations. A recipe that is built
in Python is not validated. This module imports no torch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import ConfigDict, Field

POLY_POWER = 0.9

Count = Annotated[int, Field(strict=True, ge=1, description="a whole number, 1 or more")]
Positive = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False, description="a number above 0")]
Fraction = Annotated[float, Field(strict=True, ge=0, le=1, description="a fraction from 0 to 1")]
Degrees = Annotated[float, Field(strict=True, ge=-180, le=180)]
_FACTORS = "numbers above 0; two of them where draw is range"


@dataclass(frozen=True, kw_only=True)
class Phase:
    """One of the two training phases of section 4.1.

    Attributes:
        iterations: number of steps.
        learning_rate: of the backbone, before the schedule.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    iterations: Count
    learning_rate: Positive


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Random changes of a training patch.

    Attributes:
        flip: probability that the patch is mirrored.
        draw: "range" draws scale and gamma log-uniformly, and rotation uniformly, between their two numbers. "one"
            makes one of the listed changes, or none, all with equal probability: Shen et al. train PortraitFCN+ so,
            with four scales, four rotations and four gammas.
        scale: factors of the photo's size.
        rotation: degrees.
        gamma: exponents of the photo's values in 0..1.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    flip: Fraction
    draw: Annotated[Literal["range", "one"], Field(description="range or one")]
    scale: Annotated[Sequence[Positive], Field(description=_FACTORS)]
    rotation: Annotated[
        Sequence[Degrees], Field(description="degrees from -180 to 180; two of them where draw is range")
    ]
    gamma: Annotated[Sequence[Positive], Field(description=_FACTORS)]

    def unordered_ranges(self) -> dict[str, Sequence[float]]:
        """Ranges by name that are not two numbers in ascending order; {} unless `draw` is "range"."""
        ranges = {"scale": self.scale, "rotation": self.rotation, "gamma": self.gamma} if self.draw == "range" else {}
        return {name: values for name, values in ranges.items() if len(values) != 2 or values[0] > values[1]}

    def check(self) -> None:
        """Raise ValueError if a value is invalid, or a range is not two numbers in ascending order."""
        if self.draw not in ("range", "one"):
            raise ValueError(f"draw is {self.draw!r}; it is range or one")
        if not 0 <= self.flip <= 1:
            raise ValueError(f"flip is {self.flip}; it is a probability, from 0 to 1")
        for name, values in (("scale", self.scale), ("gamma", self.gamma)):
            if min(values, default=1) <= 0:
                raise ValueError(f"{name} is {values}; give numbers above 0")
        for name, values in self.unordered_ranges().items():
            raise ValueError(f"{name} is {values}; where draw is range, give two numbers, the lower one first")

    def change(self, rng: np.random.Generator) -> tuple[float, float, float]:
        """Draw one change.

        Args:
            rng: generator of random numbers.

        Returns:
            Scale factor, rotation in degrees, and gamma.
        """
        if self.draw == "range":
            scale = np.exp(rng.uniform(*np.log(self.scale)))
            rotation = rng.uniform(self.rotation[0], self.rotation[1])
            return float(scale), float(rotation), float(np.exp(rng.uniform(*np.log(self.gamma))))
        scales = [(scale, 0.0, 1.0) for scale in self.scale]
        rotations = [(1.0, rotation, 1.0) for rotation in self.rotation]
        gammas = [(1.0, 0.0, gamma) for gamma in self.gamma]
        changes = [(1.0, 0.0, 1.0), *scales, *rotations, *gammas]
        return changes[rng.integers(len(changes))]


# Only the random crop.
NO_AUGMENTATION = Augmentation(flip=0.0, draw="range", scale=(1.0, 1.0), rotation=(0.0, 0.0), gamma=(1.0, 1.0))


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a network is trained.

    Attributes:
        phases: one or two; the second also trains the attribute branch (section 4.1).
        optimizer: "sgd", the paper's, or "adamw".
        momentum: of SGD; AdamW's first beta.
        weight_decay: of all parameters except, in DeepLabv2, the biases above the backbone.
        freeze_batch_norm: keep statistics, scale and shift of every batch norm, as when fine-tuning.
        schedule: "step", a constant learning rate in each phase, as in the paper; or "poly", DeepLab's, which lowers
            the phases' rates by (1 - i / n)^0.9 over all n iterations.
        warmup: iterations over which the learning rate rises, in equal steps from 1 / warmup of it.
        head_lr_multiplier: of the learning rate of the layers above the backbone; in DeepLabv2 their biases get twice
            that.
        combination: of eq. (4) and eq. (7), see `bsn.losses.boundary_sensitive_loss`.
        attribute_weight: of the attribute loss beside the segmentation loss.
    """

    phases: Sequence[Phase]
    optimizer: str
    momentum: float
    weight_decay: float
    freeze_batch_norm: bool
    schedule: str = "step"
    warmup: int = 0
    head_lr_multiplier: float = 1.0
    combination: str = "product"
    attribute_weight: float = 1.0

    def learning_rate(self, iteration: int) -> float:
        """Learning rate of the backbone in one iteration.

        Args:
            iteration: counted from 0 over all phases.

        Raises:
            ValueError: the schedule is neither "step" nor "poly".
        """
        ends = np.cumsum([phase.iterations for phase in self.phases])
        rate = self.phases[int(np.searchsorted(ends, iteration, side="right"))].learning_rate
        rate *= min(1.0, (iteration + 1) / self.warmup) if self.warmup else 1.0
        if self.schedule == "step":
            return rate
        if self.schedule == "poly":
            return rate * float(1 - iteration / ends[-1]) ** POLY_POWER
        raise ValueError(f"schedule is {self.schedule!r}; it is step or poly")
