"""From photos and labels to weights: the sampler's batches, the losses of section 3, the loop, one process or many."""
