"""Schema of params.yaml and the profiles. `load()` reads and validates both at the start of every stage.

A field's `description` is the end of the error message for an invalid value: what is allowed.
"""

from collections.abc import Iterator
from dataclasses import fields
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from pydantic import Field, ValidationInfo, field_validator

from bsn.errors import InputError
from bsn.kernels import MAX_WIDTH
from bsn.model_format import BASELINES, RESNETS
from bsn.training.recipe import Augmentation, Count, Fraction, Phase, Positive, Recipe
from study.checking import Section, read_yaml, validated

if TYPE_CHECKING:
    from study.datasets.portraits import PortraitRule

PARAMS_FILE = Path("params.yaml")
PROFILES_FOLDER = Path("profiles")

NotNegative = Annotated[float, Field(ge=0, description="a number, 0 or more")]
ZeroOrMore = Annotated[int, Field(ge=0, le=2**31 - 1, description="a whole number from 0 to 2147483647")]
Size = Annotated[
    list[Annotated[int, Field(ge=16)]],
    Field(min_length=2, max_length=2, description="[height, width] in pixels, each a whole number, 16 or more"),
]
Name = Annotated[
    str, Field(pattern="^[a-z][a-z0-9_]*$", description="small letters, digits and _, with a letter first")
]


class Portraits(Section):
    """The portrait filter (section 4.3)."""

    min_face: Fraction
    min_probability: Fraction
    box_margin: Fraction
    min_on_mask: Fraction

    def rule(self) -> "PortraitRule":
        """Build the rule of the portrait filter."""
        from study.datasets.portraits import PortraitRule

        return PortraitRule(min_face=self.min_face, min_on_mask=self.min_on_mask, box_margin=self.box_margin)


class Kernel(Section):
    """The individual boundary-sensitive kernel, eq. (1)-(3)."""

    width: Annotated[
        float,
        Field(gt=0, le=MAX_WIDTH, description=f"pixels of the 800x600 frame, above 0, at most {MAX_WIDTH}"),
    ]
    reading: Annotated[Literal["distance", "closeness", "sum"], Field(description="distance, closeness or sum")]


class GlobalKernel(Section):
    """The global boundary-sensitive kernel, eq. (6)."""

    a: Positive
    b: Annotated[float, Field(gt=0, description="a number above 0, not below global_kernel.a")]
    reading: Annotated[Literal["text", "printed"], Field(description="text or printed")]
    combination: Annotated[Literal["product", "sum"], Field(description="product or sum")]

    @field_validator("b")
    @classmethod
    def _range_is_ordered(cls, b: float, info: ValidationInfo) -> float:
        if b < info.data.get("a", b):
            raise ValueError("a > b")
        return b


class Hair(Section):
    """The rule for long and short hair (bsn.attributes.hair_rule), in distances between the eyes."""

    min_width: Positive
    # The frame has no rows further up or down.
    above_mouth: Annotated[float, Field(ge=0, le=3.3, description="a number from 0 to 3.3")]
    below_mouth: Annotated[float, Field(ge=0, le=2.7, description="a number from 0 to 2.7")]


class BoundaryIoU(Section):
    """Options of boundary IoU (bsn.metrics.boundary_iou)."""

    frame_is_boundary: Annotated[bool, Field(description="true or false")]


class GraphCut(Section):
    """The Graph-cut baseline of Table 1 (bsn.methods.graph_cut)."""

    # From 3e6 on, the solver's integers overflow.
    smoothness: Annotated[float, Field(ge=0, le=1e5, description="a number from 0 to 100000")]
    contrast: Positive
    height: Annotated[int, Field(ge=50, le=800, description="rows of the solved grid, a whole number from 50 to 800")]


class MethodParams(Section):
    """One trained method, such as the rows of Table 1: its network, labels, loss weight and attribute."""

    network: Annotated[Literal["deeplab", "fcn8s"], Field(description="deeplab or fcn8s")]
    labels: Annotated[Literal["hard", "soft"], Field(description="hard or soft")]
    weight: Annotated[Literal["uniform", "global"], Field(description="uniform or global")]
    attribute: Annotated[str, Field(description="a key of attributes")]

    @property
    def base(self) -> str:
        """Name of its phase one, which methods with the same network, labels and weight share."""
        return f"{self.network}-{self.labels}-{self.weight}"


def base_names() -> list[str]:
    """All names that `MethodParams.base` can have."""
    words = (get_args(MethodParams.model_fields[key].annotation) for key in ("network", "labels", "weight"))
    return ["-".join(name) for name in product(*words)]


class NetworkParams(Section):
    """A network's scale and how it is trained (bsn.training.recipe.Recipe)."""

    size: Size
    crop: Size
    # With fewer channels, oneDNN's 1x1 convolutions of stride 2 write out of bounds (channels last, AVX2).
    base_width: Annotated[int, Field(ge=8, description="channels of the first stage, a whole number, 8 or more")]
    batch: Count
    phases: Annotated[list[Phase], Field(min_length=1, max_length=2, description="one or two phases")]
    schedule: Annotated[Literal["step", "poly"], Field(description="step or poly")]
    warmup: ZeroOrMore
    weight_decay: NotNegative
    optimizer: Annotated[Literal["sgd", "adamw"], Field(description="sgd or adamw")]
    momentum: Annotated[float, Field(ge=0, lt=1, description="a number from 0, below 1")]
    head_lr_multiplier: Positive
    freeze_batch_norm: Annotated[bool, Field(description="true or false")]
    augmentation: Augmentation
    workers: ZeroOrMore
    threads: Count


class DeepLabParams(NetworkParams):
    """DeepLabv2 on a ResNet or a timm model."""

    backbone: Annotated[str, Field(min_length=1, description="resnet18, resnet50, resnet101 or a timm model")]
    layout: Annotated[Literal["torchvision", "caffe"], Field(description="torchvision or caffe")]
    output_stride: Annotated[Literal[4, 8, 16, 32], Field(description="4, 8, 16 or 32")]
    out_index: Annotated[int, Field(description="the index of a timm feature level, a whole number")]
    aspp_rates: Annotated[list[Count], Field(min_length=1, description="a list of whole numbers, 1 or more")]
    scales: Annotated[
        list[Annotated[float, Field(ge=0.1, le=1)]], Field(min_length=1, description="a list of numbers from 0.1 to 1")
    ]
    weights: Annotated[str, Field(min_length=1, description="none, imagenet, coco_voc or a file's path")]
    added_channels: Annotated[Literal["zero", "random"], Field(description="zero or random")]
    attribute_neurons: Count
    attribute_classifiers: Annotated[Literal["one", "each"], Field(description="one or each")]
    attribute_weight: NotNegative

    def architecture(self) -> dict[str, Any]:
        """Options of `bsn.models.build` that starting weights must fit."""
        keys = ("backbone", "base_width", "layout", "output_stride", "out_index")
        return {key: getattr(self, key) for key in keys}


class FCN8sParams(NetworkParams):
    """PortraitFCN+."""

    batch_norm: Annotated[bool, Field(description="true or false")]
    weights: Annotated[str, Field(min_length=1, description="none, imagenet or a file's path")]
    added_channels: Annotated[Literal["zero", "random"], Field(description="zero or random")]

    def architecture(self) -> dict[str, Any]:
        """Options of `bsn.models.build` that starting weights must fit."""
        return {"base_width": self.base_width, "batch_norm": self.batch_norm}


class NetworksParams(Section):
    """The two network families of Table 1."""

    deeplab: DeepLabParams
    fcn8s: FCN8sParams


class DrawnPfcn(Section):
    """Numbers of drawn photos in PFCN's lists."""

    train: Count
    test: Count


class DrawnSet(Section):
    """Numbers of drawn photos that the portrait filter must keep, and must reject."""

    portraits: Count
    others: Count


class Drawn(Section):
    """Numbers of drawn photos per set, and the seed of the drawings."""

    seed: ZeroOrMore
    pfcn: DrawnPfcn
    coco: DrawnSet
    cocostuff: DrawnSet
    voc: DrawnSet


class DownloadParams(Section):
    """What is downloaded if `folder` is null, and where to."""

    folder: Annotated[str, Field(min_length=1, description="a folder's path, relative to the project's or absolute")]
    sets: Annotated[
        list[Literal["pfcn", "coco", "cocostuff", "voc"]],
        Field(min_length=1, description="a list of pfcn, coco, cocostuff, voc"),
    ]
    voc_years: Annotated[list[Literal[2007, 2008, 2012]], Field(min_length=1, description="a list of 2007, 2008, 2012")]


class Data(Section):
    """Source of the four sets: drawn; or a folder with one subfolder per set; or, without a folder, downloads."""

    draw: Drawn | None = None
    folder: Annotated[str | None, Field(description="a folder's path, or null")] = None
    download: DownloadParams | None = None
    coco_year: Annotated[Literal[2014, 2017], Field(description="2014 or 2017")] = 2017


class Params(Section):
    """params.yaml and profiles/<profile>.yaml: all that a run depends on besides code and data."""

    profile: str
    instructions: Annotated[Literal["avx2", "native"], Field(description="avx2 or native")]
    seed: ZeroOrMore
    portraits: Portraits
    kernel: Kernel
    global_kernel: GlobalKernel
    attributes: dict[Name, Annotated[list[Name], Field(description="a list of attributes, such as [hair]")]]
    hair: Hair
    graph_cut: GraphCut
    boundary_iou: BoundaryIoU
    methods: Annotated[dict[Name, MethodParams], Field(min_length=1)]
    data: Data
    validation: Annotated[
        list[ZeroOrMore], Field(description="a list of numbers of PFCN's training photos, or [] for none")
    ]
    networks: NetworksParams

    def network(self, method: MethodParams) -> DeepLabParams | FCN8sParams:
        """The section of the method's network."""
        return getattr(self.networks, method.network)

    def recipe(self, method: MethodParams) -> Recipe:
        """How the method is trained."""
        network = self.network(method)
        # Fields that both have; FCN8s has no attribute_weight.
        shared = {field.name: getattr(network, field.name) for field in fields(Recipe) if hasattr(network, field.name)}
        has_both_kernels = method.labels == "soft" and method.weight == "global"
        return Recipe(**shared, combination=self.global_kernel.combination if has_both_kernels else "product")

    def flat(self) -> dict[str, Any]:
        """Flatten the parameters for MLflow: `{"kernel.width": 10, ...}`."""
        return dict(_flatten(self.model_dump(), ""))


def load(folder: Path = Path()) -> Params:
    """Read and validate the parameters of a project.

    Args:
        folder: with params.yaml and profiles/, by default the current one.

    Raises:
        InputError: one line per invalid value, with its key, the value and what is allowed.
    """
    raw = read_yaml(folder / PARAMS_FILE)
    return check(raw, _read_profile(folder / PROFILES_FOLDER, raw.get("profile")))


def check(raw: dict[str, Any], profile: dict[str, Any]) -> Params:
    """Validate parameters.

    Args:
        raw: content of params.yaml.
        profile: content of the profile.

    Raises:
        InputError: as `load`.
    """
    for key in profile:
        if key in raw:
            raise InputError(f"{key} is in {PARAMS_FILE} and in the profile; keep it in one of them")
    params = validated(Params, {**raw, **profile})
    contradictions = list(_contradictions(params))
    if contradictions:
        raise InputError("\n".join(contradictions))
    return params


def _contradictions(params: Params) -> Iterator[str]:
    """One line per combination of values that are valid alone but contradict each other."""
    data = params.data
    if data.draw is None and data.folder is None and data.download is None:
        yield "data names no photos; allowed: draw, folder or download in it"
    if data.draw is not None and (data.folder is not None or data.download is not None):
        yield "data.draw is refused beside data.folder and data.download; for real photos: profile = lite or paper"
    for key, network in (("deeplab", params.networks.deeplab), ("fcn8s", params.networks.fcn8s)):
        for name, values in network.augmentation.unordered_ranges().items():
            yield (
                f"networks.{key}.augmentation.{name} = {values!r} is refused; allowed where draw is range: "
                "[low, high], two numbers in that order"
            )
    for key, names in params.attributes.items():
        if "id" in names or len(set(names)) < len(names):
            yield f"attributes.{key} = {names!r} is refused; allowed: different names, id not among them"
    hair = params.attributes.get("hair")
    if hair != ["hair"]:
        yield f"attributes.hair = {hair!r} is refused; allowed: ['hair'], which Figure 3 shows"
    for key, method in params.methods.items():
        if key in BASELINES:
            yield f"methods.{key} is refused; allowed: another name, because that is a baseline's"
        refused = f"methods.{key}.attribute = {method.attribute!r} is refused"
        if method.attribute not in params.attributes:
            yield f"{refused}; allowed: {', '.join(params.attributes)} (the keys of attributes)"
        elif params.attributes[method.attribute] and method.network == "fcn8s":
            yield f"{refused}; allowed: one that is [], since fcn8s has no attribute branch"
        elif params.attributes[method.attribute] and len(params.networks.deeplab.phases) < 2:
            yield f"{refused}; allowed: one that is [], or two phases in networks.deeplab, to train the branch"
    yield from _unusable_weights(params.networks)


def _unusable_weights(networks: NetworksParams) -> Iterator[str]:
    """One line per network whose starting weights do not fit it."""
    deeplab, fcn8s = networks.deeplab, networks.fcn8s
    is_resnet, has_bottlenecks = deeplab.backbone in RESNETS, RESNETS.get(deeplab.backbone, 0) >= 50
    if deeplab.layout == "caffe" and not has_bottlenecks:
        yield "networks.deeplab.layout = 'caffe' is refused; allowed: torchvision, or backbone resnet50 or resnet101"
    for key, network in (("deeplab", deeplab), ("fcn8s", fcn8s)):
        refused = f"networks.{key}.weights = {network.weights!r} is refused"
        published = network.weights in ("imagenet", "coco_voc")
        if key == "fcn8s" and network.weights == "coco_voc":
            yield f"{refused}; allowed: none, imagenet or a file's path, since coco_voc is a ResNet"
        elif published and network.base_width != 64 and (key == "fcn8s" or is_resnet):
            yield f"{refused}; allowed: none or a file's path, or a base_width of 64, which those weights have"
        elif key == "fcn8s" and network.freeze_batch_norm and not fcn8s.batch_norm:
            yield "networks.fcn8s.freeze_batch_norm = True is refused; allowed: false, since batch_norm is false"
        elif network.weights == "none" and network.freeze_batch_norm:
            refused = f"networks.{key}.freeze_batch_norm = True is refused"
            yield f"{refused}; allowed: false, since random weights have no statistics to keep"
    refused = f"networks.deeplab.weights = {deeplab.weights!r} is refused"
    if deeplab.weights == "coco_voc" and not has_bottlenecks:
        yield f"{refused}; allowed: none, imagenet or a file's path, or backbone resnet50 or resnet101"
    elif deeplab.weights in ("imagenet", "coco_voc") and deeplab.layout == "caffe":
        yield f"{refused}; allowed: none or a file's path, or layout torchvision, which those weights have"


def _read_profile(profiles: Path, name: Any) -> dict[str, Any]:
    known = sorted(file.stem for file in profiles.glob("*.yaml"))
    if name not in known:
        raise InputError(f"profile = {name!r} is refused; allowed: {', '.join(known)} (a file of {PROFILES_FOLDER}/)")
    return read_yaml(profiles / f"{name}.yaml")


def _flatten(value: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if _is_list_of_sections(value) else None
    if items is None:
        # 10 and 10.0 are the same setting, and must look the same where runs are compared.
        yield prefix, int(value) if isinstance(value, float) and value.is_integer() else value
        return
    for key, inner in items:
        yield from _flatten(inner, f"{prefix}.{key}" if prefix else str(key))


def _is_list_of_sections(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(item, dict) for item in value)
