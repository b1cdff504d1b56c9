"""Package a trained method as an MLflow model, with its code and without pickle."""

import warnings
from importlib.metadata import version
from pathlib import Path

import mlflow.pyfunc
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, DataType, Schema

import bsn
from bsn.errors import InputError
from bsn.model_format import WEIGHTS

# What the model's code imports, for an environment of its own, at the versions of this one.
REQUIREMENTS = (
    "facenet-pytorch",
    "mlflow",
    "numpy",
    "onnxruntime",
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


def package_model(path: Path, folder: Path, *, aligned_mean_mask: Path, run: str | None = None) -> None:
    """Write a trained method as an MLflow model, which study/tracking/served.py runs.

    Args:
        path: new folder for the MLflow model.
        folder: `models/<method>`.
        aligned_mean_mask: .npy file, (800, 600) float32, of the training set.
        run: id of the MLflow run that trained the method.

    Raises:
        InputError: the method is a baseline, which has no network.
    """
    if not (folder / WEIGHTS).exists():
        raise InputError(f"{folder} holds no {WEIGHTS}; a model is made of a trained method")
    with warnings.catch_warnings():
        # MLflow asks for an input example; the signature is enough, and an example would be a photo of somebody.
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
            pip_requirements=[f"{package}=={version(package)}" for package in REQUIREMENTS],
        )
