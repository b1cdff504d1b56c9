import pytest
import torch
from torch import nn
from torchvision.models import VGG, vgg16, vgg16_bn
from torchvision.models.vgg import make_layers

from bsn.models.fcn8s import FCN8s, from_vgg16
from bsn.models.weights import fill, starting_weights

CFG = [4, 4, "M", 8, 8, "M", 16, 16, 16, "M", 32, 32, 32, "M", 32, 32, 32, "M"]


def test_the_paper_s_network_has_vgg16_s_layers_and_six_channels():
    model = FCN8s(classes=2)
    convolutions = [m for block in model.blocks for m in block if isinstance(m, torch.nn.Conv2d)]
    assert [m.out_channels for m in convolutions] == [64] * 2 + [128] * 2 + [256] * 3 + [512] * 6
    assert convolutions[0].in_channels == 6
    assert model.fc6[0].out_channels == 4096


@pytest.mark.parametrize("size", [(64, 48), (50, 37), (100, 75)])
def test_logits_come_on_the_grid_of_an_eighth_for_any_size(size):
    output = FCN8s(classes=2, base_width=4).eval()(torch.zeros(1, 6, *size))
    assert output.fused.shape == (1, 2, -(-size[0] // 8), -(-size[1] // 8))
    assert output.branches == ()


def test_each_of_the_three_scores_reaches_the_answer():
    torch.manual_seed(0)
    model, x = FCN8s(classes=2, base_width=4).eval(), torch.randn(1, 6, 64, 64)
    with torch.no_grad():
        whole = model(x).fused
        for score in (model.score_pool3, model.score_pool4, model.score_fc7):
            kept = score.bias.clone()
            score.bias += 1
            assert torch.allclose(model(x).fused, whole + 1, atol=1e-5)
            score.bias.copy_(kept)


def narrow_vgg(batch_norm):
    """torchvision's VGG16 at a sixteenth of its width, every weight random."""
    torch.manual_seed(2)
    model = VGG(make_layers(CFG, batch_norm), init_weights=False)
    model.classifier = nn.Sequential(
        *(nn.Linear(32 * 7 * 7, 256), nn.ReLU(), nn.Dropout(), nn.Linear(256, 256), nn.ReLU(), nn.Dropout()),
        nn.Linear(256, 10),
    )
    for name, value in model.state_dict().items():
        if value.dim() == 1:
            value.uniform_(0.5, 1.5) if name.endswith(("weight", "var")) else value.normal_(std=0.3)
    return model.eval()


@pytest.mark.parametrize("batch_norm", [False, True])
@torch.no_grad()
def test_at_the_middle_of_its_own_picture_fc7_is_torchvision_s(batch_norm, tmp_path):
    theirs = narrow_vgg(batch_norm)
    torch.save(theirs.state_dict(), tmp_path / "vgg.pth")
    ours = FCN8s(classes=2, base_width=4, batch_norm=batch_norm).eval()
    options = {"base_width": 4, "batch_norm": batch_norm}
    fill(ours, starting_weights("fcn8s", str(tmp_path / "vgg.pth"), **options))
    x = torch.randn(1, 6, 224, 224)  # 7x7 cells before the classifier
    plain = theirs.features(x[:, :3])
    expected = theirs.classifier[:6](plain.flatten(1))
    for block in ours.blocks:
        x = block(x)
    assert torch.allclose(x, plain, rtol=1e-4, atol=1e-4)
    answer = ours.fc7(ours.fc6(x))[:, :, 3, 3]
    assert torch.allclose(answer, expected, rtol=1e-4, atol=1e-4 * expected.abs().max())
    assert expected.abs().max() > 0


@pytest.mark.parametrize(("theirs", "batch_norm"), [(vgg16, False), (vgg16_bn, True)])
def test_at_full_width_every_tensor_has_its_place(theirs, batch_norm):
    with torch.device("meta"):
        ours = from_vgg16(theirs(weights=None).state_dict(), batch_norm=batch_norm)
        place = FCN8s(classes=2, channels=3, batch_norm=batch_norm).state_dict()
    place = {key: value for key, value in place.items() if not key.startswith("score_")}
    tracked = {key for key in place if key.startswith("fc") and key.endswith("num_batches_tracked")}
    assert set(ours) == set(place) - tracked
    assert all(ours[key].shape == place[key].shape for key in ours)
