"""The four official data sets from the network, each as its archive unpacks, with no more photos than are looked at.

Each `bring_<set>(folder, archives, ...)` makes `folder` such a tree, from archives that it keeps in `archives`. It can
be stopped at any moment and called again: what is there is not fetched twice.
"""

from study.datasets.official.coco import bring_coco
from study.datasets.official.cocostuff import bring_cocostuff
from study.datasets.official.pfcn import bring_pfcn
from study.datasets.official.photos import Brought, Missing
from study.datasets.official.voc import bring_voc

__all__ = ["Brought", "Missing", "bring_coco", "bring_cocostuff", "bring_pfcn", "bring_voc"]
