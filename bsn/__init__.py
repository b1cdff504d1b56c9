"""Boundary-sensitive Network for Portrait Segmentation: the paper's method as a library, without DVC and MLflow."""

from typing import TYPE_CHECKING, Any

from bsn.environment import wait_passively

# Set before any module of the package imports numpy, OpenCV or torch.
wait_passively()

if TYPE_CHECKING:
    from bsn.cutout.cutout import Portrait

__all__ = ["Portrait"]


def __getattr__(name: str) -> Any:
    # Late, so that importing one module of the package does not load torch.
    if name == "Portrait":
        from bsn.cutout.cutout import Portrait

        return Portrait
    raise AttributeError(f"module 'bsn' has no attribute {name!r}")
