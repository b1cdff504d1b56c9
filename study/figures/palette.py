"""The colours of every figure. The methods' are Okabe and Ito's, which colour-blind readers can tell apart."""

INK = "#1f2933"
MUTED = "#667483"
PALE = "#eef1f4"

# RGB triples for pictures: the paper's three classes.
FOREGROUND = (27, 154, 170)
BOUNDARY = (255, 138, 61)
BACKGROUND = (31, 45, 66)

SETS = {"coco": "#0072b2", "cocostuff": "#009e73", "voc": "#d55e00"}
METHODS = {
    "graph_cut": "#999999",
    "portrait_fcn": "#e69f00",
    "portrait_deeplab": "#0072b2",
    "bsn_ac": "#009e73",
    "bsn_gk": "#cc79a7",
    "bsn_ik": "#d55e00",
    "bsn": INK,
}
# BSN_AC differs from PortraitDeepLabv2 in the second phase alone; dashed, it does not hide it.
DASHES = {"bsn_ac": (0, (3, 2.2))}
