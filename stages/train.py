"""Train one method of params.yaml, from the end of its phase one -> models/<method>/: weights, curves, ONNX files.

python -m stages.train bsn                                  # on the CPU, or on every GPU of this machine
torchrun --nproc-per-node 2 --module stages.train bsn       # two processes with half of every batch each
srun --ntasks-per-node 2 python -m stages.train bsn         # the same under Slurm
"""

from contextlib import nullcontext
from functools import partial
from pathlib import Path

from bsn.export import export_model
from bsn.training import loop
from bsn.training.checkpoints import CurvePoint, load_phase_one, open_checkpoint, save_model
from bsn.training.launch import launch, report_lost_process
from study.checking import require_choice
from study.params import load
from study.runner import run_stage
from study.tracking.runs import Run, method_run, start_run
from study.training import DATA, attribute_classes, checkpoints_folder, model_description, patch_sampler, starting_model

OUT, PHASE_ONE = Path("models"), Path("data/phase_one")


def train(name: str) -> None:
    params = load()
    require_choice("method", name, params.methods)
    method = params.methods[name]
    network, recipe = params.network(method), params.recipe(method)
    fabric = launch(threads=network.threads, devices=network.batch)
    with (
        start_run(method_run(params, name)) if fabric.is_global_zero else nullcontext() as run,
        report_lost_process(fabric),
    ):
        attributes = attribute_classes(DATA / "attributes" / f"{method.attribute}.csv")
        sampler = patch_sampler(params, method, attributes)
        description = model_description(params, method, attributes)
        model = starting_model(description, seed=params.seed)
        start = load_phase_one(PHASE_ONE / method.base)
        checkpoint = open_checkpoint(checkpoints_folder(), description, model, sampler, recipe, fabric, start=start)
        log = partial(_log, run)
        state = loop.train(
            model, sampler, recipe, fabric, checkpoint, start=start, workers=network.workers, on_point=log, title=name
        )
        if run:
            save_model(OUT / name, description, state)
            export_model(OUT / name)
            checkpoint.clear()
            run.log_model(OUT / name, aligned_mean_mask=DATA / "mean_mask/aligned.npy")
    if run and run.model_uri:
        print(f"to serve it: mlflow models serve -m {run.model_uri} --env-manager local")


def _log(run: Run | None, point: CurvePoint) -> None:
    if run:
        run.log_point({f"train/{key}": value for key, value in point.values().items()}, step=point.iteration)


if __name__ == "__main__":
    run_stage(train, again="run the same command again: it continues from its last checkpoint")
