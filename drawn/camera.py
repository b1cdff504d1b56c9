"""What a camera does to a picture: blur, exposure, colour, vignette, grain."""

from statistics import NormalDist

import cv2
import numpy as np

from drawn.canvas import soften
from drawn.scene import Camera

JPEG_QUALITY = 88
LUMINANCE = (0.299, 0.587, 0.114)
NORMAL = np.array([NormalDist().inv_cdf((k + 0.5) / 256) for k in range(256)])


def photograph(rgb: np.ndarray, camera: Camera, rng: np.random.Generator) -> np.ndarray:
    """uint8 RGB in, uint8 RGB out."""
    height, width = rgb.shape[:2]
    out = soften(rgb, camera.blur)
    if camera.saturation != 1:
        grey = np.tile(np.float32(LUMINANCE), (3, 1))
        out = cv2.transform(out, np.eye(3, dtype=np.float32) * camera.saturation + grey * (1 - camera.saturation))
    level = np.arange(256) / 255
    level = np.clip(0.5 + (level - 0.5) * camera.contrast, 0, 1) ** (2 ** (-camera.exposure))
    warm = camera.warmth if camera.saturation else 0.0
    table = np.stack([level * (1 + warm), level, level * (1 - warm)], -1)
    out = cv2.LUT(out, np.clip(table * 255, 0, 255).astype(np.uint8)[None])
    y, x = np.linspace(-1, 1, 24)[:, None], np.linspace(-1, 1, 18)[None]
    falloff = (128 * (1 - 0.5 * camera.vignette * np.clip(x**2 + y**2 - 0.5, 0, 2))).astype(np.uint8)
    falloff = cv2.resize(falloff, (width, height), interpolation=cv2.INTER_CUBIC)
    out = cv2.multiply(out, cv2.cvtColor(falloff, cv2.COLOR_GRAY2RGB), scale=1 / 128)
    # A byte a pixel, sent through the normal quantiles: several times cheaper than drawing normal numbers.
    table = np.rint(128 + camera.grain * NORMAL).astype(np.uint8)
    noise = cv2.LUT(np.frombuffer(rng.bytes(height * width), np.uint8).reshape(height, width), table)
    return cv2.addWeighted(out, 1, cv2.cvtColor(noise, cv2.COLOR_GRAY2RGB), 1, -128)


def encode_jpeg(rgb: np.ndarray) -> bytes:
    """JPEG bytes of an RGB picture."""
    ok, data = cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not ok:
        raise RuntimeError("OpenCV could not encode a JPEG")
    return data.tobytes()
