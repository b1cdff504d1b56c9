"""Cut-outs from a user's own photos: trimap, matte, layers and effects, and the work of `bsn segment`."""
