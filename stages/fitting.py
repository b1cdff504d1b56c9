"""From the words of params.yaml to a trained network: what the stages that train have in common."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bsn.training.samples import Augmentation, PatchSampler
from bsn.training.training_set import attribute_classes, training_photos
from stages.checkout import checkout
from stages.params import DeepLab, FCN8s, Method, Params

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from bsn.training.loop import CurvePoint, Recipe

DATA = Path("data")


def fit_method(
    params: Params,
    method: Method,
    folder: Path,
    *,
    fabric: "Fabric",
    base: Path | None = None,
    kernel: np.ndarray | None = None,
    on_point: Callable[["CurvePoint"], None] = lambda point: None,
) -> None:
    """Train a method of params.yaml and write its model folder.

    Args:
        params: all parameters.
        method: what is trained.
        folder: of the model.
        fabric: of `bsn.training.launch`.
        base: the folder that `fit_phase_one` wrote for this method; without it both phases are trained.
        kernel: (800, 600) float32, in place of the global kernel that the method names.
        on_point: called with each point of the curves.
    """
    from bsn.training.fitting import fit

    attributes = attribute_classes(DATA / "attributes" / f"{method.attribute}.csv")
    options = _training(params, method, attributes=attributes, kernel=kernel)
    fit(folder, base=base, fabric=fabric, on_point=on_point, **options)


def fit_phase_one(
    params: Params, method: Method, folder: Path, *, fabric: "Fabric", kernel: np.ndarray | None = None
) -> None:
    """Train phase one of a method, in which its attribute has no part. Arguments as in `fit_method`."""
    from bsn.training.fitting import fit_base

    fit_base(folder, fabric=fabric, **_training(params, method, attributes={}, kernel=kernel))


def _training(
    params: Params,
    method: Method,
    *,
    attributes: Mapping[str, Mapping[str, int]],
    kernel: np.ndarray | None = None,
) -> dict[str, Any]:
    """The arguments of `bsn.training.fitting.fit` that follow from the parameters."""
    from safetensors.torch import load_file

    network: DeepLab | FCN8s = getattr(params.networks, method.network)
    photos = training_photos(
        DATA / "portraits/pfcn",
        DATA / "faces/pfcn.csv",
        DATA / "labels" / method.labels,
        size=tuple(network.size),
        attributes=attributes,
        reading=params.kernel.reading,
    )
    sampler = PatchSampler(
        photos,
        crop=tuple(network.crop),
        batch=network.batch,
        seed=params.seed,
        augmentation=Augmentation(**network.augmentation.model_dump()),
        aligned_mean_mask=np.load(DATA / "mean_mask/aligned.npy"),
        kernel=np.load(DATA / "weights" / f"{method.weight}.npy") if kernel is None else kernel,
    )
    return {
        "sampler": sampler,
        "description": {
            "network": method.network,
            "options": _options(method, network, attributes=len(attributes)),
            "size": network.size,
            "attributes": list(attributes),
        },
        "start": load_file(DATA / "pretrained" / f"{method.network}.safetensors"),
        "recipe": _recipe(network, combination=params.global_kernel.combination),
        "seed": params.seed,
        "checkpoints": checkout() / "checkpoints",
        "workers": network.workers,
    }


def _options(method: Method, network: DeepLab | FCN8s, *, attributes: int) -> dict[str, Any]:
    """What `bsn.models.build` needs to build the method's network again."""
    options = {"classes": 3 if method.labels == "soft" else 2, **network.architecture()}
    if not isinstance(network, DeepLab):
        return options
    branch = {"attribute_neurons": network.attribute_neurons, "attribute_classifiers": network.attribute_classifiers}
    return {
        **options,
        "aspp_rates": network.aspp_rates,
        "scales": network.scales,
        "attributes": attributes,
        **(branch if attributes else {}),
    }


def _recipe(network: DeepLab | FCN8s, *, combination: str) -> "Recipe":
    from bsn.training.loop import Phase, Recipe

    return Recipe(
        phases=[Phase(**phase.model_dump()) for phase in network.phases],
        optimizer=network.optimizer,
        momentum=network.momentum,
        weight_decay=network.weight_decay,
        freeze_batch_norm=network.freeze_batch_norm,
        schedule=network.schedule,
        warmup=network.warmup,
        head_lr_multiplier=network.head_lr_multiplier,
        combination=combination,
        attribute_weight=getattr(network, "attribute_weight", 1.0),
    )
