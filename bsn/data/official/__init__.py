"""The four official data sets from the network, each as its archive unpacks, with no more photos than are looked at.

Each `bring_<set>(folder, archives, ...)` makes `folder` such a tree, from archives that it keeps in `archives`. It can
be stopped at any moment and called again: what is there is not fetched twice.
"""

from bsn.data.official.coco import bring_coco
from bsn.data.official.cocostuff import bring_cocostuff
from bsn.data.official.pfcn import bring_pfcn
from bsn.data.official.photos import Brought, Missing
from bsn.data.official.voc import bring_voc

__all__ = ["Brought", "Missing", "bring_coco", "bring_cocostuff", "bring_pfcn", "bring_voc"]
