"""Starting weights of a network -> data/pretrained/<deeplab|fcn8s>.safetensors; without tensors if random."""

from pathlib import Path

from bsn.errors import InputError
from study.checking import require_choice
from study.params import NetworksParams, load
from study.runner import run_stage, user_path

OUT = Path("data/pretrained")


def pretrained(network: str) -> None:
    """Fetch or read the weights, and convert them to this network's names and input channels."""
    require_choice("network", network, NetworksParams.model_fields)
    # Late, so that a wrong name is refused at once.
    from safetensors.torch import save

    from bsn.disk import write_atomically
    from bsn.models import build
    from bsn.models.layers import freeze_batch_norm
    from bsn.models.weights import starting_weights

    settings = getattr(load().networks, network)
    own = user_path(settings.weights)
    source = str(own) if own.is_file() else settings.weights
    try:
        model = build(network, classes=2, **settings.architecture())
        if settings.freeze_batch_norm:
            freeze_batch_norm(model)
    except ValueError as error:  # timm cannot build the backbone, or it has no batch normalisation
        raise InputError(f"networks.{network}: {error}") from None
    tensors = starting_weights(network, source, added_channels=settings.added_channels, **settings.architecture())
    write_atomically(OUT / f"{network}.safetensors", [save(tensors)])


if __name__ == "__main__":
    run_stage(pretrained)
