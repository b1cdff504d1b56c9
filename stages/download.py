"""One set's official tree in data/raw/<set>/: drawn, or a pointer to the user's own folder."""

import json
import shutil
from pathlib import Path

from bsn.data.sources import SETS, SOURCE_FILE
from bsn.errors import InputError
from stages.params import Data, load
from stages.runner import run_stage

OUT = Path("data/raw")


def download(set_name: str) -> None:
    if set_name not in SETS:
        raise InputError(f"set = {set_name!r} is refused; allowed: {', '.join(SETS)}")
    params = load()
    folder = OUT / set_name
    # What a broken run left behind must not mix with this one.
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if params.data.draw is not None:
        from bsn import sketch

        write = getattr(sketch, f"write_{set_name}")
        write(folder, seed=params.data.draw.seed, **getattr(params.data.draw, set_name))
        return
    source = _source(set_name, params.data, params.profile)
    (folder / SOURCE_FILE).write_text(json.dumps(source, indent=1) + "\n")
    print(f"{set_name}: {source.get('folder') or 'left out: ' + source['absent']}")


def _source(set_name: str, data: Data, profile: str) -> dict[str, str]:
    if data.folder is None:
        raise InputError(
            f"data.folder in profiles/{profile}.yaml names no folder; "
            f"give the one that holds {', '.join(SETS)}, as many of them as you have"
        )
    root = Path(data.folder).expanduser().resolve()
    if not root.is_dir():
        raise InputError(f"data.folder = {data.folder!r} in profiles/{profile}.yaml is not a folder")
    if not any((root / name).is_dir() for name in SETS):
        raise InputError(f"data.folder = {data.folder!r} holds none of {', '.join(SETS)}")
    if (root / set_name).is_dir():
        return {"folder": str(root / set_name)}
    if set_name == "pfcn":
        raise InputError(f"{root / set_name} is not there; every network is trained on PFCN")
    return {"absent": f"{root} holds no {set_name}/"}


if __name__ == "__main__":
    run_stage(download)
