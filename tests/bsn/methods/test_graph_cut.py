import itertools

import numpy as np
import pytest

from bsn.methods import graph_cut as module
from bsn.methods.graph_cut import _minimum_cut, graph_cut


def energy(mask, image, log_odds, smoothness, contrast):
    """The docstring's E(m), pixel by pixel and pair by pair."""
    height, width = mask.shape
    pairs = [((y, x), (y, x + 1)) for y in range(height) for x in range(width - 1)]
    pairs += [((y, x), (y + 1, x)) for y in range(height - 1) for x in range(width)]
    squared = {pair: float(((image[pair[0]] - image[pair[1]]) ** 2).sum()) for pair in pairs}
    spread = 2 * np.mean(list(squared.values()))
    data = -np.where(mask, log_odds, 0).sum()
    bonds = sum(smoothness * np.exp(-contrast * squared[p] / spread) for p in pairs if mask[p[0]] != mask[p[1]])
    return data + bonds


@pytest.mark.parametrize("seed", range(4))
def test_the_cut_is_the_best_of_all_masks_of_a_tiny_photo(seed):
    draw = np.random.default_rng(seed)
    image = draw.uniform(0, 255, (3, 4, 3)).astype(np.float32)
    log_odds = draw.normal(0, 1.5, (3, 4))
    masks = [np.array(bits, bool).reshape(3, 4) for bits in itertools.product([0, 1], repeat=12)]
    best = min(masks, key=lambda mask: energy(mask, image, log_odds, 1.0, 1.0))
    assert (_minimum_cut(image, log_odds, 1.0, 1.0) == best).all()


def test_a_clear_edge_moves_the_answer_away_from_the_prior():
    # The prior ends at row 40, the photo's own edge is at row 50: the cut follows the photo.
    photo = np.zeros((100, 60, 3), np.uint8)
    photo[50:] = 200
    prior = np.full((100, 60), 0.4)
    prior[40:] = 0.6
    prior[60:] = 0.99
    prior[:30] = 0.01
    # Ten rows of log odds .405 cost 4.05 a column, a cut away from the edge 6.
    mask = graph_cut(photo, prior, smoothness=6, contrast=5, height=100)
    assert (mask[:50] == 0).all()
    assert (mask[50:] == 1).all()


@pytest.mark.parametrize("size", [(2, 30000), (12, 9000), (800, 600)])
def test_the_grid_of_an_oblong_photo_is_not_larger_than_memory(size, monkeypatch):
    solved = []

    def cut(image, log_odds, *_):
        solved.append(image.shape[:2])
        return log_odds > 0

    monkeypatch.setattr(module, "_minimum_cut", cut)
    photo, prior = np.zeros((*size, 3), np.uint8), np.ones(size, np.float32)
    assert graph_cut(photo, prior, smoothness=4, contrast=1, height=160).all()
    ((rows, columns),) = solved
    assert rows * columns <= 1.05 * 2**21  # both are rounded
    assert (rows == 160) is (size == (800, 600))


def test_the_answer_has_the_photos_own_size():
    photo = np.random.default_rng(0).integers(0, 255, (83, 61, 3), dtype=np.uint8)
    mask = graph_cut(photo, np.full((83, 61), 0.7), smoothness=1, contrast=1, height=50)
    assert mask.shape == (83, 61)
    assert mask.dtype == np.uint8
    assert mask.all()
