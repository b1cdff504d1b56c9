"""The MLflow model of one method: MLflow runs this file, from the copy of it that the model holds.

In: a column `photo` of bytes, files of any format and size that Pillow reads. Out: a column `mask` of bytes, for each
photo, upright by its EXIF rotation, a grey PNG of its size, 0 or 255 = portrait. In JSON, bytes are base64. If a photo
fails, the request is refused (400) with one sentence. The model holds its own copy of `bsn` and nothing pickled.
"""

from threading import BoundedSemaphore

import cv2
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from bsn.errors import InputError, brief
from bsn.photos import decode_upright


class Refusal(MlflowException):
    """A request that is answered with 400 and one sentence.

    MLflow's server would write the request's own data before it, by setting `message`.
    """

    @property
    def message(self) -> str:
        return self._sentence

    @message.setter
    def message(self, text: str) -> None:
        self._sentence = getattr(self, "_sentence", text)


class PortraitModel(PythonModel):
    """Portrait masks by `bsn.Portrait`, aligned by the largest face of each photo."""

    def load_context(self, context: PythonModelContext) -> None:
        """Artifacts: `method`, a trained folder of models/, and `mean_mask`, (800, 600) float32 .npy, aligned."""
        # Late: MLflow runs this file when it saves a model too, which needs none of it.
        from bsn.cutout.cutout import Portrait

        self.portrait = Portrait.load(context.artifacts["method"], mean_mask=context.artifacts["mean_mask"])
        # MLflow's server answers each request in a thread of its own.
        self._slots = BoundedSemaphore(self.portrait.threads)

    def predict(self, context: PythonModelContext, model_input: pd.DataFrame, params: None = None) -> pd.DataFrame:
        """A frame with `photo` (bytes) to a frame with `mask` (bytes). Raises Refusal for a photo that fails."""
        masks = [self._png(f"photo {row}", content) for row, content in enumerate(model_input["photo"], start=1)]
        return pd.DataFrame({"mask": masks}, index=model_input.index)

    def _png(self, name: str, content: bytes) -> bytes:
        try:
            photo = decode_upright(content, name).pixels
            with self._slots:
                mask = self.portrait.segment(photo)
        except InputError as error:
            raise Refusal.invalid_parameter_value(str(error)) from None
        # Whatever a decoder, the detector or the network raises for this photo.
        except Exception as error:
            raise Refusal.invalid_parameter_value(f"{name} could not be segmented ({brief(error)})") from None
        return cv2.imencode(".png", mask * 255)[1].tobytes()


set_model(PortraitModel())
