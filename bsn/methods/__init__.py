"""Methods of Table 1, which segment a photo: trained networks, Graph-cut, the mean mask, and a CRF behind a network."""
