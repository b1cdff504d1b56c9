"""From params.yaml and data/ to what `bsn.training.loop.train` takes: sampler, model and its description."""

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import torch
from safetensors.torch import load_file
from tqdm import tqdm

from bsn.errors import InputError
from bsn.inputs import working_photo
from bsn.kernels import KERNEL_FILE
from bsn.model_format import ModelDescription
from bsn.models import build
from bsn.models.layers import Network
from bsn.models.weights import fill
from bsn.photos import read_palette, read_photo
from bsn.training.patches import PatchSampler, TrainingPhoto, working_labels
from bsn.workers import threaded_map
from study.datasets.index import PhotoRow, read_faces, read_index
from study.params import DeepLabParams, MethodParams, Params
from study.runner import checkout

DATA = Path("data")
READ_THREADS = 2


def attribute_classes(file: Path) -> dict[str, dict[str, int]]:
    """Class of each photo by its id, for each attribute of `data/attributes/<name>.csv` in the order of its columns.

    Classes are numbered in the order of `attribute_values`. Photos without a value are left out.

    Args:
        file: with the columns `id` and, for each attribute, its name and `<name>.source`.
    """
    known = {name: values.dropna() for name, values in _attribute_columns(file).items()}
    return {
        name: dict(zip(values.index, pd.factorize(values, sort=True)[0].tolist(), strict=True))
        for name, values in known.items()
    }


def attribute_values(file: Path) -> dict[str, list[str]]:
    """Values of each attribute of `data/attributes/<name>.csv`, sorted: their places are the classes' numbers."""
    return {name: sorted(values.dropna().unique()) for name, values in _attribute_columns(file).items()}


def training_photos(
    portraits: Path,
    faces: Path,
    labels: Path,
    *,
    size: tuple[int, int],
    reading: str,
    attributes: Mapping[str, Mapping[str, int]] | None = None,
) -> list[TrainingPhoto]:
    """Read every kept training photo into memory.

    Args:
        portraits: `data/portraits/pfcn`.
        faces: its faces CSV.
        labels: a folder of `<id>.png` label codes, and `kernel.json` with the width of the band they were made for.
        size: (h, w) of the working copy.
        reading: of eq. (1), "distance", "closeness" or "sum".
        attributes: class of each photo by its id, for each attribute; -1 is put for a missing one.

    Raises:
        InputError: there is no photo, or none that has a class of some attribute.
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

    photos = threaded_map(read, rows, threads=READ_THREADS)
    return list(tqdm(photos, total=len(rows), desc="training photos", unit=" photos"))


def patch_sampler(
    params: Params,
    method: MethodParams,
    attributes: Mapping[str, Mapping[str, int]],
    *,
    kernel: np.ndarray | None = None,
) -> PatchSampler:
    """Read a method's training photos and make the sampler of its patches.

    Args:
        params: all parameters.
        method: that is trained.
        attributes: of `attribute_classes`; {} for phase one, in which attributes have no part.
        kernel: (800, 600) float32, in place of the loss weights that the method names.

    Raises:
        InputError: as `training_photos`.
    """
    network = params.network(method)
    photos = training_photos(
        DATA / "portraits/pfcn",
        DATA / "faces/pfcn.csv",
        DATA / "labels" / method.labels,
        size=(network.size[0], network.size[1]),
        reading=params.kernel.reading,
        attributes=attributes,
    )
    return PatchSampler(
        photos,
        crop=(network.crop[0], network.crop[1]),
        batch=network.batch,
        seed=params.seed,
        augmentation=network.augmentation,
        aligned_mean_mask=np.load(DATA / "mean_mask/aligned.npy"),
        kernel=np.load(DATA / "loss_weights" / f"{method.weight}.npy") if kernel is None else kernel,
    )


def model_description(params: Params, method: MethodParams, attributes: Collection[str]) -> ModelDescription:
    """Describe a method's network. attributes: names of those that its branch classifies; none for no branch."""
    network = params.network(method)
    options = {"classes": 3 if method.labels == "soft" else 2, **network.architecture()}
    if isinstance(network, DeepLabParams):
        options |= {"aspp_rates": network.aspp_rates, "scales": network.scales, "attributes": len(attributes)}
        if attributes:
            options["attribute_neurons"] = network.attribute_neurons
            options["attribute_classifiers"] = network.attribute_classifiers
    return ModelDescription(
        network=method.network,
        options=options,
        size=(network.size[0], network.size[1]),
        attributes=tuple(attributes),
    )


def starting_model(description: ModelDescription, *, seed: int) -> Network:
    """Build a network with its starting weights in data/pretrained; the others are drawn.

    Args:
        description: of the network.
        seed: of the weights that are drawn.
    """
    torch.manual_seed(seed)
    model = build(description.network, **description.options)
    fill(model, load_file(DATA / "pretrained" / f"{description.network}.safetensors"))
    # Faster for the depthwise and 1x1 convolutions of small networks, on a CPU, too.
    return cast(Any, model).to(memory_format=torch.channels_last)


def checkpoints_folder() -> Path:
    """Folder of all runs' checkpoints: in the user's own checkout, also when DVC works in a temporary copy of it."""
    return checkout() / "checkpoints"


def _attribute_columns(file: Path) -> dict[str, pd.Series]:
    """Values by photo id, for each attribute."""
    # A value may be the word "None" or "NA".
    table = pd.read_csv(file, dtype=str, keep_default_na=False, na_values=[""]).set_index("id")
    return {str(name): values for name, values in table.items() if not str(name).endswith(".source")}
