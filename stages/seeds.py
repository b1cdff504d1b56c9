"""Table 1's gains over several seeds, with intervals -> reports/<profile>/seeds{,_bands}.{csv,md}.

On real photos also attributes.{csv,md}: the attribute branch compared with labels by eye. If it learned several
attributes, the first by name is in that file, and each other one in attributes_<attribute>.{csv,md}.
"""

from pathlib import Path

from study.params import load
from study.runner import run_stage
from study.tables.seeds import attributes_tables, read_trials, seeds_tables
from study.tracking.recording import record_trials

TRIALS, REPORTS = Path("metrics/trials"), Path("reports")


def seeds() -> None:
    """Write the tables over seeds and print them."""
    params = load()
    out = REPORTS / params.profile
    methods = {
        "portrait_fcn": "portrait_fcn",
        "plain": "portrait_deeplab",
        "bsn_ac": "bsn_ac",
        params.global_kernel.reading: "bsn_gk",
        params.kernel.reading: "bsn_ik",
        "bsn": "bsn",
    }
    photos = read_trials(TRIALS / params.profile, methods)
    photos["method"] = [methods[trial] for trial in photos["trial"]]
    tables = [*seeds_tables(photos.loc[photos["set"] == "pfcn"], profile=params.profile)]
    if not params.data.draw:  # the labels by eye are of PFCN's photos
        held_out = photos.loc[photos["set"] == "validation"]
        tables += attributes_tables(held_out, by_eye=Path("attributes/by_eye"), rule=Path("data/attributes"))
    for table in tables:
        table.write(out)
        print(table.text())
    record_trials(params, *(out / f"{table.name}.{kind}" for table in tables for kind in ("csv", "md")))


if __name__ == "__main__":
    run_stage(seeds)
