"""The network on your own photo: cut-out, trimap, matte, and what a clean edge is good for."""
