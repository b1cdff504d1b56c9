"""Run the stages that compute in the current folder, in one process: python -m tests.small_study"""

from stages.attributes import attributes
from stages.check import check
from stages.download import download
from stages.evaluate import evaluate
from stages.faces import faces
from stages.labels import labels
from stages.loss_weights import loss_weights
from stages.mean_mask import mean_masks
from stages.portraits import portraits
from stages.pretrained import pretrained
from stages.train import train
from stages.train_base import train_base
from study.datasets import SETS


def main() -> None:
    """Make all data, train BSN, which uses all of it, and evaluate it."""
    check()
    for name in SETS:
        download(name)
        portraits(name)
    faces()
    attributes("hair")
    mean_masks()
    labels("soft")
    loss_weights("global")
    pretrained("deeplab")
    train_base("deeplab-soft-global")
    train("bsn")
    evaluate("bsn")


if __name__ == "__main__":
    main()
