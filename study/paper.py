"""What the paper prints (arXiv 1712.08675): names and the numbers of Tables 1 to 3, mean IoU as fractions."""

METHODS = {
    "graph_cut": "Graph-cut",
    "portrait_fcn": "PortraitFCN+",
    "portrait_deeplab": "PortraitDeepLabv2",
    "bsn_ac": "BSN_AC",
    "bsn_gk": "BSN_GK",
    "bsn_ik": "BSN_IK",
    "bsn": "BSN",
}
# Every gain is over this method, which has neither kernel and no attribute.
BASELINE = "portrait_deeplab"
# Not in the paper: the aligned mean mask as the prediction for every photo, the lower bound for every method.
FLOOR = "mean_mask"
NAMES = {**METHODS, FLOOR: "Mean mask"}
SETS = {"pfcn": "PFCN", "coco": "COCO", "cocostuff": "COCO-Stuff", "voc": "PASCAL VOC"}

TABLE_1 = {
    "graph_cut": 0.800,
    "portrait_fcn": 0.959,
    "portrait_deeplab": 0.961,
    "bsn_ac": 0.962,
    "bsn_gk": 0.962,
    "bsn_ik": 0.965,
    "bsn": 0.967,
}
TABLE_2 = {"coco": 626, "cocostuff": 92, "voc": 62}
TABLE_3 = {
    "coco": {"portrait_fcn": 0.686, "bsn": 0.777},
    "cocostuff": {"portrait_fcn": 0.608, "bsn": 0.720},
    "voc": {"portrait_fcn": 0.595, "bsn": 0.756},
}
