"""Drawn portraits in the official formats of PFCN, COCO, COCO-Stuff and PASCAL VOC, made without a network.

A picture is a function of (seed, set, index): the same seed gives the same bytes of every file.
"""

from drawn.coco import write_coco
from drawn.cocostuff import write_cocostuff
from drawn.pfcn import hair_truth, write_pfcn
from drawn.voc import write_voc

__all__ = ["hair_truth", "write_coco", "write_cocostuff", "write_pfcn", "write_voc"]
