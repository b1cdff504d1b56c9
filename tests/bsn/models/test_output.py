import torch

from bsn.models.output import foreground_score, upsample


def test_the_boundary_class_is_ignored_in_testing():
    # foreground .2, boundary 9, background .1: portrait, although the boundary is by far the likeliest.
    logits = torch.tensor([0.2, 9.0, 0.1]).view(1, 3, 1, 1)
    assert foreground_score(logits).item() > 0
    assert foreground_score(logits[:, [0, 2]]).item() == foreground_score(logits).item()


def test_caffe_s_grid_is_laid_corner_to_corner_and_torchvision_s_cell_by_cell():
    row = torch.tensor([0.0, 4.0]).view(1, 1, 1, 2)
    assert upsample(row, (1, 5), corners=True).flatten().tolist() == [0, 1, 2, 3, 4]
    # Two cells of two pixels: their middles are at .5 and 2.5, and beyond them nothing changes.
    assert upsample(row, (1, 4)).flatten().tolist() == [0, 1, 3, 4]
