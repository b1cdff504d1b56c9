"""Runs in MLflow that cost the science nothing: written to disk first, and sent from there.

    card = Card(kind="method", name="bsn", study="9f86d08/width-15", params={"kernel.width": 15}, tags={})
    with tracked_run(store, card) as run:
        run.point({"train/loss": 0.3}, step=10)

What a run says goes to a journal in `store.outbox` (journal.py). A process beside it sends the journal on while the run
works (sender.py, delivery.py), and deletes it when MLflow has all of it. A server that is down, slow or dies costs the
run one warning and PATIENCE seconds; the rest stays in the outbox, for the next run or `send_all`. Whatever is sent
twice, because an answer was lost, is there once.
"""

from study.tracking.card import WEIGHTS_TAG, Card, Store
from study.tracking.outbox import Sent, send_all, waiting
from study.tracking.run import PATIENCE, Run, flush, post, tracked_run

__all__ = [
    "PATIENCE",
    "WEIGHTS_TAG",
    "Card",
    "Run",
    "Sent",
    "Store",
    "flush",
    "post",
    "send_all",
    "tracked_run",
    "waiting",
]
