"""The head: outline, ears, shaded skin, eyes, brows, nose, mouth, and the 49 points of a face tracker."""

import cv2
import numpy as np

from drawn.canvas import Canvas, curve, mix, oval, tone
from drawn.scene import HEAD_CENTRE, HEAD_HEIGHT, HEAD_WIDTH, Look, Pose, surface

TEXELS = 26  # texture pixels per head unit
TEXTURE = (-2.0, -2.4, 2.0, 2.8)  # x0, y0, x1, y1 of the texture in turned head coordinates

# Strength of the shading. MTCNN needs contrast: it finds 98 of 100 faces at 1.3, 94 at 0.7.
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
    """The 49 points of a face with its smile and open mouth, head coordinates (49, 2)."""
    points = POINTS_49.copy()
    mouth = slice(31, 49)
    points[mouth, 0] *= 1 + 0.12 * look.smile
    points[mouth, 1] -= 0.11 * look.smile * (np.abs(points[mouth, 0]) / 0.43) ** 2
    points[[38, 39, 40, 41, 42, 46, 47, 48], 1] += 0.16 * look.mouth_open
    points[mouth, 1] += 0.02 * look.smile
    # Drawn eyes are a little larger than photographed ones.
    for eye in (slice(19, 25), slice(25, 31)):
        points[eye, 1] = points[eye, 1] * 1.22
    return points


def project(pose: Pose, points: np.ndarray) -> np.ndarray:
    """Pixels of points on the face, whose nose stands out by a quarter of a unit."""
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
    """Both ears, painted before the face, which covers the far one of a turned head."""
    for side in (-1, 1):
        shape = curve(EAR, 30, closed=True)
        inner = curve(EAR_FOLD, 16)
        canvas.fill(pose.head(shape * (side, 1), -0.15), tone(look.skin, 0.9))
        canvas.strokes(pose.head(inner * (side, 1), -0.15)[None], tone(look.skin, 0.66), 0.035 * pose.unit)


def _blob(x: np.ndarray, y: np.ndarray, at: np.ndarray, rx: float, ry: float) -> np.ndarray:
    """Separable Gaussian bump on the texture's grid."""
    return np.exp(-(((y - at[1]) / ry) ** 2))[:, None] * np.exp(-(((x - at[0]) / rx) ** 2))[None, :]


def skin_texture(pose: Pose, look: Look, light: tuple[float, float]) -> np.ndarray:
    """Shaded skin of the face in turned head coordinates: uint8 RGBA."""
    x = np.arange(TEXTURE[0], TEXTURE[2], 1 / TEXELS, dtype=np.float32)
    y = np.arange(TEXTURE[1], TEXTURE[3], 1 / TEXELS, dtype=np.float32)
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
    # Highlights carry the form of dark skin, shadows that of fair skin.
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
    """Fill the outline of the face, then paste the shaded texture into it."""
    points, z = outline(look)
    pixels = pose.head(points, z)
    canvas.fill(pixels, look.skin)
    box = canvas.window(pixels)
    cover = canvas.alpha(pixels, box=box)
    if cover.size:
        canvas.paste(warp(flesh, pose, box), cover, box)


def warp(texture: np.ndarray, pose: Pose, box: tuple[slice, slice]) -> np.ndarray:
    """Map a texture in turned head coordinates to a window of the canvas."""
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
        canvas.glaze(project(pose, oval(spot[0], spot[1], size, size, 8)), colour=tone(look.skin, 0.6), opacity=0.55)


def paint_features(canvas: Canvas, pose: Pose, look: Look, rng: np.random.Generator) -> None:
    """Eyes, brows, nose, mouth and lines of age, on the skin."""
    points = face_points(look)
    _nose(canvas, pose, look)
    for eye in (points[19:25], points[25:31]):
        _eye(canvas, pose, look, eye)
    _mouth(canvas, pose, look, points)
    if look.age > 0.45:
        _lines(canvas, pose, look)
    for brow in (points[0:5], points[5:10]):
        _brow(canvas, pose, look, brow, rng)


def _eye(canvas: Canvas, pose: Pose, look: Look, eye: np.ndarray) -> None:
    u = pose.unit
    rim = curve(eye, 30, closed=True)
    pixels = project(pose, rim)
    box = canvas.window(pixels)
    cover = canvas.alpha(pixels, box=box)
    if not cover.size:
        return
    centre = eye.mean(0) + np.array([0.0, -0.012])
    inside = Canvas(np.full((*cover.shape, 3), mix((244, 240, 234), look.skin, 0.08), np.uint8))
    corner = (box[1].start, box[0].start)

    def put(points: np.ndarray) -> np.ndarray:
        return project(pose, points) - corner

    radius = 0.122
    inside.fill(put(oval(centre[0], centre[1], radius, radius)), tone(look.eye_colour, 0.55))
    inside.fill(put(oval(centre[0], centre[1], radius * 0.82, radius * 0.82)), look.eye_colour)
    inside.fill(put(oval(centre[0], centre[1] + 0.03, radius * 0.55, radius * 0.45)), tone(look.eye_colour, 1.25))
    inside.fill(put(oval(centre[0], centre[1], radius * 0.45, radius * 0.45)), (16, 12, 14))
    lid = np.vstack([rim[:16] + np.array([0, -0.03]), rim[:16][::-1] + np.array([0, 0.045])])
    inside.px[..., 3] = 255
    inside.glaze(put(lid), colour=(40, 26, 30), opacity=0.4, sigma=0.02 * u)
    inside.fill(put(oval(centre[0] + 0.04, centre[1] - 0.045, 0.026, 0.026, 10)), (255, 255, 252))
    canvas.paste(inside.px, cover, box)
    dark = mix(tone(look.hair_colour, 0.4), (34, 22, 24), 0.7)
    upper, lower = curve(eye[:4], 16), curve(eye[[3, 4, 5, 0]], 14)
    outward = np.sign(eye[:, 0].mean())
    lash = np.array([upper[0], upper[0]]) if outward < 0 else np.array([upper[-1], upper[-1]])
    lash[1] += (outward * 0.07, -0.045)
    canvas.strokes(project(pose, lower)[None], tone(look.skin, 0.58), 0.014 * u)
    canvas.strokes(project(pose, upper + np.array([0, -0.006]))[None], dark, 0.042 * u)
    canvas.strokes(project(pose, lash)[None], dark, 0.026 * u)
    crease = upper + np.stack([np.zeros(16), -0.035 - 0.05 * np.sin(np.linspace(0.2, np.pi, 16))], -1)
    canvas.strokes(project(pose, crease)[None], tone(look.skin, 0.66), 0.016 * u)


def _brow(canvas: Canvas, pose: Pose, look: Look, brow: np.ndarray, rng: np.random.Generator) -> None:
    colour = mix(tone(look.hair_colour, 0.62), tone(look.skin, 0.4), 0.25)
    line = curve(brow, 26)
    taper = np.linspace(0.55, 1.0, 26) if brow[:, 0].mean() > 0 else np.linspace(1.0, 0.55, 26)
    taper = taper[::-1] * 0.062 * look.brow
    shape = np.vstack([line - np.stack([0 * taper, taper * 0.75], -1), (line + np.stack([0 * taper, taper], -1))[::-1]])
    canvas.glaze(project(pose, shape), colour=colour, opacity=0.78, sigma=0.012 * pose.unit)
    at = rng.integers(0, 26, 34)
    root = line[at] + np.stack([np.zeros(34), rng.uniform(-0.6, 0.9, 34) * taper[at]], -1)
    away = np.sign(brow[:, 0].mean())
    tip = root + np.stack([away * rng.uniform(0.04, 0.1, 34), rng.uniform(-0.06, 0.02, 34)], -1)
    canvas.strokes(project(pose, np.stack([root, tip], 1)), tone(colour, 0.85), 0.009 * pose.unit)


def _nose(canvas: Canvas, pose: Pose, look: Look) -> None:
    u, dark = pose.unit, tone(look.skin, 0.45)
    for side in (-1, 1):
        wing = curve(np.array([(0.19, 0.5), (0.27, 0.6), (0.25, 0.72), (0.17, 0.745)]) * (side, 1), 12)
        canvas.strokes(project(pose, wing)[None], tone(look.skin, 0.68), 0.018 * u)
        canvas.glaze(
            project(pose, oval(side * 0.115, 0.725, 0.062, 0.032, 14)), colour=dark, opacity=0.85, sigma=0.008 * u
        )
    base = curve(np.array([(-0.2, 0.735), (-0.1, 0.765), (0, 0.785), (0.1, 0.765), (0.2, 0.735)]), 16)
    canvas.strokes(project(pose, base)[None], tone(look.skin, 0.7), 0.012 * u)
    canvas.glaze(project(pose, oval(0.02, 0.56, 0.05, 0.045, 14)), colour=(255, 250, 240), opacity=0.42, sigma=0.03 * u)


def _mouth(canvas: Canvas, pose: Pose, look: Look, points: np.ndarray) -> None:
    u = pose.unit
    outer = curve(points[31:43], 48, closed=True)
    upper_edge, lower_edge = points[[43, 44, 45]], points[[48, 47, 46]]
    left, right = points[31] + (0.04, 0.0), points[37] - (0.04, 0.0)
    upper = curve(np.vstack([left, upper_edge, right]), 20)
    lower = curve(np.vstack([left, lower_edge, right]), 20)
    canvas.glaze(project(pose, outer), colour=look.lips, opacity=0.92, sigma=0.012 * u)
    top = np.vstack([curve(points[31:38], 24), upper[::-1]])
    canvas.glaze(project(pose, top), colour=tone(look.lips, 0.72), opacity=0.55, sigma=0.015 * u)
    shine = oval(0.05, float(points[40, 1]) - 0.075, 0.12, 0.026, 16)
    canvas.glaze(project(pose, shine), colour=(255, 240, 236), opacity=0.3, sigma=0.018 * u)
    if look.mouth_open > 0.12:
        hole = np.vstack([upper, lower[::-1]])
        pixels = project(pose, hole)
        canvas.fill(pixels, (70, 24, 30))
        box = canvas.window(pixels)
        cover = canvas.alpha(pixels, box=box)
        if cover.size:
            inside = Canvas(np.full((*cover.shape, 3), (78, 26, 32), np.uint8))
            teeth = np.vstack([upper + np.array([0, -0.05]), (upper + np.array([0, 0.09]))[::-1]])
            inside.fill(project(pose, teeth) - (box[1].start, box[0].start), (246, 242, 234))
            inside.px[..., 3] = 255
            canvas.paste(inside.px, cover, box)
        canvas.strokes(project(pose, upper)[None], tone(look.lips, 0.45), 0.014 * u)
    else:
        middle = (upper + lower) / 2
        canvas.strokes(project(pose, middle)[None], tone(look.lips, 0.38), 0.024 * u)
    for corner, side in ((points[31], -1), (points[37], 1)):
        dimple = curve(np.array([corner + np.array([-0.01 * side, 0.012]), corner + np.array([0.03 * side, -0.01])]), 6)
        canvas.strokes(project(pose, dimple)[None], tone(look.skin, 0.55), 0.018 * u)


def _lines(canvas: Canvas, pose: Pose, look: Look) -> None:
    """Wrinkles from nose to mouth, beside the eyes, across the forehead."""
    u, opacity = pose.unit, min(0.75, look.age)
    folds = [curve(np.array([(s * 0.3, 0.66), (s * 0.46, 0.82), (s * 0.54, 1.02)]), 10) for s in (-1, 1)]
    folds += [
        curve(np.array([(s * 0.8, 0.02 + k), (s * 0.95, -0.02 + 2.4 * k)]), 6) for s in (-1, 1) for k in (-0.02, 0.06)
    ]
    if look.age > 0.6:
        folds += [curve(np.array([(-0.5, y), (0, y - 0.04), (0.5, y)]), 14) for y in (-0.62, -0.76)]
    for fold in folds:
        ribbon = np.vstack([fold, fold[::-1] + np.array([0, 0.028])])
        canvas.glaze(project(pose, ribbon), colour=tone(look.skin, 0.45), opacity=0.6 * opacity, sigma=0.012 * u)
