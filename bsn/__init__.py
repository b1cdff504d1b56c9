"""Boundary-sensitive network for portrait segmentation: the method, importable, and free of DVC."""

from typing import TYPE_CHECKING, Any

from bsn.environment import wait_passively

# A package is imported before any of its modules, and so before whatever a module of it imports.
wait_passively()

if TYPE_CHECKING:
    from bsn.cutout.portrait import Portrait

__all__ = ["Portrait"]


def __getattr__(name: str) -> Any:
    # Only when it is asked for: whoever imports a single module of this package need not load torch.
    if name == "Portrait":
        from bsn.cutout.portrait import Portrait

        return Portrait
    raise AttributeError(f"module 'bsn' has no attribute {name!r}")
