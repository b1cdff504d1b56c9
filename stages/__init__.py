"""One short script per stage: read params, call study and bsn, write outs. No stage imports another stage."""

from pathlib import Path

from bsn import environment, program


def _native() -> bool:
    """Whether the profile allows the CPU's newest instructions. Invalid files are reported later, by study.params."""
    import yaml  # late: after program.begin(), so that a signal during its import ends with one line

    try:
        name = yaml.safe_load(Path("params.yaml").read_text("utf-8"))["profile"]
        return yaml.safe_load(Path(f"profiles/{name}.yaml").read_text("utf-8"))["instructions"] == "native"
    except Exception:
        return False


program.begin()
environment.fix_results(native=_native())
