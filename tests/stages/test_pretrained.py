import pytest
import torch
from safetensors.torch import load_file

from bsn.errors import InputError
from bsn.models import build
from stages import pretrained
from study import params


@pytest.fixture
def study(monkeypatch, tmp_path):
    """Run the stage for a network in a folder of its own, with values of the sketch profile's changed."""
    raw, profile = params.read_yaml(params.PARAMS_FILE), params.read_yaml(params.PROFILES_FOLDER / "sketch.yaml")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)

    def run(network, **changes):
        profile["networks"][network].update(changes)
        monkeypatch.setattr(pretrained, "load", lambda: params.check(raw, profile))
        pretrained.pretrained(network)
        return load_file(tmp_path / "data/pretrained" / f"{network}.safetensors")

    return run


@pytest.mark.parametrize("network", ["deeplab", "fcn8s"])
def test_random_weights_are_a_file_without_tensors(study, network):
    assert study(network, weights="none") == {}


def test_a_backbone_without_batch_norm_cannot_freeze_it(study):
    with pytest.raises(InputError, match=r"^networks.deeplab: .* has no batch normalisation to freeze; leave .* off$"):
        study("deeplab", backbone="test_convnext", weights="own.pth", freeze_batch_norm=True)


def test_a_file_s_weights_come_in_our_names_for_six_channels(study, tmp_path):
    theirs = build("deeplab", classes=2, channels=3, backbone="resnet18", base_width=8).backbone.state_dict()
    torch.save(theirs, tmp_path / "resnet.pth")
    ours = study("deeplab", weights="resnet.pth")
    assert set(ours) == {f"backbone.{name}" for name in theirs}
    assert torch.equal(ours["backbone.layer4.1.conv2.weight"], theirs["layer4.1.conv2.weight"])
    assert ours["backbone.conv1.weight"].shape == (8, 6, 7, 7)


def test_a_file_beside_the_users_params_is_found_from_a_job_of_the_queue(study, tmp_path, monkeypatch):
    own = tmp_path / "own"
    own.mkdir()
    torch.save(
        build("deeplab", classes=2, channels=3, backbone="resnet18", base_width=8).backbone.state_dict(),
        own / "mine.pth",
    )
    monkeypatch.setenv("DVC_ROOT", str(own))
    assert study("deeplab", weights="mine.pth")


def test_another_network_is_refused():
    with pytest.raises(InputError, match="network = 'unet' is refused; allowed: deeplab, fcn8s"):
        pretrained.pretrained("unet")
