"""The MLflow model in this process, in a process without the project, and behind a real server."""

import base64
import io
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Lock
from types import SimpleNamespace

import cv2
import mlflow
import numpy as np
import pandas as pd
import pytest
import requests
import torch
from mlflow.exceptions import MlflowException
from PIL import Image
from safetensors.torch import save_file

from bsn import Portrait
from bsn.alignment import FRAME, similarity_to_frame
from bsn.faces import FaceDetector
from bsn.methods.prediction import load_method
from bsn.models import build
from study.tracking.package import package_model
from study.tracking.runs import RunSpec, start_run
from study.tracking.served import PortraitModel
from tests.mlflow_server import wait_until_it_answers
from tests.ports import free_port
from tests.waiting import HUNG

MEAN_MASK = np.zeros(FRAME, np.float32)
MEAN_MASK[300:, 100:500] = 1


@pytest.fixture(scope="module")
def method(tmp_path_factory):
    """A small PortraitFCN+ with random weights: its masks are ragged, so that any difference is visible."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("models") / "portrait_fcn"
    folder.mkdir()
    options = {"classes": 2, "base_width": 2, "batch_norm": True}
    save_file(build("fcn8s", **options).state_dict(), folder / "weights.safetensors")
    (folder / "model.json").write_text(json.dumps({"network": "fcn8s", "options": options, "size": [96, 72]}))
    return folder


@pytest.fixture(scope="module")
def mean_mask(tmp_path_factory):
    file = tmp_path_factory.mktemp("mean_mask") / "aligned.npy"
    np.save(file, MEAN_MASK)
    return file


@pytest.fixture(scope="module")
def saved(method, mean_mask, tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "model"
    package_model(path, method, aligned_mean_mask=mean_mask)
    return path


@pytest.fixture
def model(saved, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))  # MLflow puts the model's code there
    return mlflow.pyfunc.load_model(str(saved))


@pytest.fixture(scope="module")
def portrait(drawn):
    """A drawn portrait of an odd size, uint8 (417, 333, 3) RGB."""
    file = sorted((drawn / "pfcn/data/images_data_crop").glob("*.jpg"))[0]
    return cv2.resize(cv2.imread(str(file)), (333, 417), interpolation=cv2.INTER_AREA)[:, :, ::-1].copy()


def png(photo):
    return cv2.imencode(".png", photo[:, :, ::-1])[1].tobytes()


def pixels(mask):
    return cv2.imdecode(np.frombuffer(mask, np.uint8), cv2.IMREAD_UNCHANGED)


def expected(method, photo):
    faces = FaceDetector(min_face_fraction=0.01, min_probability=0.9).detect(photo)
    mask = load_method(method, aligned_mean_mask=MEAN_MASK)(
        photo, similarity_to_frame(faces[0].points) if faces else None
    )
    assert 0 < mask.mean() < 1
    return mask * 255


def environment(**variables):
    """Environment variables of a process that finds this environment's programs but not the project."""
    kept = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "MLFLOW_TRACKING_URI")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
    return {**kept, "PATH": path, "NO_PROXY": "127.0.0.1", "MLFLOW_DISABLE_TELEMETRY": "true", **variables}


def request_body(*photos):
    return {"dataframe_split": {"columns": ["photo"], "data": [[base64.b64encode(p).decode()] for p in photos]}}


def answered(reply):
    return [pixels(base64.b64decode(row["mask"])) for row in reply["predictions"]]


def test_masks_equal_the_method_s_prediction_at_each_photo_s_size(model, method, portrait):
    noise = np.random.default_rng(0).integers(0, 255, (31, 57, 3), dtype=np.uint8)
    answer = model.predict(pd.DataFrame({"photo": [png(portrait), png(noise)]}))
    assert list(answer.columns) == ["mask"]
    for mask, photo in zip(answer["mask"], (portrait, noise), strict=True):
        found = pixels(mask)
        assert found.shape == photo.shape[:2]
        assert (found == expected(method, photo)).all()


def test_the_expected_mask_depends_on_the_detected_face(portrait, method):
    without = load_method(method, aligned_mean_mask=MEAN_MASK)(portrait, None) * 255
    assert (expected(method, portrait) == without).mean() < 0.99


def test_a_photo_of_one_pixel_has_a_mask_of_one_pixel(model):
    (mask,) = model.predict(pd.DataFrame({"photo": [png(np.zeros((1, 1, 3), np.uint8))]}))["mask"]
    assert pixels(mask).shape == (1, 1)


@pytest.mark.parametrize("form", ["png", "tif", "jpg", "webp", "avif"])
def test_a_photo_rotated_by_exif_gets_the_mask_of_the_upright_photo(model, portrait, tmp_path, form):
    exif = Image.Exif()
    masks = []
    for name, photo, orientation in (("upright", portrait, 1), ("lying", np.rot90(portrait).copy(), 6)):
        exif[0x0112] = orientation  # 6: a viewer turns it a quarter turn to the right
        Image.fromarray(photo).save(tmp_path / f"{name}.{form}", exif=exif, quality=100)
        masks += model.predict(pd.DataFrame({"photo": [(tmp_path / f"{name}.{form}").read_bytes()]}))["mask"].tolist()
    upright, turned = map(pixels, masks)
    assert upright.shape == turned.shape == portrait.shape[:2]
    # A lossy format rounds the rotated pixels differently.
    assert (upright == turned).mean() > (0.98 if form in ("jpg", "webp", "avif") else 0.9999)


def bad_exif():
    buffer = io.BytesIO()
    Image.new("RGB", (4, 3)).save(buffer, "PNG", exif=b"Exif\0\0b'Exif'")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"hello", "photo 2 is not a picture"),
        (b"", r"photo 2 is empty \(0 bytes\)"),
        (bad_exif(), r"photo 2 has EXIF data that can't be read \(SyntaxError: .*"),
    ],
)
def test_an_invalid_photo_is_refused_in_one_line_with_its_number(model, portrait, content, line):
    with pytest.raises(MlflowException, match=f"^{line}$") as told:
        model.predict(pd.DataFrame({"photo": [png(portrait), content]}))
    assert told.value.get_http_status_code() == 400


@pytest.mark.parametrize("error", [RuntimeError("no\nmore"), MemoryError(), ZeroDivisionError("division by zero")])
def test_any_error_of_the_detector_is_reported_in_one_line_with_status_400(model, portrait, monkeypatch, error):
    def fail(*_):
        raise error

    monkeypatch.setattr(model.unwrap_python_model().portrait.detector, "detect", fail)
    with pytest.raises(
        MlflowException, match=rf"^photo 1 could not be segmented \({type(error).__name__}.*\)$"
    ) as told:
        model.predict(pd.DataFrame({"photo": [png(portrait)]}))
    assert told.value.get_http_status_code() == 400


class OneAtATime:
    """Portrait of one thread, which fails if two threads are in it at once."""

    threads = 1

    def __init__(self):
        self.free = Lock()

    def segment(self, photo):
        if not self.free.acquire(blocking=False):
            raise RuntimeError("a second thread entered")
        time.sleep(0.2)
        self.free.release()
        return np.ones(photo.shape[:2], np.uint8)


class TwoAtATime:
    """Portrait of two threads, each of which waits for the other."""

    threads = 2

    def __init__(self):
        self.both = Barrier(2, timeout=HUNG)

    def segment(self, photo):
        self.both.wait()
        return np.ones(photo.shape[:2], np.uint8)


@pytest.mark.parametrize("fake", [OneAtATime, TwoAtATime])
def test_concurrent_requests_segment_in_as_many_threads_as_the_portrait_allows(monkeypatch, fake):
    monkeypatch.setattr(Portrait, "load", lambda method, mean_mask: fake())
    served = PortraitModel()
    served.load_context(SimpleNamespace(artifacts={"method": "models/any", "mean_mask": "any.npy"}))
    request = pd.DataFrame({"photo": [png(np.zeros((2, 3, 3), np.uint8))]})
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: served.predict(None, request), range(2)))
    for answer in answers:
        assert pixels(answer["mask"][0]).tolist() == [[255, 255, 255], [255, 255, 255]]


def test_the_saved_model_contains_no_pickle(saved):
    files = [file for file in saved.rglob("*") if file.is_file()]
    assert (saved / "served.py") in files
    assert not [file for file in files if file.suffix in (".pkl", ".pickle", ".pt", ".pth", ".joblib")]
    # The start of a pickle of protocol 2 or later.
    assert not [file for file in files if file.read_bytes()[:1] == b"\x80"]


def test_the_model_runs_without_the_project(saved, method, portrait, tmp_path):
    moved = tmp_path / "elsewhere"
    saved_copy = moved / "model"
    moved.mkdir()
    subprocess.run(["cp", "-r", saved, saved_copy], check=True)
    # Replace the project's path: nothing may be read from there.
    description = saved_copy / "MLmodel"
    description.write_text(description.read_text().replace(str(Path(__file__).parents[3]), "/gone"))
    (tmp_path / "photo.png").write_bytes(png(portrait))
    program = (
        "import mlflow, pandas, sys\n"
        "model = mlflow.pyfunc.load_model(sys.argv[1])\n"
        "photo = open(sys.argv[2], 'rb').read()\n"
        "open(sys.argv[3], 'wb').write(model.predict(pandas.DataFrame({'photo': [photo]}))['mask'][0])\n"
        "print(sys.modules['bsn'].__file__)\n"
    )
    files = [saved_copy, tmp_path / "photo.png", tmp_path / "mask.png"]
    # -I: neither the current folder nor PYTHONPATH.
    done = subprocess.run(
        [sys.executable, "-I", "-c", program, *files],
        cwd=moved,
        env=environment(),
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines()[-1] == str(saved_copy / "code/bsn/__init__.py")
    assert (pixels((tmp_path / "mask.png").read_bytes()) == expected(method, portrait)).mean() > 0.999


def test_mlflow_serves_a_logged_model_and_predicts_with_it(method, mean_mask, portrait, root, tmp_path):
    with start_run(RunSpec(experiment="bsn-served", study="any", kind="method", name="portrait_fcn")) as run:
        run.log_model(method, aligned_mean_mask=mean_mask)
    port = free_port()
    options = ["--model-uri", run.model_uri, "--env-manager", "local"]
    where = {"cwd": tmp_path, "env": environment(MLFLOW_TRACKING_URI=f"sqlite:///{root}/mlflow.db")}
    server = subprocess.Popen(
        ["mlflow", "models", "serve", *options, "--port", str(port)], start_new_session=True, **where
    )
    try:
        wait_until_it_answers(f"http://127.0.0.1:{port}/ping", server)
        answer = _post(port, request_body(png(portrait)))
        refused = [_post(port, request_body(content)) for content in (b"hello", bad_exif())]
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()
    assert answer.status_code == 200, answer.text
    (mask,) = answered(answer.json())
    assert (mask == expected(method, portrait)).mean() > 0.999
    for reply, line in zip(refused, ("photo 1 is not a picture", "photo 1 has EXIF data that can't be"), strict=True):
        assert reply.status_code == 400
        assert reply.json()["message"].startswith(line)
        assert "Traceback" not in reply.text
        assert "\n" not in reply.json()["message"]

    (tmp_path / "photo.json").write_text(json.dumps(request_body(png(portrait))))
    files = ["--input-path", "photo.json", "--output-path", "mask.json"]
    subprocess.run(["mlflow", "models", "predict", *options, *files], check=True, **where)
    (predicted,) = answered(json.loads((tmp_path / "mask.json").read_text()))
    assert (predicted == mask).all()


def _post(port, body):
    session = requests.Session()
    session.trust_env = False  # ignore the machine's proxy
    return session.post(f"http://127.0.0.1:{port}/invocations", json=body, timeout=HUNG)
