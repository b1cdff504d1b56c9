"""The batches of a training run, by number, made ahead by worker processes."""

from collections.abc import Iterator, Sequence

import numpy as np
from torch.utils.data import DataLoader, Dataset

from bsn.training.samples import PatchSampler


def batches(
    sampler: PatchSampler, iterations: range, *, slots: Sequence[int], workers: int
) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
    """(iteration, the patches of those slots of its batch), in order. workers: processes; 0 makes them in this one.

    The patches are the same bytes with any number of workers.
    """
    loader = DataLoader(
        _Share(sampler, slots), sampler=iterations, batch_size=None, num_workers=workers, collate_fn=_as_it_is
    )
    return zip(iterations, loader, strict=True)


class _Share(Dataset):
    """A dataset whose index is an iteration."""

    def __init__(self, sampler: PatchSampler, slots: Sequence[int]) -> None:
        self.sampler = sampler
        self.slots = slots

    def __getitem__(self, iteration: int) -> dict[str, np.ndarray]:
        return self.sampler.load(iteration, self.slots)


def _as_it_is(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return arrays
