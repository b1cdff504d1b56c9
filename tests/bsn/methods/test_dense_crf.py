import sys

import numpy as np
import pytest

from bsn.errors import InputError
from bsn.methods.dense_crf import RefinedSegmenter, refine
from bsn.models import build


def scene():
    """A dark square on a light ground, and the score of one that lies four pixels to the right."""
    photo = np.full((60, 60, 3), 220, np.uint8)
    photo[15:45, 15:45] = 40
    score = np.full((60, 60), -1.0, np.float32)
    score[15:45, 19:49] = 1.0
    return photo, score


def test_an_uncertain_mask_moves_to_the_photos_own_edge():
    pytest.importorskip("pydensecrf", reason="optional: requirements-crf.txt")
    photo, score = scene()
    mask = refine(photo, score)
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask, photo[..., 0] == 40)


def test_a_photo_that_may_not_be_written_to_is_refined_as_well():
    pytest.importorskip("pydensecrf", reason="optional: requirements-crf.txt")
    photo, score = scene()
    photo.flags.writeable = False
    np.testing.assert_array_equal(refine(photo, score), photo[..., 0] == 40)


def test_a_certain_mask_stays():
    pytest.importorskip("pydensecrf", reason="optional: requirements-crf.txt")
    photo, score = scene()
    np.testing.assert_array_equal(refine(photo, 1000 * score), score > 0)


def test_without_its_package_the_error_names_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydensecrf.densecrf", None)
    model = build("deeplab", classes=2, backbone="resnet18", base_width=4)
    told = r"needs pydensecrf2: pip install -r requirements-crf\.txt"
    with pytest.raises(InputError, match=told):
        refine(*scene())
    # Before a photo is segmented, which an evaluation does for all of them.
    with pytest.raises(InputError, match=told):
        RefinedSegmenter(model, size=(64, 48), aligned_mean_mask=np.zeros((800, 600), np.float32))
