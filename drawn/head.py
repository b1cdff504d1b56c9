"""The head's form: outline, ears, skin and its shading, and the 49 points of a face tracker."""

import cv2
import numpy as np

from drawn.canvas import Canvas, curve, oval
from drawn.palette import mix, tone
from drawn.pose import HEAD_CENTRE, HEAD_HEIGHT, HEAD_WIDTH, Pose, surface
from drawn.scene import Look

TEXELS = 26  # texture pixels per head unit
TEXTURE = (-2.0, -2.4, 2.0, 2.8)  # its box in turned head coordinates

# How deeply light models the face. MTCNN needs relief: 1.3 finds 98 of 100 faces, .7 finds 94.
RELIEF = 1.3

EAR = np.array([(1.08, -0.28), (1.28, -0.34), (1.39, -0.1), (1.33, 0.22), (1.22, 0.52), (1.08, 0.46)])
EAR_FOLD = np.array([(1.17, -0.16), (1.28, -0.2), (1.31, -0.02), (1.25, 0.2), (1.2, 0.3)])

# IntraFace's 49 points as the PFCN release stores them: medians over its photos, eye distance 1, roll removed.
POINTS_49 = np.array([
    (-.89, -.25), (-.76, -.35), (-.59, -.37), (-.42, -.355), (-.26, -.30), (.25, -.30), (.42, -.355), (.59, -.37),
    (.76, -.35), (.89, -.25), (0, -.02), (0, .18), (0, .38), (0, .58), (-.22, .70), (-.12, .74), (0, .76),
    (.11, .74), (.22, .70), (-.70, .005), (-.57, -.08), (-.42, -.075), (-.30, .025), (-.43, .065), (-.575, .065),
    (.30, .025), (.42, -.075), (.57, -.08), (.70, .005), (.575, .065), (.43, .065), (-.43, 1.02), (-.30, .97),
    (-.15, .94), (0, .96), (.15, .94), (.30, .97), (.43, 1.02), (.317, 1.14), (.177, 1.225), (0, 1.254),
    (-.177, 1.225), (-.317, 1.14), (-.19, 1.03), (0, 1.046), (.19, 1.03), (.19, 1.085), (0, 1.115), (-.19, 1.085),
])  # fmt: skip


def face_points(look: Look) -> np.ndarray:
    """The 49 points (49, 2) of a face in head coordinates, with its smile and its open mouth."""
    points = POINTS_49.copy()
    mouth = slice(31, 49)
    points[mouth, 0] *= 1 + 0.12 * look.smile
    points[mouth, 1] -= 0.11 * look.smile * (np.abs(points[mouth, 0]) / 0.43) ** 2
    points[[38, 39, 40, 41, 42, 46, 47, 48], 1] += 0.16 * look.mouth_open
    points[mouth, 1] += 0.02 * look.smile
    # Drawn eyes are a little larger than photographed ones, as in any drawn portrait.
    for eye in (slice(19, 25), slice(25, 31)):
        points[eye, 1] = points[eye, 1] * 1.22
    return points


def project(pose: Pose, points: np.ndarray) -> np.ndarray:
    """Pixels of points on the face; the nose stands out by a quarter of a unit."""
    nose = 0.27 * np.exp(-((points[..., 0] / 0.2) ** 2) - ((points[..., 1] - 0.58) / 0.3) ** 2)
    return pose.head(points, surface(points) + nose)


def outline(look: Look) -> tuple[np.ndarray, np.ndarray]:
    """Outline of skull and jaw (n, 2) in head coordinates, and its depth z (n,)."""
    j, c = look.jaw, look.chin
    half = np.array([
        (0.0, -1.6), (0.55, -1.5), (0.97, -1.12), (1.15, -0.55), (1.17, 0.0), (1.12 * j, 0.48), (1.0 * j, 0.98),
        (0.76 * j, 1.43 + 0.6 * c), (0.4 * j, 1.74 + c), (0.0, 1.82 + c),
    ])  # fmt: skip
    left = half[1:-1][::-1] * (-1, 1)
    points = curve(np.vstack([half, left]), 96, closed=True)
    return points, 0.75 * np.clip((points[:, 1] - 0.3) / 1.5, 0, 1) ** 1.3


def paint_ears(canvas: Canvas, pose: Pose, look: Look) -> None:
    """Both ears, behind the face; the far one hides by itself when the head turns."""
    for side in (-1, 1):
        shape = curve(EAR, 30, closed=True)
        inner = curve(EAR_FOLD, 16)
        canvas.fill(pose.head(shape * (side, 1), -0.15), tone(look.skin, 0.9))
        canvas.strokes(pose.head(inner * (side, 1), -0.15)[None], tone(look.skin, 0.66), 0.035 * pose.unit)


def _blob(x: np.ndarray, y: np.ndarray, at: np.ndarray, rx: float, ry: float) -> np.ndarray:
    """Separable Gaussian bump on the texture's grid."""
    return np.exp(-(((y - at[1]) / ry) ** 2))[:, None] * np.exp(-(((x - at[0]) / rx) ** 2))[None, :]


def skin_texture(pose: Pose, look: Look, light: tuple[float, float]) -> np.ndarray:
    """uint8 RGBA texture of the face in turned head coordinates: round form, sockets, cheeks, nose, chin."""
    x = np.arange(TEXTURE[0], TEXTURE[2], 1 / TEXELS, np.float32)
    y = np.arange(TEXTURE[1], TEXTURE[3], 1 / TEXELS, np.float32)
    middle = pose.flat(np.zeros(2), 0.0)
    nx = ((x - middle[0]) / HEAD_WIDTH)[None, :] * 0.93
    ny = ((y - middle[1] - HEAD_CENTRE) / HEAD_HEIGHT)[:, None] * 0.93
    nz = np.sqrt(np.clip(1 - nx**2 - ny**2, 0.02, 1))
    lx, ly, lz = light[0], light[1], 0.9
    norm = float(np.sqrt(lx**2 + ly**2 + lz**2))
    shade = 0.48 + 0.60 * (nx * lx + ny * ly + nz * lz) / norm
    away = -float(np.sign(lx))
    bumps = [  # x, y, rx, ry, amount
        (-0.5, -0.1, 0.36, 0.22, -0.16), (0.5, -0.1, 0.36, 0.22, -0.16), (-0.24, -0.02, 0.12, 0.24, -0.13),
        (0.24, -0.02, 0.12, 0.24, -0.13), (0.0, 0.30, 0.09, 0.42, 0.14), (0.0, 0.60, 0.12, 0.1, 0.14),
        (0.17 * away, 0.42, 0.1, 0.34, -0.15), (0.0, 0.83, 0.2, 0.08, -0.17), (0.0, 1.36, 0.26, 0.08, -0.18),
        (0.0, 1.56, 0.22, 0.14, 0.08), (-0.72, 0.45, 0.26, 0.2, 0.07), (0.72, 0.45, 0.26, 0.2, 0.07),
        (0.0, -0.75, 0.6, 0.3, 0.06), (0.95 * away, 0.6, 0.3, 0.7, -0.10), (0.0, 1.95, 0.9, 0.2, -0.16),
    ]  # fmt: skip
    # Dark skin shows its form by what shines on it, fair skin by its shadows.
    gain = 1.8 if sum(look.skin) < 380 else 1.0
    for bx, by, rx, ry, amount in bumps:
        at = pose.flat(np.array([bx, by]))
        shade = shade + RELIEF * (amount * gain if amount > 0 else amount) * _blob(x, y, at, rx, ry)
    blush = sum(_blob(x, y, pose.flat(np.array([s * 0.74, 0.52])), 0.32, 0.26) for s in (-1, 1))
    blush = blush + 0.7 * _blob(x, y, pose.flat(np.array([0.0, 0.62])), 0.16, 0.12)
    base = np.asarray(look.skin, np.float32)
    dark = base * (0.52, 0.40, 0.40) + (6, 2, 10)
    pale = np.asarray(mix(look.skin, (255, 240, 218), 0.6), np.float32)
    s = shade[..., None].astype(np.float32)
    colour = dark + (base - dark) * np.clip(s, 0, 1) + (pale - base) * np.clip(s - 1, 0, 1) * 1.8
    colour += (0.20 * blush[..., None]).astype(np.float32) * (base * (0.96, 0.66, 0.66) - colour)
    return np.dstack([np.clip(colour, 0, 255), np.full(shade.shape, 255)]).astype(np.uint8)


def paint_skin(canvas: Canvas, pose: Pose, look: Look, flesh: np.ndarray) -> None:
    """The face: outline filled, then the shaded texture through the outline."""
    points, z = outline(look)
    pixels = pose.head(points, z)
    canvas.fill(pixels, look.skin)
    box = canvas.window(pixels)
    cover = canvas.alpha(pixels, box=box)
    if cover.size:
        canvas.paste(warp(flesh, pose, box), cover, box)


def warp(texture: np.ndarray, pose: Pose, box: tuple[slice, slice]) -> np.ndarray:
    """Texture in turned head coordinates brought to a window of the canvas."""
    rows, cols = box
    corners = np.array([(0, 0), (texture.shape[1], 0), (0, texture.shape[0])], np.float32)
    target = pose.place(corners / TEXELS + TEXTURE[:2]) - (cols.start, rows.start)
    matrix = cv2.getAffineTransform(corners, target.astype(np.float32))
    size = (cols.stop - cols.start, rows.stop - rows.start)
    return cv2.warpAffine(texture, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def paint_freckles(canvas: Canvas, pose: Pose, look: Look, rng: np.random.Generator) -> None:
    """Freckles over nose and cheeks."""
    spots = np.stack([rng.normal(0, 0.5, 60), rng.normal(0.42, 0.14, 60)], -1)
    for spot, size in zip(spots[np.abs(spots[:, 0]) < 0.95], rng.uniform(0.01, 0.022, 60), strict=False):
        canvas.glaze(project(pose, oval(*spot, size, size, 8)), colour=tone(look.skin, 0.6), opacity=0.55)
