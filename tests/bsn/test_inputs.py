import numpy as np
import pytest
import torch

from bsn.alignment import FRAME, REFERENCE_POINTS
from bsn.inputs import MEAN, STD, network_input, prior_channels, scaling, working_photo, working_size
from bsn.models import build

IDENTITY = np.eye(3)
FACE = REFERENCE_POINTS.mean(axis=0)


def test_scaling_maps_pixel_centres():
    # Halving: the centre of the first pixel of the small image lies between the first two of the large one.
    matrix = scaling((4, 6), (8, 12))
    assert (matrix @ [0, 0, 1])[:2] == pytest.approx([0.5, 0.5])
    assert (matrix @ [5, 3, 1])[:2] == pytest.approx([10.5, 6.5])


def test_a_working_copy_keeps_the_shape_and_has_the_pixels_of_the_given_size():
    assert working_size((800, 600), (128, 96)) == (128, 96)
    assert working_size((480, 640), (128, 96)) == (96, 128)


@pytest.mark.parametrize("photo", [(1, 20000), (3, 80000)])
def test_the_narrowest_photo_has_a_pixel_at_half_the_size(photo):
    height, width = working_size(photo, (200, 150))
    assert (height, width) == (2, round((30000 * photo[1] / photo[0]) ** 0.5))
    model = build("deeplab", classes=2, backbone="resnet18", base_width=4).eval()
    with torch.inference_mode():
        assert model(torch.zeros(1, 6, 2, 400)).fused.shape == (1, 2, 1, 50)


def test_a_photo_without_a_face_has_three_zero_channels():
    photo = working_photo(np.zeros((80, 60, 3), np.uint8), None, (40, 30))
    assert photo.to_frame is None
    assert (prior_channels(None, np.ones(FRAME, np.float32), (40, 30)) == 0).all()


def test_to_frame_leads_from_working_pixels_through_the_photo_to_the_frame():
    affine = np.array([[1.0, 0, 5], [0, 1, 7]])
    photo = working_photo(np.zeros((80, 60, 3), np.uint8), affine, (40, 30))
    # Working pixel (0, 0) is photo point (0.5, 0.5), which the affine moves by (5, 7).
    assert (photo.to_frame @ [0, 0, 1])[:2] == pytest.approx([5.5, 7.5])


def test_positions_are_distances_from_the_face_over_the_frames_sides():
    x, y, _ = prior_channels(IDENTITY, np.zeros(FRAME, np.float32), FRAME)
    column, row = 330, 500
    assert x[row, column] == pytest.approx((column - FACE[0]) / 600, abs=1e-6)
    assert y[row, column] == pytest.approx((row - FACE[1]) / 800, abs=1e-6)


def test_the_mean_mask_channel_is_the_mean_mask_seen_from_the_photo():
    mean_mask = np.tile(np.arange(FRAME[1], dtype=np.float32), (FRAME[0], 1)) / FRAME[1]
    # The photo shows the frame at half its size, 20 pixels further right, and ends 40 frame pixels beyond it.
    to_frame = np.array([[2.0, 0, -40], [0, 2, 0], [0, 0, 1]])
    channel = prior_channels(to_frame, mean_mask, (400, 340))[2]
    assert channel[100, 120] == pytest.approx(200 / 600)
    assert channel[100, 10] == 0
    assert channel[100, 339] == pytest.approx(599 / 600)


def test_a_mirrored_photo_gets_the_channels_of_a_mirrored_face():
    # Mirroring pixel columns about the face's middle and the frame with them leaves a symmetric map as it was.
    mirror = np.array([[-1.0, 0, 2 * FACE[0]], [0, 1, 0], [0, 0, 1]])
    mean_mask = np.random.default_rng(0).random(FRAME).astype(np.float32)
    plain = prior_channels(IDENTITY, mean_mask, FRAME)
    assert prior_channels(mirror, mean_mask, FRAME, mirrored=True) == pytest.approx(plain, abs=1e-5)


def test_network_input_normalises_the_photo_and_appends_the_prior():
    image = torch.full((1, 3, 2, 2), 255, dtype=torch.uint8)
    prior = torch.arange(12, dtype=torch.float32).view(1, 3, 2, 2)
    x = network_input(image, prior)
    assert x[0, :3, 0, 0].tolist() == pytest.approx([(1 - m) / s for m, s in zip(MEAN, STD, strict=True)])
    assert (x[:, 3:] == prior).all()
