from tests.experiments.conftest import Clone, someone


def test_another_user_pulls_all_data_from_s3_and_repro_with_pull_runs_no_stage(toy, bucket, storage, tmp_path):
    counted = tmp_path / "counted.txt"
    toy.run("dvc", "remote", "add", "--default", "storage", f"s3://{bucket}/toy")
    toy.run("dvc", "remote", "modify", "storage", "endpointurl", storage)
    toy.run("dvc", "repro")
    toy.run("dvc", "push", "--run-cache")
    toy.commit("the results")
    computed = ["prepare driver", "score driver", "tell driver", "train-5 driver"]
    assert sorted(counted.read_text().splitlines()) == computed

    colleague = Clone(tmp_path / "colleague/toy", someone(tmp_path / "colleague", COUNTED=str(counted)))
    toy.run("git", "clone", "--quiet", str(toy.folder), str(colleague.folder))
    colleague.run("dvc", "pull")
    assert (colleague.folder / "model.txt").read_text() == "data" * 5
    colleague.run("dvc", "repro", "--pull")
    assert "Running stage" not in colleague.output
    assert colleague.run("git", "status", "--porcelain") == ""
    assert sorted(counted.read_text().splitlines()) == computed
