"""An MLflow model out of a model folder: a folder that holds all that it needs, and no pickle."""

import warnings
from importlib.metadata import version
from pathlib import Path

import mlflow.pyfunc
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, DataType, Schema

import bsn
from bsn.errors import InputError

# What the model's code imports, for an environment of its own, at the versions of this one.
PACKAGES = (
    "facenet-pytorch",
    "mlflow",
    "numpy",
    "opencv-python",
    "pandas",
    "pillow",
    "safetensors",
    "scipy",
    "timm",
    "torch",
    "torchvision",
)
SIGNATURE = ModelSignature(
    inputs=Schema([ColSpec(DataType.binary, "photo")]), outputs=Schema([ColSpec(DataType.binary, "mask")])
)


def save_model(path: Path, folder: Path, *, aligned_mean_mask: Path, run: str | None = None) -> None:
    """Write the method of `models/<method>` as an MLflow model (study/tracking/served.py) into the new folder `path`.

    aligned_mean_mask: a .npy file, (800, 600) float32, of the training set. run: id of the MLflow run that trained it.
    Raises InputError for a baseline, which has no network.
    """
    if not (folder / "weights.safetensors").exists():
        raise InputError(f"{folder} holds no weights.safetensors; a model is made of a trained method")
    with warnings.catch_warnings():
        # The signature stands in place of the example that MLflow misses, and a real face would be somebody's.
        warnings.filterwarnings("ignore", message="(?s).*input example")
        code = Path(bsn.__file__).parent
        mlflow.pyfunc.save_model(
            path=path,
            mlflow_model=Model(run_id=run),
            python_model=str(Path(__file__).with_name("served.py")),
            # As URIs: of a plain path MLflow takes what follows # or ? for something else.
            artifacts={"method": folder.resolve().as_uri(), "mean_mask": aligned_mean_mask.resolve().as_uri()},
            code_paths=[str(code)],
            signature=SIGNATURE,
            pip_requirements=[f"{package}=={version(package)}" for package in PACKAGES],
        )
