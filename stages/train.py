"""Train one method of params.yaml -> models/<method>/: weights, the description that builds them, curves."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bsn.checkpoints import file_fingerprint, fingerprint
from bsn.data.samples import Augmentation, PatchSampler
from bsn.data.training_set import attribute_classes, training_photos
from bsn.errors import InputError
from stages.params import DeepLab, FCN8s, Method, Network, Params, load
from stages.runner import run_stage
from stages.tracking import track

if TYPE_CHECKING:
    from bsn.tracking import Run
    from bsn.training import CurvePoint

DATA, OUT, CHECKPOINTS = Path("data"), Path("models"), Path("checkpoints")
CURVES = ("loss", "loss_segmentation", "loss_attribute", "lr")


def train(name: str) -> None:
    import torch
    from lightning_fabric import Fabric
    from safetensors.torch import load_file, save_file

    from bsn import training
    from bsn.models import build
    from bsn.models.weights import fill
    from bsn.tracking import WEIGHTS_TAG

    params = load()
    if name not in params.methods:
        raise InputError(f"method = {name!r} is refused; allowed: {', '.join(params.methods)}")
    method = params.methods[name]
    network: DeepLab | FCN8s = getattr(params.networks, method.network)
    attributes = attribute_classes(DATA / "attributes" / f"{method.attribute}.csv")
    sampler = _sampler(params, method, network, attributes)
    options = _options(method, network, attributes=len(attributes))
    description = {"network": method.network, "options": options, "size": network.size}

    gpu = torch.cuda.is_available()
    fabric = Fabric(accelerator="auto", precision="bf16-mixed" if gpu else "32-true")
    fabric.launch()
    torch.manual_seed(params.seed)
    model = build(method.network, **options)
    pretrained = DATA / "pretrained" / f"{method.network}.safetensors"
    fill(model, load_file(pretrained))
    recipe = training.Recipe(
        phases=[training.Phase(**phase.model_dump()) for phase in network.phases],
        optimizer=network.optimizer,
        momentum=network.momentum,
        weight_decay=network.weight_decay,
        freeze_batch_norm=network.freeze_batch_norm,
        new_layers=network.new_layers,
        combination=method.combination,
        workers=network.workers,
    )
    settings = {"recipe": asdict(recipe), "pretrained": file_fingerprint(pretrained), **description}
    state = CHECKPOINTS / fingerprint({**settings, **sampler.settings()}, sampler.arrays())
    with track(params, name) as run:
        curves = training.train(
            model, sampler, recipe=recipe, fabric=fabric, checkpoint=state, on_point=lambda point: _log(run, point)
        )
        folder = OUT / name
        folder.mkdir(parents=True, exist_ok=True)
        weights = {key: value.contiguous() for key, value in model.cpu().state_dict().items()}
        save_file(weights, folder / "weights.safetensors")
        (folder / "model.json").write_text(json.dumps(description, indent=1) + "\n")
        pd.DataFrame([asdict(point) for point in curves]).to_csv(folder / "curves.csv", index=False)
        run.tag(WEIGHTS_TAG, file_fingerprint(folder / "weights.safetensors"))


def _sampler(params: Params, method: Method, network: Network, attributes: dict[str, dict[str, int]]) -> PatchSampler:
    size = tuple(network.size)
    return PatchSampler(
        training_photos(
            DATA / "portraits/pfcn",
            DATA / "faces/pfcn.csv",
            DATA / "labels" / method.labels,
            size=size,
            attributes=attributes,
        ),
        crop=tuple(network.crop),
        batch=network.batch,
        seed=params.seed,
        augmentation=Augmentation(**network.augmentation.model_dump()),
        aligned_mean_mask=np.load(DATA / "mean_mask/aligned.npy"),
        kernel=np.load(DATA / "weights" / f"{method.weight}.npy"),
    )


def _options(method: Method, network: DeepLab | FCN8s, *, attributes: int) -> dict[str, Any]:
    """What `bsn.models.build` needs to build the method's network again."""
    options = {"classes": 3 if method.labels == "soft" else 2, **network.architecture()}
    if isinstance(network, DeepLab):
        return {**options, "scales": network.scales, "attributes": attributes}
    return options


def _log(run: "Run", point: "CurvePoint") -> None:
    values = asdict(point)
    run.point({f"train/{key}": values[key] for key in CURVES}, step=point.iteration)


if __name__ == "__main__":
    run_stage(train)
