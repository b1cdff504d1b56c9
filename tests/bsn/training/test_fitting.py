import pytest
from lightning_fabric import Fabric

from bsn.training.fitting import fit
from bsn.training.loop import Phase
from tests.bsn.training.test_loop import recipe, toy_sampler

DEEPLAB = {"network": "deeplab", "options": {"classes": 2, "backbone": "resnet18", "base_width": 8, "attributes": 1}}
FCN8S = {"network": "fcn8s", "options": {"classes": 2, "base_width": 4}}


@pytest.mark.parametrize(
    ("description", "phases", "line"),
    [
        (FCN8S, 2, "FCN8s has no branch to learn hair, hat; leave the attributes out"),
        (DEEPLAB, 1, "hair, hat: attributes are learned in phase two, and the recipe has one; give it two"),
    ],
)
def test_attributes_that_nothing_would_learn_are_refused_before_training(tmp_path, description, phases, line):
    with pytest.raises(ValueError, match=line):
        fit(
            tmp_path / "model",
            toy_sampler(),
            description={**description, "size": [32, 24], "attributes": ["hair", "hat"]},
            start={},
            recipe=recipe(phases=[Phase(iterations=1, learning_rate=0.01)] * phases),
            seed=0,
            fabric=Fabric(accelerator="cpu"),
            checkpoints=tmp_path / "checkpoints",
        )
    assert list(tmp_path.iterdir()) == []
