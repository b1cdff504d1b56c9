"""Where training keeps what must outlive it."""

import numpy as np

from stages import fitting, params


def test_a_job_in_a_temporary_copy_keeps_its_checkpoints_in_the_users_own_checkout(monkeypatch, tmp_path):
    study = params.load()
    asked = {}
    monkeypatch.setenv("DVC_ROOT", str(tmp_path / "own"))
    monkeypatch.chdir(tmp_path)
    for name in ("attribute_classes", "training_photos"):
        monkeypatch.setattr(fitting, name, lambda *arguments, **options: ())
    monkeypatch.setattr(fitting, "PatchSampler", lambda photos, **options: None)
    monkeypatch.setattr(np, "load", lambda file: None)
    monkeypatch.setattr("safetensors.torch.load_file", lambda file: {})
    monkeypatch.setattr("bsn.training.fitting.fit", lambda folder, sampler, **options: asked.update(options))
    fitting.fit_method(study, study.methods["bsn"], tmp_path / "model", fabric=None)
    assert asked["checkpoints"] == tmp_path / "own/checkpoints"
