import torch

from bsn.models.output import foreground_score


def test_the_boundary_class_is_ignored_in_testing():
    # foreground .2, boundary 9, background .1: portrait, although the boundary is by far the likeliest.
    logits = torch.tensor([0.2, 9.0, 0.1]).view(1, 3, 1, 1)
    assert foreground_score(logits).item() > 0
    assert foreground_score(logits[:, [0, 2]]).item() == foreground_score(logits).item()
