"""What a picture shows, in words and numbers: poses, people, camera, background. Sampled first, painted afterwards.

Head coordinates: origin between the eyes, one unit = the distance between the eyes, x to the image's right,
y down, z towards the viewer.
"""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from drawn.canvas import CLOTHS, EYES, HAIRS, SKINS, WALLS, Colour, jitter, mix, pick, tone

HEAD_WIDTH, HEAD_HEIGHT, HEAD_DEPTH, HEAD_CENTRE = 1.32, 2.05, 1.15, 0.12


def surface(points: np.ndarray) -> np.ndarray:
    """Depth z of the head's ellipsoid at points (..., 2); 0 at and outside its outline."""
    x, y = points[..., 0] / HEAD_WIDTH, (points[..., 1] - HEAD_CENTRE) / HEAD_HEIGHT
    return HEAD_DEPTH * np.sqrt(np.maximum(1 - x * x - y * y, 0))


ORIGIN_DEPTH = float(surface(np.zeros(2)))


@dataclass(frozen=True)
class Pose:
    """Position of a head (pixel between the eyes), its scale (pixels per head unit) and angles (radians)."""

    x: float
    y: float
    unit: float
    roll: float = 0.0
    yaw: float = 0.0
    pitch: float = 0.0
    lean: float = 0.0  # of the body
    turn: float = 0.0  # of the shoulders, -1..1: the sign is that of the nearer side

    def flat(self, points: np.ndarray, z: np.ndarray | float | None = None) -> np.ndarray:
        """Head coordinates (..., 2) after yaw and pitch, before roll, scale and shift; z None: on the surface."""
        points = np.asarray(points, float)
        z = surface(points) if z is None else z
        out = points * (np.cos(self.yaw), np.cos(self.pitch))
        depth = np.broadcast_to(z, points.shape[:-1]) - ORIGIN_DEPTH
        out[..., 0] += depth * np.sin(self.yaw)
        out[..., 1] += depth * np.sin(self.pitch)
        return out

    def place(self, flat: np.ndarray) -> np.ndarray:
        """Pixels (..., 2) of turned head coordinates, the result of `flat`."""
        return flat @ _turn(self.roll, self.unit) + (self.x, self.y)

    def head(self, points: np.ndarray, z: np.ndarray | float | None = None) -> np.ndarray:
        """Pixels (..., 2) of head coordinates."""
        return self.place(self.flat(points, z))

    def hang(self, points: np.ndarray, depth: float = 1.0) -> np.ndarray:
        """Pixels of hair: it turns with the head, and below the chin it hangs straight down."""
        points = np.asarray(points, float)
        pixels = self.head(points, surface(points) * depth)
        loose = np.clip((points[..., 1:] - 0.9) / 2.0, 0, 1)
        return pixels + loose * 0.75 * (self.body(points) - pixels)

    def body(self, points: np.ndarray) -> np.ndarray:
        """Pixels of body coordinates: like head coordinates, fixed at the neck, with the body's own lean and turn."""
        points = np.asarray(points, float)
        neck = self.head(np.array([0.0, 1.1]), -0.1)
        away = points - (0.0, 1.1)
        away[..., 0] *= 1 + 0.13 * self.turn * np.sign(away[..., 0])
        return away @ _turn(self.lean, self.unit) + neck


def _turn(angle: float, scale: float) -> np.ndarray:
    """Matrix (2, 2) that rotates and scales row vectors."""
    cos, sin = np.cos(angle) * scale, np.sin(angle) * scale
    return np.array([[cos, sin], [-sin, cos]])


Hair = Literal["long", "short"]

# Long: past the chin, where hair changes the outline of a portrait. A bun is therefore short.
LONG_STYLES = ("straight", "straight", "waves", "waves", "curls", "behind", "fringe", "braid", "tail")
SHORT_STYLES = ("parted", "parted", "quiff", "quiff", "spikes", "crop", "buzz", "bowl", "afro", "curly", "bun",
                "buns", "bob", "bald", "fringe_of_hair")  # fmt: skip
CLOTHES = ("tee", "tee", "vneck", "shirt", "shirt", "rollneck", "hoodie", "jacket", "straps", "scarf")
PATTERNS = ("plain", "plain", "plain", "stripes", "bars", "plaid", "dots", "knit", "flowers")
BACKDROPS = ("gradient", "gradient", "room", "room", "window", "foliage", "foliage", "bokeh", "street", "stripes",
             "clutter", "sea", "bricks")  # fmt: skip


@dataclass
class Look:
    """Appearance of one person."""

    skin: Colour
    hair_colour: Colour
    style: str
    volume: float
    length: float  # y of the tips of long hair, head units
    parting: float  # x of the parting
    wave: float
    frizz: float  # 0..1: how many strands stick out
    bangs: bool
    jaw: float  # width of the jaw, 1 = average
    chin: float
    smile: float  # -0.2..1
    mouth_open: float
    eye_colour: Colour
    brow: float
    lips: Colour
    age: float  # 0..1
    beard: str
    glasses: str
    hat: str
    earrings: str
    freckles: bool
    clothes: str
    pattern: str
    cloth: Colour
    cloth2: Colour
    build: float  # width of the shoulders, 1 = average

    @property
    def hair(self) -> Hair:
        return "long" if self.style in LONG_STYLES else "short"


@dataclass
class Person:
    """A look in a pose; `back`: seen from behind; `standing`: the whole figure is visible."""

    look: Look
    pose: Pose
    back: bool = False
    standing: bool = False


@dataclass
class Camera:
    """Exposure (stops), warmth, saturation, contrast, blur (pixels), grain (grey levels), vignette (0..1)."""

    exposure: float = 0.0
    warmth: float = 0.0
    saturation: float = 1.0
    contrast: float = 1.0
    blur: float = 0.0
    grain: float = 3.0
    vignette: float = 0.2


@dataclass
class Scene:
    """One picture. `seed` starts the painter's generator (strands, leaves, grain)."""

    kind: str
    width: int
    height: int
    people: list[Person]
    backdrop: str
    wall: Colour
    wall2: Colour
    focus: float  # blur of the backdrop as a fraction of the height
    light: tuple[float, float]  # direction the light comes from, x and y in -1..1
    bystanders: int
    camera: Camera
    seed: int
    poster: Person | None = None
    poster_box: tuple[int, int, int, int] = (0, 0, 0, 0)  # x0, y0, x1, y1 pixels
    crowd: bool = False
    things: list[str] = field(default_factory=list)


def draw_look(rng: np.random.Generator) -> Look:
    """Sample a person."""
    complexion = int(rng.integers(len(SKINS)))
    skin = mix(SKINS[complexion], SKINS[min(complexion + 1, len(SKINS) - 1)], float(rng.random()))
    age = float(rng.beta(1.4, 2.2))
    names = list(HAIRS)
    weights = np.array([14, 14, 16, 12, 7, 7, 9, 10, 4, 3, 2, 1.5, 1.5])
    if complexion >= 5:
        weights *= [2.5, 2, 0.8, 0.3, 0.2, 0, 0, 0.1, 0.1, 0.6, 0.5, 0.4, 0.4]
    weights[9:11] *= 1 + 9 * max(0.0, age - 0.45)
    hair_colour = jitter(rng, HAIRS[str(rng.choice(names, p=weights / weights.sum()))], 9)
    style = str(pick(rng, LONG_STYLES if rng.random() < 0.52 else SHORT_STYLES))
    if complexion >= 6 and rng.random() < 0.35:
        style = str(pick(rng, ("afro", "curly", "curls", "buns", "buzz")))
    feminine = 0.9 if style in LONG_STYLES or style in ("bun", "buns", "bob") else 0.25
    woman = rng.random() < feminine
    beard = "none"
    if not woman and age > 0.12:
        beard = str(rng.choice(["none", "stubble", "full", "goatee", "moustache"], p=[0.42, 0.2, 0.22, 0.1, 0.06]))
    glasses = str(rng.choice(["none", "round", "square", "thin", "sun"], p=[0.74, 0.09, 0.09, 0.06, 0.02]))
    hats = ["none", "beanie", "cap", "straw", "band", "headphones", "flower", "beret"]
    hat = str(rng.choice(hats, p=[0.73, 0.06, 0.045, 0.045, 0.04, 0.03, 0.025, 0.025]))
    if style in ("afro", "curly", "bun", "buns", "spikes") and hat not in ("none", "band", "flower"):
        hat = "none"
    if hat == "flower" and not woman:
        hat = "none"
    earrings = str(rng.choice(["none", "stud", "hoop", "drop"], p=[0.35, 0.15, 0.25, 0.25])) if woman else "none"
    cloth = jitter(rng, pick(rng, CLOTHS), 8)
    cloth2 = jitter(rng, pick(rng, CLOTHS), 8)
    if abs(sum(cloth) - sum(cloth2)) < 90:
        cloth2 = tone(cloth, 1.45 if sum(cloth) < 380 else 0.62)
    lips = mix(skin, (176, 62, 70) if woman else (150, 72, 64), rng.uniform(0.45, 0.75) if woman else 0.38)
    return Look(
        skin=skin, hair_colour=hair_colour, style=style, volume=float(rng.uniform(0.08, 0.3)),
        length=float(rng.uniform(2.5, 4.6)), parting=float(rng.choice([-1, 1]) * rng.uniform(0.0, 0.5)),
        wave=float(rng.uniform(0, 1)), frizz=float(rng.beta(1.6, 1.6)), bangs=bool(rng.random() < 0.3),
        jaw=float(rng.normal(0.97 if woman else 1.04, 0.035)), chin=float(rng.normal(0, 0.05)),
        smile=float(np.clip(rng.normal(0.45, 0.35), -0.15, 1)),
        mouth_open=float(max(0.0, rng.normal(-0.25, 0.5))),
        eye_colour=jitter(rng, pick(rng, EYES if complexion < 5 else EYES[:2]), 8),
        brow=float(rng.uniform(0.8, 1.1) if woman else rng.uniform(1.1, 1.5)), lips=lips, age=age, beard=beard,
        glasses=glasses, hat=hat, earrings=earrings, freckles=bool(complexion < 4 and rng.random() < 0.2),
        clothes=str(pick(rng, CLOTHES)) if woman else str(pick(rng, tuple(c for c in CLOTHES if c != "straps"))),
        pattern=str(pick(rng, PATTERNS)), cloth=cloth, cloth2=cloth2,
        build=float(rng.normal(0.94 if woman else 1.06, 0.05)),
    )  # fmt: skip


def draw_camera(rng: np.random.Generator) -> Camera:
    """Sample a camera; about one picture in twelve is black and white."""
    return Camera(
        exposure=float(rng.normal(0.0, 0.16)),
        warmth=float(rng.normal(0.015, 0.03)),
        saturation=0.0 if rng.random() < 0.08 else float(rng.uniform(0.88, 1.15)),
        contrast=float(rng.uniform(0.95, 1.15)),
        blur=float(rng.choice([0, 0, 0.5, 0.8, 1.2])),
        grain=float(rng.uniform(0.5, 3.0)),
        vignette=float(rng.uniform(0, 0.35)),
    )


def draw_setting(rng: np.random.Generator, kind: str, width: int, height: int, people: list[Person]) -> Scene:
    """Sample the surroundings of `people`; 42 % get a wall close to the colour of their hair, clothes or skin."""
    wall, wall2 = jitter(rng, pick(rng, WALLS), 10), jitter(rng, pick(rng, WALLS), 10)
    if people and rng.random() < 0.42:
        look = people[0].look
        near = (look.hair_colour, look.cloth, look.skin)[int(rng.choice(3, p=[0.5, 0.35, 0.15]))]
        wall = jitter(rng, tone(near, rng.uniform(0.85, 1.12)), 8)
    camera = draw_camera(rng)
    if people:  # expose for the face
        camera.exposure += 0.6 * float(np.clip(0.62 - sum(people[0].look.skin) / 765, 0, 0.4))
    focus = float(rng.choice([0, 0.002, 0.006, 0.012, 0.02], p=[0.22, 0.2, 0.22, 0.2, 0.16]))
    return Scene(
        kind=kind, width=width, height=height, people=people, backdrop=str(pick(rng, BACKDROPS)), wall=wall,
        wall2=wall2, focus=focus, light=(float(rng.choice([-1, 1]) * rng.uniform(0.25, 0.9)),
        float(rng.uniform(-0.7, 0.1))), bystanders=int(rng.choice([0, 1, 2, 3], p=[0.72, 0.14, 0.09, 0.05])),
        camera=camera, seed=int(rng.integers(2**63)),
    )  # fmt: skip


def draw_pose(rng: np.random.Generator, x: float, y: float, unit: float, *, turned: float = 1.0) -> Pose:
    """Sample the angles of a head at x, y (pixels between the eyes); `turned` scales them."""
    return Pose(
        x=x, y=y, unit=unit, roll=float(rng.normal(0, 0.1 * turned)),
        yaw=float(np.clip(rng.normal(0, 0.2 * turned), -0.36, 0.36)),
        pitch=float(np.clip(rng.normal(0, 0.08), -0.16, 0.16)), lean=float(rng.normal(0, 0.05)),
        turn=float(np.clip(rng.normal(0, 0.45), -1, 1)),
    )  # fmt: skip
