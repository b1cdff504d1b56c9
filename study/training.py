"""From the data folders and the parameters of one method to the inputs of its training."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from bsn.errors import InputError
from bsn.inputs import working_photo
from bsn.photos import read_palette, read_photo
from bsn.training.samples import Augmentation, PatchSampler, TrainingPhoto, working_labels
from bsn.workers import threaded_map
from study.datasets.index import PhotoRow, read_faces, read_index
from study.params import DeepLab, FCN8s, Method, Params
from study.runner import checkout

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from bsn.training.loop import CurvePoint, Recipe

KERNEL_FILE = "kernel.json"


def attribute_classes(file: Path) -> dict[str, dict[str, int]]:
    """Class by photo id, for each attribute in `data/attributes/<name>.csv` in the order of its columns.

    The columns are `id` and, for each attribute, its name and `<name>.source`, where the value came from. Classes are
    numbered by the names of the values. A photo whose value is empty is not in there.
    """
    known = {name: values.dropna() for name, values in _attribute_columns(file).items()}
    return {
        name: dict(zip(values.index, pd.factorize(values, sort=True)[0].tolist(), strict=True))
        for name, values in known.items()
    }


def attribute_values(file: Path) -> dict[str, list[str]]:
    """The values of each attribute in `data/attributes/<name>.csv`, in the order of `attribute_classes`' numbers."""
    return {name: sorted(values.dropna().unique()) for name, values in _attribute_columns(file).items()}


def training_photos(
    portraits: Path,
    faces: Path,
    labels: Path,
    *,
    size: tuple[int, int],
    reading: str,
    attributes: Mapping[str, Mapping[str, int]] | None = None,
    threads: int = 2,
) -> list[TrainingPhoto]:
    """Read every kept training photo.

    Args:
        portraits: `data/portraits/pfcn`.
        faces: its faces CSV.
        labels: a folder of `<id>.png` label codes, and `kernel.json` with the width of the band they were made for.
        size: (h, w) of the working copy.
        reading: of eq. (1), "distance", "closeness" or "sum".
        attributes: the class of each photo id, by attribute; -1 stands in the photo for a class that is not known.
        threads: that read.

    Raises:
        InputError: no photo is there, or none that has a class of some attribute.
    """
    attributes = attributes or {}
    rows = [row for row in read_index(portraits / "index.csv") if row.kept and row.split == "train"]
    if not rows:
        raise InputError(f"{portraits} has no training photos; every network is trained on PFCN")
    for name, classes in attributes.items():
        if not any(row.id in classes for row in rows):
            raise InputError(
                f"no training photo has a value of the attribute {name}: there is nothing to learn it from"
            )
    affines = {name: face.affine for name, face in read_faces(faces).items()}
    kernel = json.loads((labels / KERNEL_FILE).read_text("utf-8"))

    def read(row: PhotoRow) -> TrainingPhoto:
        photo = working_photo(read_photo(portraits / row.image), affines[row.id], size)
        codes = read_palette(labels / f"{row.id}.png")
        soft = working_labels(codes, photo.image.shape[:2], width=kernel["width"], reading=reading)
        classes = np.array([attribute.get(row.id, -1) for attribute in attributes.values()], np.int64)
        return TrainingPhoto(id=row.id, photo=photo, labels=soft, attributes=classes)

    photos = threaded_map(read, rows, threads=threads)
    return list(tqdm(photos, total=len(rows), desc="training photos", unit=" photos"))


def _attribute_columns(file: Path) -> dict[str, pd.Series]:
    """Values by photo id, for each attribute."""
    # A value may be the word "None" or "NA".
    table = pd.read_csv(file, dtype=str, keep_default_na=False, na_values=[""]).set_index("id")
    return {name: table[name] for name in table.columns if not name.endswith(".source")}


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
        kernel=np.load(DATA / "loss_weights" / f"{method.weight}.npy") if kernel is None else kernel,
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
