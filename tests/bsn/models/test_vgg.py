import pytest
import torch
from torch import nn
from torchvision.models import VGG, vgg16, vgg16_bn
from torchvision.models.vgg import make_layers

from bsn.models.fcn8s import FCN8s
from bsn.models.vgg import from_torchvision
from bsn.models.weights import fill, starting_weights

CFG = [4, 4, "M", 8, 8, "M", 16, 16, 16, "M", 32, 32, 32, "M", 32, 32, 32, "M"]


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
        ours = from_torchvision(theirs(weights=None).state_dict(), batch_norm=batch_norm)
        place = FCN8s(classes=2, channels=3, batch_norm=batch_norm).state_dict()
    place = {key: value for key, value in place.items() if not key.startswith("score_")}
    tracked = {key for key in place if key.startswith("fc") and key.endswith("num_batches_tracked")}
    assert set(ours) == set(place) - tracked
    assert all(ours[key].shape == place[key].shape for key in ours)
