"""The MLflow model of one method: MLflow runs this file, from the copy of it that the model holds.

In: a column `photo` of bytes: a JPEG, PNG or whatever else Pillow reads, of any size. Out: a column `mask` of bytes:
for each photo a grey PNG of its size, 0 and 255 = portrait. A photo's EXIF rotation is applied: the mask is that of the
upright photo. In JSON bytes are base64. A photo that can't be read refuses the request, with one line that counts it.

Nothing here is pickled, and `bsn` is the model's own copy: the model goes on when the project has moved. It needs the
packages of `bsn.serving.package.PACKAGES`.
"""

import json
import tempfile
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pandas as pd
import torch
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext
from PIL import Image, ImageOps

from bsn.alignment import alignment
from bsn.data.landmarks import MIN_FACE
from bsn.data.photos import read_photo
from bsn.errors import InputError
from bsn.faces import FaceDetector
from bsn.inputs import network_input, prior_channels, working_photo
from bsn.models.output import upsample
from bsn.serving import CELLS, INPUT

MIN_PROBABILITY = 0.9  # of a face, as in params.yaml
_ORIENTATION = 0x0112  # EXIF's number of the tag


class PortraitModel(PythonModel):
    """A photo's portrait mask, as `bsn.prediction.Segmenter` makes it; of several faces the largest is the one."""

    def load_context(self, context: PythonModelContext) -> None:
        """Artifacts: `network`, the file of `export_onnx`, and `mean_mask`, (800, 600) float32 .npy, aligned."""
        self.session = onnxruntime.InferenceSession(context.artifacts["network"], providers=["CPUExecutionProvider"])
        told = self.session.get_modelmeta().custom_metadata_map
        self.size, self.corners = tuple(json.loads(told["size"])), json.loads(told["corners"])
        self.mean_mask = np.load(context.artifacts["mean_mask"], allow_pickle=False)
        self.detector = FaceDetector(min_face_fraction=MIN_FACE, min_probability=MIN_PROBABILITY)

    def predict(self, context: PythonModelContext, model_input: pd.DataFrame, params: None = None) -> pd.DataFrame:
        """A frame with `photo` (bytes) to a frame with `mask` (bytes)."""
        try:
            masks = [self._png(f"photo {row}", content) for row, content in enumerate(model_input["photo"], start=1)]
        except InputError as error:
            raise MlflowException.invalid_parameter_value(str(error)) from None
        return pd.DataFrame({"mask": masks}, index=model_input.index)

    def _png(self, name: str, content: bytes) -> bytes:
        return cv2.imencode(".png", self._mask(_upright_photo(name, content)) * 255)[1].tobytes()

    def _mask(self, photo: np.ndarray) -> np.ndarray:
        """(H, W, 3) uint8 RGB -> (H, W) uint8 {0, 1}."""
        faces = self.detector.detect(photo)
        small = working_photo(photo, alignment(faces[0].points) if faces else None, self.size)
        prior = prior_channels(small.to_frame, self.mean_mask, small.image.shape[:2])
        image = torch.from_numpy(small.image.transpose(2, 0, 1)[None])
        channels = network_input(image, torch.from_numpy(prior[None])).numpy()
        (cells,) = self.session.run([CELLS], {INPUT: channels})
        score = upsample(torch.from_numpy(cells)[:, None], photo.shape[:2], corners=self.corners)
        return (score[0, 0] > 0).numpy().astype(np.uint8)


def _upright_photo(name: str, content: bytes) -> np.ndarray:
    """(H, W, 3) uint8 RGB, as viewers show it. Raises InputError, with `name`, as `read_photo` does."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / name
        file.write_bytes(content)
        image = Image.fromarray(read_photo(file))
        with Image.open(file) as stored:
            image.getexif()[_ORIENTATION] = stored.getexif().get(_ORIENTATION, 1)
    return np.asarray(ImageOps.exif_transpose(image))


set_model(PortraitModel())
