import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from dvc.utils.hydra import apply_overrides
from dvc.utils.serialize import parse_yaml

from bsn.errors import InputError
from study import params

ROOT = Path(__file__).parents[2]
PROFILES = sorted(file.stem for file in (ROOT / "profiles").glob("*.yaml"))


def read(name):
    return params.read_yaml(ROOT / name)


def changed(raw, key, value):
    """A copy of nested dicts with `a.b.c` set."""
    head, _, rest = key.partition(".")
    return {**raw, head: changed(raw.get(head, {}), rest, value) if rest else value}


BSN = {"network": "deeplab", "labels": "soft", "weight": "global", "attribute": "hair"}


def refusal(key, value):
    raw, profile = read("params.yaml"), read("profiles/sketch.yaml")
    if key.split(".")[0] in profile:
        profile = changed(profile, key, value)
    else:
        raw = changed(raw, key, value)
    with pytest.raises(InputError) as caught:
        params.check(raw, profile)
    return str(caught.value)


@pytest.mark.parametrize("profile", PROFILES)
def test_every_committed_profile_is_valid(profile):
    assert params.check(read("params.yaml"), read(f"profiles/{profile}.yaml")).kernel.width == 10


def test_the_papers_values_are_the_defaults():
    raw = read("params.yaml")
    assert raw["kernel"]["width"] == 10
    assert (raw["global_kernel"]["a"], raw["global_kernel"]["b"]) == (0.9, 1.0)
    assert raw["portraits"]["min_face"] == 0.1
    paper = read("profiles/paper.yaml")["networks"]["deeplab"]
    assert (paper["backbone"], paper["crop"], paper["scales"]) == ("resnet101", [400, 400], [0.5, 0.75, 1.0])
    assert [phase["learning_rate"] for phase in paper["phases"]] == [2.5e-4, 2.5e-5]
    assert [phase["iterations"] for phase in paper["phases"]] == [20000, 20000]


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("kernel.width", 0, "kernel.width = 0 is refused; allowed: pixels of the 800x600 frame, above 0, at most 36"),
        ("kernel.width", "ten", "kernel.width = 'ten' is refused; allowed: pixels of the 800x600 frame"),
        ("kernel.width", "10", "kernel.width = '10' is refused; allowed: pixels of the 800x600 frame"),
        ("kernel.reading", "nearness", "kernel.reading = 'nearness' is refused; allowed: distance, closeness or sum"),
        ("global_kernel.reading", "x", "global_kernel.reading = 'x' is refused; allowed: text or printed"),
        (
            "global_kernel.b",
            0.5,
            "global_kernel.b = 0.5 is refused; allowed: a number above 0, not below global_kernel.a",
        ),
        ("portraits.min_face", 1.5, "portraits.min_face = 1.5 is refused; allowed: a fraction from 0 to 1"),
        ("seed", -1, "seed = -1 is refused; allowed: a whole number from 0 to 2147483647"),
        ("methods.bsn@x", BSN, "methods: the name 'bsn@x' is refused; allowed: small letters, digits and _,"),
        ("methods.graph_cut", BSN, "methods.graph_cut is refused; allowed: another name, because that is a baseline's"),
        ("methods.bsn.network", "unet", "methods.bsn.network = 'unet' is refused; allowed: deeplab or fcn8s"),
        ("methods.bsn.labels", "fuzzy", "methods.bsn.labels = 'fuzzy' is refused; allowed: hard or soft"),
        (
            "networks.deeplab.output_stride",
            12,
            "networks.deeplab.output_stride = 12 is refused; allowed: 4, 8, 16 or 32",
        ),
        ("networks.deeplab.crop", [96], "networks.deeplab.crop = [96] is refused; allowed: [height, width] in pixels"),
        ("networks.deeplab.augmentation.flip", 2, "augmentation.flip = 2 is refused; allowed: a fraction from 0 to 1"),
        ("boundary_iou.frame_is_boundary", "yes", "frame_is_boundary = 'yes' is refused; allowed: true or false"),
        (
            "graph_cut.smoothness",
            3e6,
            "graph_cut.smoothness = 3000000.0 is refused; allowed: a number from 0 to 100000",
        ),
        ("networks.deeplab.momentum", 1, "networks.deeplab.momentum = 1 is refused; allowed: a number from 0, below 1"),
        ("networks.deeplab.scales", [0, 1], "scales.0 = 0 is refused; allowed: a list of numbers from 0.1 to 1"),
        ("data.draw.pfcn", {"train": 3}, "data.draw.pfcn.test is missing; allowed: a whole number, 1 or more"),
        ("data.draw.voc.test", 3, "data.draw.voc.test is not a parameter; allowed beside it: portraits, others"),
        ("data", {}, "data names no photos; allowed: draw, folder or download in it"),
        (
            "data.folder",
            "x",
            "data.draw is refused beside data.folder and data.download; for real photos: profile = lite",
        ),
        (
            "methods.BSN2",
            BSN,
            "methods: the name 'BSN2' is refused; allowed: small letters, digits and _, with a letter",
        ),
        ("hair.above_mouth", 4, "hair.above_mouth = 4 is refused; allowed: a number from 0 to 3.3"),
        ("data.draw.pfcn.train", 0, "data.draw.pfcn.train = 0 is refused; allowed: a whole number, 1 or more"),
    ],
)
def test_an_invalid_value_is_refused_in_one_line_with_key_value_and_allowed_values(key, value, line):
    message = refusal(key, value)
    assert line in message
    assert "\n" not in message


@pytest.fixture
def project(tmp_path) -> Path:
    """A folder with the parameters as committed."""
    shutil.copy(ROOT / "params.yaml", tmp_path)
    shutil.copytree(ROOT / "profiles", tmp_path / "profiles")
    return tmp_path


def type_by_hand(file: Path, key: str, number: str) -> None:
    lines = file.read_text().splitlines(keepends=True)
    place = next(place for place, line in enumerate(lines) if line.strip().startswith(f"{key}:"))
    lines[place] = f"{lines[place].partition(':')[0]}: {number} # mine\n"
    file.write_text("".join(lines))


def set_by_dvc(file: Path, key: str, number: str) -> None:
    """Set the value as `dvc exp run -S` does."""
    path = "networks.deeplab." if key == "weight_decay" else ""
    apply_overrides(file, [f"{path}{key}={number}"])


SETS = pytest.mark.parametrize("set_number", [type_by_hand, set_by_dvc])


@SETS
@pytest.mark.parametrize("number", ["0.00001", "1e-05", "2e-4", "2E-4", "2.e-4", "+2e-4", "3e0", "0", "10", "1_0.5"])
def test_numbers_are_read_the_same_if_typed_or_set_by_dvc(project, set_number, number):
    set_number(project / "profiles/sketch.yaml", "weight_decay", number)
    assert params.load(project).networks.deeplab.weight_decay == float(number)


@SETS
@pytest.mark.parametrize("number", ["1000", "1e3", "1000.0", "1_000", "1.0e+3"])
def test_whole_numbers_are_read_in_any_notation(project, set_number, number):
    set_number(project / "params.yaml", "seed", number)
    seed = params.load(project).seed
    assert (seed, type(seed)) == (1000, int)


@pytest.mark.parametrize(
    ("set_number", "number", "shown"),
    [
        (type_by_hand, "1e", "'1e'"),
        (type_by_hand, "1:30", "'1:30'"),
        (type_by_hand, "'1e-05'", "'1e-05'"),
        (type_by_hand, "1e999", "inf"),
        (type_by_hand, ".nan", "nan"),
        (set_by_dvc, "1e", "'1e'"),
        (set_by_dvc, "'1e-05'", "'1e-05'"),
        (set_by_dvc, "inf", "inf"),
        (set_by_dvc, "nan", "nan"),
    ],
)
def test_invalid_or_infinite_numbers_are_refused_in_one_line(project, set_number, number, shown):
    set_number(project / "profiles/sketch.yaml", "weight_decay", number)
    with pytest.raises(InputError) as caught:
        params.load(project)
    assert str(caught.value) == f"networks.deeplab.weight_decay = {shown} is refused; allowed: a number, 0 or more"


@pytest.mark.parametrize("value", ["1.5", "1e-3", "1e300", "true"])
def test_values_that_are_no_whole_number_in_range_are_refused(project, value):
    type_by_hand(project / "params.yaml", "seed", value)
    with pytest.raises(InputError, match=r"^seed = .* is refused; allowed: a whole number from 0 to 2147483647$"):
        params.load(project)


@pytest.mark.parametrize(
    "scalar",
    ["1e-05", "2e-4", "1.", ".5", "010", "0o10", "0x1F", "1_000", "1:30", "yes", "no", "on", "Off", "y", "True", "~",
     "null", "none", ".inf", "nan", "1e", "2001-01-01", "0.1.2", "'1'", "08", "1,5"],
)  # fmt: skip
def test_yaml_scalars_are_parsed_as_by_dvc(tmp_path, scalar):
    file = tmp_path / "params.yaml"
    file.write_text(f"a: {scalar}\nb:\n- {scalar}\n")
    assert params.read_yaml(file) == parse_yaml(file.read_text(), file)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"a: 1\na: 2\n", 'params.yaml, line 2 is not YAML: found duplicate key "a"'),
        (b"a: [1\n", "params.yaml, line 2 is not YAML: did not find expected"),
        (b"a: caf\xe9\n", "params.yaml is not YAML: 'utf-8' codec can't decode byte 0xe9"),
        (b"a: 2001-13-45\n", "params.yaml is not YAML: month must be in 1..12"),
        (b"a: &a [*a]\n", "params.yaml is not YAML: maximum recursion depth exceeded"),
        (b"a: !!python/object:os.system 1\n", "params.yaml, line 1 is not YAML: could not determine a constructor"),
        (b"- 1\n", "params.yaml holds no keys"),
        (b"", "params.yaml holds no keys"),
    ],
)
def test_invalid_yaml_is_refused_in_one_line(tmp_path, content, line):
    (tmp_path / "params.yaml").write_bytes(content)
    with pytest.raises(InputError) as caught:
        params.read_yaml(tmp_path / "params.yaml")
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        (
            "attributes.hair",
            "hair",
            "attributes.hair = 'hair' is refused; allowed: a list of attributes, such as [hair]",
        ),
        ("attributes.hair", [], "attributes.hair = [] is refused; allowed: ['hair'], which Figure 3 shows"),
        (
            "attributes.both",
            ["hair", "Hat"],
            "attributes.both.1 = 'Hat' is refused; allowed: small letters, digits and _",
        ),
        (
            "attributes.both",
            ["hair", "hair"],
            "attributes.both = ['hair', 'hair'] is refused; allowed: different names",
        ),
        ("attributes.both", ["id"], "attributes.both = ['id'] is refused; allowed: different names, id not among them"),
        ("methods.bsn.attribute", "hat", "methods.bsn.attribute = 'hat' is refused; allowed: none, hair (the keys of"),
        (
            "methods.portrait_fcn.attribute",
            "hair",
            "methods.portrait_fcn.attribute = 'hair' is refused; allowed: one that",
        ),
        ("hair.below_mouth", -1, "hair.below_mouth = -1 is refused; allowed: a number from 0 to 2.7"),
    ],
)
def test_invalid_attribute_parameters_are_refused_in_one_line(key, value, line):
    message = refusal(key, value)
    assert line in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("network", "values", "line"),
    [
        ("deeplab", {"layout": "keras"}, "layout = 'keras' is refused; allowed: torchvision or caffe"),
        (
            "deeplab",
            {"layout": "caffe"},
            "layout = 'caffe' is refused; allowed: torchvision, or backbone resnet50 or resnet101",
        ),
        ("deeplab", {"weights": None}, "weights = None is refused; allowed: none, imagenet, coco_voc or a file's path"),
        (
            "deeplab",
            {"weights": "imagenet"},
            "weights = 'imagenet' is refused; allowed: none or a file's path, or a base",
        ),
        (
            "deeplab",
            {"weights": "coco_voc", "base_width": 64},
            "weights = 'coco_voc' is refused; allowed: none, imagenet or a file's path, or backbone resnet50 or",
        ),
        (
            "deeplab",
            {"weights": "imagenet", "base_width": 64, "backbone": "resnet50", "layout": "caffe"},
            "weights = 'imagenet' is refused; allowed: none or a file's path, or layout torchvision",
        ),
        (
            "deeplab",
            {"freeze_batch_norm": True},
            "freeze_batch_norm = True is refused; allowed: false, since random weights",
        ),
        ("fcn8s", {"weights": "coco_voc"}, "weights = 'coco_voc' is refused; allowed: none, imagenet or a file's path"),
        (
            "fcn8s",
            {"weights": "imagenet"},
            "weights = 'imagenet' is refused; allowed: none or a file's path, or a base",
        ),
        ("fcn8s", {"freeze_batch_norm": True}, "freeze_batch_norm = True is refused; allowed: false, since random"),
        (
            "fcn8s",
            {"freeze_batch_norm": True, "batch_norm": False, "weights": "mine.pth"},
            "freeze_batch_norm = True is refused; allowed: false, since batch_norm is false",
        ),
    ],
)
def test_initial_weights_that_do_not_fit_the_network_are_refused_in_one_line(network, values, line):
    profile = read("profiles/sketch.yaml")
    for key, value in values.items():
        profile = changed(profile, f"networks.{network}.{key}", value)
    with pytest.raises(InputError) as caught:
        params.check(read("params.yaml"), profile)
    assert f"networks.{network}.{line}" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_initial_weights_from_a_file_are_allowed_for_any_width_and_layout():
    profile = read("profiles/sketch.yaml")
    values = {"weights": "mine.pth", "backbone": "resnet50", "layout": "caffe", "freeze_batch_norm": True}
    for key, value in values.items():
        profile = changed(profile, f"networks.deeplab.{key}", value)
    deeplab = params.check(read("params.yaml"), profile).networks.deeplab
    assert deeplab.architecture() == {
        "backbone": "resnet50",
        "base_width": 8,
        "layout": "caffe",
        "output_stride": 8,
        "out_index": -1,
    }


def test_an_attribute_branch_without_a_second_training_phase_is_refused():
    profile = read("profiles/sketch.yaml")
    profile = changed(profile, "networks.deeplab.phases", profile["networks"]["deeplab"]["phases"][:1])
    with pytest.raises(InputError) as caught:
        params.check(read("params.yaml"), profile)
    lines = str(caught.value).splitlines()
    assert [line.split(" =")[0] for line in lines] == ["methods.bsn_ac.attribute", "methods.bsn.attribute"]
    assert "two phases in networks.deeplab" in lines[0]


def test_a_method_may_learn_several_attributes():
    raw = changed(read("params.yaml"), "attributes.hair_and_glasses", ["hair", "glasses"])
    checked = params.check(changed(raw, "methods.bsn.attribute", "hair_and_glasses"), read("profiles/sketch.yaml"))
    assert checked.attributes[checked.methods["bsn"].attribute] == ["hair", "glasses"]


def test_a_misspelt_key_is_refused_and_the_right_ones_are_named():
    assert refusal("methods.bsn_gk.wieght", "global") == (
        "methods.bsn_gk.wieght is not a parameter; allowed beside it: network, labels, weight, attribute"
    )


def test_a_missing_key_is_named():
    raw = read("params.yaml")
    del raw["kernel"]["width"]
    with pytest.raises(InputError, match=r"^kernel\.width is missing; allowed: pixels of the 800x600 frame"):
        params.check(raw, read("profiles/sketch.yaml"))


def test_every_invalid_value_has_its_own_line():
    raw = changed(changed(read("params.yaml"), "kernel.width", 0), "seed", 1.5)
    with pytest.raises(InputError) as caught:
        params.check(raw, read("profiles/sketch.yaml"))
    assert [line.split(" =")[0] for line in str(caught.value).splitlines()] == ["seed", "kernel.width"]


def test_a_key_in_both_files_is_refused():
    with pytest.raises(InputError, match=r"seed is in params\.yaml and in the profile"):
        params.check(read("params.yaml"), {**read("profiles/sketch.yaml"), "seed": 3})


def test_flat_params_have_dotted_names():
    flat = params.check(read("params.yaml"), read("profiles/sketch.yaml")).flat()
    assert str(flat["kernel.width"]) == "10"
    assert flat["methods.bsn.weight"] == "global"
    assert flat["networks.deeplab.phases.0.iterations"] > 0
    assert flat["networks.deeplab.scales"] == [0.5, 0.75, 1.0]


def test_the_sum_of_the_kernels_is_for_methods_with_both():
    raw = changed(read("params.yaml"), "global_kernel.combination", "sum")
    checked = params.check(raw, read("profiles/sketch.yaml"))
    found = {name: checked.recipe(method).combination for name, method in checked.methods.items()}
    assert found == {**dict.fromkeys(found, "product"), "bsn": "sum"}


def test_an_unknown_profile_is_refused_by_the_check_stage(tmp_path):
    (tmp_path / "profiles").symlink_to(ROOT / "profiles")
    text = (ROOT / "params.yaml").read_text().replace("profile: sketch", "profile: full")
    (tmp_path / "params.yaml").write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "stages.check"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == ("check: profile = 'full' is refused; allowed: lite, paper, sketch (a file of profiles/)\n")
    assert not (tmp_path / "data").exists()
