"""From the words of params.yaml to a trained network: what the stages that train have in common."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bsn.training.samples import Augmentation, PatchSampler
from bsn.training.training_set import attribute_classes, training_photos
from stages.checkout import checkout
from stages.params import DeepLab, FCN8s, Method, Network, Params

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
    kernel: np.ndarray | None = None,
    reading: str | None = None,
    on_point: Callable[["CurvePoint"], None] = lambda point: None,
) -> None:
    """Train a method of params.yaml and write its model folder.

    kernel: (800, 600) float32, in place of the global kernel that the method names; reading: of eq. (1), in place of
    the one that its labels were made for.
    """
    from safetensors.torch import load_file

    from bsn.training.fitting import fit

    network: DeepLab | FCN8s = getattr(params.networks, method.network)
    attributes = attribute_classes(DATA / "attributes" / f"{method.attribute}.csv")
    photos = training_photos(
        DATA / "portraits/pfcn",
        DATA / "faces/pfcn.csv",
        DATA / "labels" / method.labels,
        size=tuple(network.size),
        attributes=attributes,
        reading=reading,
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
    fit(
        folder,
        sampler,
        description={
            "network": method.network,
            "options": _options(method, network, attributes=len(attributes)),
            "size": network.size,
            "attributes": list(attributes),
        },
        start=load_file(DATA / "pretrained" / f"{method.network}.safetensors"),
        recipe=_recipe(method, network),
        seed=params.seed,
        fabric=fabric,
        checkpoints=checkout() / "checkpoints",
        workers=network.workers,
        on_point=on_point,
    )


def _options(method: Method, network: DeepLab | FCN8s, *, attributes: int) -> dict[str, Any]:
    """What `bsn.models.build` needs to build the method's network again."""
    options = {"classes": 3 if method.labels == "soft" else 2, **network.architecture()}
    if isinstance(network, DeepLab):
        return {**options, "scales": network.scales, "attributes": attributes}
    return options


def _recipe(method: Method, network: Network) -> "Recipe":
    from bsn.training.loop import Phase, Recipe

    return Recipe(
        phases=[Phase(**phase.model_dump()) for phase in network.phases],
        optimizer=network.optimizer,
        momentum=network.momentum,
        weight_decay=network.weight_decay,
        freeze_batch_norm=network.freeze_batch_norm,
        new_layers=network.new_layers,
        combination=method.combination,
    )
