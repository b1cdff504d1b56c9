import pytest

from bsn.errors import InputError
from stages.runner import run_stage


@pytest.fixture(autouse=True)
def arguments(monkeypatch):
    monkeypatch.setattr("sys.argv", ["stage", "coco"])


def test_bad_input_is_one_line_and_a_failed_stage():
    def portraits(name: str) -> None:
        raise InputError(f"{name} is bad")

    with pytest.raises(SystemExit) as caught:
        run_stage(portraits)
    assert caught.value.code == "portraits: coco is bad"


def test_full_disk_is_one_line():
    def labels(name: str) -> None:
        # A device whose writes the kernel answers as a full disk does.
        with open("/dev/full", "wb", buffering=0) as stream:
            stream.write(b"x")

    with pytest.raises(SystemExit) as caught:
        run_stage(labels)
    assert "is full; free some space and run the same command again" in caught.value.code


def test_other_errors_keep_their_traceback():
    def faces(name: str) -> None:
        raise FileNotFoundError(name)

    with pytest.raises(FileNotFoundError):
        run_stage(faces)
