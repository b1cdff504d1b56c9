"""Methods of Table 1, from a photo to its mask: trained networks, Graph-cut, the mean mask, and the CRF."""
