import numpy as np
import pytest
import torch
from facenet_pytorch import MTCNN
from torch import nn

from bsn.mtcnn import FastMTCNN, StridedMax
from drawn.catalog import picture_of


@pytest.mark.parametrize(("size", "stride"), [(2, 2), (3, 2)])
@pytest.mark.parametrize("shape", [(1, 3, 7, 8), (2, 4, 22, 22), (1, 2, 9, 10), (1, 1, 3, 3), (1, 10, 45, 61)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_strided_maximum_is_torchs_max_pooling(size, stride, shape, layout):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0)).contiguous(memory_format=layout)
    expected = nn.MaxPool2d(size, stride, ceil_mode=True)(x)
    assert torch.equal(StridedMax(size=size, stride=stride)(x), expected)


def test_every_max_pooling_is_replaced():
    found = FastMTCNN()
    layers = [layer for network in (found.pnet, found.rnet, found.onet) for layer in network.children()]
    assert not any(isinstance(layer, nn.MaxPool2d) for layer in layers)
    assert sum(isinstance(layer, StridedMax) for layer in layers) == 6


def test_faces_are_those_of_plain_mtcnn_bit_for_bit():
    photo = np.ascontiguousarray(picture_of("coco", 0, 1).rgb)
    found, expected = FastMTCNN().faces(photo[None], 20.0), MTCNN(keep_all=True).detect(photo[None], landmarks=True)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)
