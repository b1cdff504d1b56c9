"""Cut portraits out of a user's own photos: trimap, matte, layers, effects, and the command `bsn segment`."""
