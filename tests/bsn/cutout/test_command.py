import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pymatting
import pytest
from PIL import Image

from bsn.__main__ import main
from bsn.alignment import FRAME
from bsn.cutout import cutout, matting
from tests.bsn.cutout.stand_ins import RedPart, Told, face

POINTS = [[60, 80], [90, 80], [75, 100], [62, 115], [88, 115]]


@pytest.fixture
def here(tmp_path, monkeypatch, disc):
    """A folder to work in, with the files of a trained method; its network is a stand-in that knows red from green."""
    monkeypatch.chdir(tmp_path)
    Path("models/bsn").mkdir(parents=True)
    Path("models/bsn/model.json").write_text(json.dumps({"network": "mean_mask", "options": {}}))
    Path("data/mean_mask").mkdir(parents=True)
    np.save("data/mean_mask/aligned.npy", np.zeros(FRAME, np.float32))
    monkeypatch.setattr(cutout, "load_method", lambda *_, **__: RedPart())
    monkeypatch.setattr(cutout, "face_detector", lambda _: Told(face(POINTS)))
    Path("p").mkdir()
    Image.fromarray(disc.photo).save("p/a.png")
    Image.fromarray(disc.photo[:, ::-1]).save("p/b.jpg", quality=95)
    return tmp_path


def segment(capsys, *arguments):
    """Exit status, lines of the output, lines of the errors."""
    status = main(["segment", *map(str, arguments)])
    told = capsys.readouterr()
    return status, told.out.splitlines(), told.err.splitlines()


def read(file):
    return np.asarray(Image.open(file))


def test_a_folder_of_photos_becomes_a_folder_of_cut_outs(here, capsys, disc):
    status, lines, errors = segment(capsys, "p", "--out", "new/cut")
    assert (status, errors) == (0, [])
    assert lines == ["p/a.png -> new/cut/a.png", "p/b.jpg -> new/cut/b.png"]
    assert sorted(file.name for file in Path("new/cut").iterdir()) == ["a.png", "b.png"]
    cut = read("new/cut/a.png")
    assert cut.shape == (200, 150, 4)
    assert (cut[..., 3][disc.alpha == 1] > 250).mean() > 0.99
    assert (cut[..., 3][disc.alpha == 0] < 5).mean() > 0.99


def test_each_option_writes_a_picture_instead_of_the_cut_out(here, capsys, disc):
    options = ["--trimap", "--matte", "--background", "white", "--blur", "--cartoon"]
    status, lines, _ = segment(capsys, "p/a.png", "--out", "o", *options)
    kinds = ["trimap", "matte", "background", "blur", "cartoon"]
    assert status == 0
    assert lines == ["p/a.png -> " + ", ".join(f"o/a_{kind}.png" for kind in kinds)]
    assert sorted(file.name for file in Path("o").iterdir()) == sorted(f"a_{kind}.png" for kind in kinds)
    trimap, matte, replaced, blur, cartoon = (read(f"o/a_{kind}.png") for kind in kinds)
    assert set(np.unique(trimap)) == {0, 128, 255}
    assert matte.shape == (200, 150)
    far = disc.alpha == 0
    assert (replaced[far] == 255).mean() > 0.99
    assert (cartoon[far] == 255).mean() > 0.99
    # The green of the photo is in none of the edges: skin, white and what lies between have less green than red.
    assert (replaced[..., 1].astype(int) - replaced[..., 0]).max() <= 6
    assert (cartoon[..., 1].astype(int) - cartoon[..., 0]).max() <= 6
    assert abs(blur[far].mean(axis=0) - disc.photo[far].mean(axis=0)).max() < 3


def test_a_cartoon_without_a_background_is_transparent_around_the_portrait(here, capsys, disc):
    segment(capsys, "p/a.png", "--out", "o", "--cartoon")
    cartoon = read("o/a_cartoon.png")
    assert cartoon.shape == (200, 150, 4)
    assert (cartoon[..., 3][disc.alpha == 0] < 5).mean() > 0.99


def test_the_band_widens_the_unknown_edge(here, capsys):
    unknown = []
    for band in ("20", "40"):
        segment(capsys, "p/a.png", "--out", "o", "--trimap", "--band", band)
        unknown.append((read("o/a_trimap.png") == 128).sum())
    assert unknown[1] == pytest.approx(2 * unknown[0], rel=0.25)


@pytest.mark.parametrize(
    ("faces", "remark"),
    [
        ([], "  (no face found: position unknown to the network)"),
        ([face(POINTS)], ""),
        ([face(POINTS)] * 3, "  (3 faces: aligned to the largest)"),
    ],
)
def test_the_line_names_the_number_of_faces(here, capsys, monkeypatch, faces, remark):
    monkeypatch.setattr(cutout, "face_detector", lambda _: Told(*faces))
    _, lines, _ = segment(capsys, "p/a.png", "--out", "o", "--trimap")
    assert lines == [f"p/a.png -> o/a_trimap.png{remark}"]


def test_a_photo_without_a_portrait_gives_an_empty_cut_out_and_says_so(here, capsys):
    Image.new("RGB", (40, 30), "green").save("leaf.png")
    status, lines, _ = segment(capsys, "leaf.png", "--out", "o")
    assert (status, lines) == (0, ["leaf.png -> o/leaf.png  (no portrait found)"])
    assert read("o/leaf.png")[..., 3].max() == 0


def test_each_photo_that_fails_gets_one_line_and_the_others_are_processed(here, capsys):
    Path("p/c.jpg").write_bytes(b"")
    Path("p/d.jpg").write_bytes(Path("p/b.jpg").read_bytes()[:500])
    status, lines, errors = segment(capsys, "gone.jpg", "p", "--out", "o", "--trimap")
    assert status == 1
    assert [line.split(" -> ")[0] for line in lines] == ["p/a.png", "p/b.jpg"]
    assert errors[0].startswith("segment: gone.jpg is not there; ")
    assert errors[1] == "segment: p/c.jpg is empty (0 bytes)"
    assert errors[2].startswith("segment: p/d.jpg is truncated or broken (")
    assert len(errors) == 3


def png_with(exif):
    buffer = io.BytesIO()
    Image.new("RGB", (40, 30), "red").save(buffer, "PNG", exif=exif)
    return buffer.getvalue()


def test_every_kind_of_bad_photo_is_one_line_and_the_others_are_processed(here, capsys, monkeypatch, disc):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 40000)
    for name, content in {
        "IMG_1.AAE": b"<plist/>",
        "bad_exif.png": png_with(b"Exif\0\0b'Exif'"),
        "empty.webp": b"",
        "half.jpg": Path("p/b.jpg").read_bytes()[:2000],
        "notes.txt": b"the best is a.png",
        ".DS_Store": b"left alone",
        "thumbs.db": b"left alone",
    }.items():
        Path("p", name).write_bytes(content)
    Path("p/sub").mkdir()
    Path("p/gone.jpg").symlink_to("nowhere.jpg")
    Image.new("RGB", (1, 1), "red").save("p/one_pixel.png")
    Image.new("RGB", (1, 9), "red").save("p/narrow.png")
    Image.new("RGB", (300, 300)).save("p/bomb.png")
    Image.fromarray(disc.photo).save("p/IMG_1.JPE", "JPEG", quality=95)
    Image.fromarray(disc.photo).save("p/saved_from_web.jfif", "JPEG", quality=95)
    Image.fromarray(disc.photo).save("p/modern.AVIF", quality=90)
    Image.fromarray(disc.photo).save("p/noend", "PNG")
    status, lines, errors = segment(capsys, "p", "--out", "o")
    assert status == 1
    done = ["IMG_1.JPE", "a.png", "b.jpg", "modern.AVIF", "noend", "saved_from_web.jfif"]
    assert [line.split(" -> ")[0] for line in lines] == [f"p/{name}" for name in done]
    assert sorted(file.name for file in Path("o").iterdir()) == sorted(f"{Path(name).stem}.png" for name in done)
    failed = {
        "IMG_1.AAE": " is not a picture",
        "bad_exif.png": " has EXIF data that can't be read (SyntaxError: ",
        "bomb.png": " has more than 40000 pixels",
        "empty.webp": " is empty (0 bytes)",
        "gone.jpg": " is a link to nothing",
        "half.jpg": " is truncated or broken (",
        "narrow.png": ": 9x1 pixels are too few",
        "notes.txt": " is not a picture",
        "one_pixel.png": ": 1x1 pixels are too few",
    }
    assert len(errors) == len(failed)
    for line, (name, reason) in zip(errors, failed.items(), strict=True):
        assert line.startswith(f"segment: p/{name}{reason}")


@pytest.mark.parametrize("part", ["detector", "network", "matting"])
@pytest.mark.parametrize("error", [ZeroDivisionError("division by zero"), MemoryError(), RuntimeError("no\nmore")])
def test_any_exception_for_one_photo_is_one_line_about_it(here, capsys, monkeypatch, part, error):
    def fail_once(*arguments):
        # b.jpg, the second photo, has green at the left.
        if fail_once.calls == 1:
            fail_once.calls += 1
            raise error
        fail_once.calls += 1
        return fail_once.original(*arguments)

    fail_once.calls = 0
    if part == "detector":
        fail_once.original = Told.detect
        monkeypatch.setattr(Told, "detect", fail_once)
    elif part == "network":
        fail_once.original = RedPart.__call__
        monkeypatch.setattr(RedPart, "__call__", fail_once)
    else:
        fail_once.original = matting._closed_form
        monkeypatch.setattr(matting, "_closed_form", fail_once)
    shutil.copy("p/b.jpg", "p/c.jpg")
    status, lines, errors = segment(capsys, "p", "--out", "o")
    assert status == 1
    assert [line.split(" -> ")[0] for line in lines] == ["p/a.png", "p/c.jpg"]
    (line,) = errors
    assert line.startswith(f"segment: p/b.jpg: cannot be cut out ({type(error).__name__}")


def test_a_matte_without_a_solution_is_an_error_that_names_the_photo(here, capsys, monkeypatch):
    def diverge(*_, **__):
        raise ValueError("Conjugate gradient descent did not converge within 10000 iterations")

    monkeypatch.setattr(pymatting, "estimate_alpha_cf", diverge)
    status, _, errors = segment(capsys, "p/a.png", "--out", "o")
    assert (status, len(errors)) == (1, 1)
    assert errors[0].startswith("segment: p/a.png: the matte can't be solved (Conjugate gradient")


def test_ctrl_c_ends_the_batch(here, capsys, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(RedPart, "__call__", interrupt)
    with pytest.raises(KeyboardInterrupt):
        segment(capsys, "p", "--out", "o")


def test_a_picture_that_cannot_be_written_is_one_line_about_its_photo(here, capsys):
    Path("o/a.png").mkdir(parents=True)
    status, lines, errors = segment(capsys, "p", "--out", "o")
    assert (status, lines) == (1, ["p/b.jpg -> o/b.png"])
    assert errors == ["segment: p/a.png: o/a.png cannot be read or written: Is a directory"]


def test_names_as_long_as_the_file_system_allows_are_written_and_longer_ones_refused(here, capsys):
    name = "ü" * 125 + "a"
    shutil.copy("p/a.png", f"p/{name}.png")
    status, lines, errors = segment(capsys, "p", "--out", "o")
    assert (status, errors) == (0, [])
    assert lines[-1] == f"p/{name}.png -> o/{name}.png"
    status, lines, errors = segment(capsys, "p", "--out", "o", "--trimap")
    assert (status, len(lines), len(errors)) == (1, 2, 1)
    assert errors[0].endswith(f"o/{name}_trimap.png cannot be read or written: File name too long")


def test_a_name_that_the_terminal_cannot_encode_is_printed_escaped(here):
    name = os.fsdecode(b"caf\xe9.png")
    shutil.copy("p/a.png", name)
    Path(os.fsdecode(b"bad\xe9.png")).write_bytes(b"")
    program = (
        "import sys; from bsn.cutout import cutout; from bsn.__main__ import main\n"
        "from tests.bsn.cutout.stand_ins import RedPart, Told\n"
        "cutout.load_method, cutout.face_detector = lambda *_, **__: RedPart(), lambda _: Told()\n"
        "sys.exit(main(['segment', *sys.argv[1:], '--out', 'o', '--trimap']))"
    )
    for encoding in ("utf-8", "ascii"):
        done = subprocess.run(
            [sys.executable, "-c", program, name, os.fsdecode(b"bad\xe9.png"), "p/a.png"],
            env={**os.environ, "PYTHONIOENCODING": encoding, "PYTHONPATH": str(Path(__file__).parents[3])},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert [line.split("  ")[0] for line in done.stdout.splitlines()] == [
            "caf\\udce9.png -> o/caf\\udce9_trimap.png",
            "p/a.png -> o/a_trimap.png",
        ]
        assert done.stderr.splitlines() == ["segment: bad\\udce9.png is empty (0 bytes)"]


@pytest.mark.parametrize("option", [["--model", "m" * 300], ["--mean-mask", "m" * 300], ["--background", "m" * 300]])
def test_an_option_that_is_not_a_path_is_an_error_of_one_line(here, capsys, option):
    status, lines, errors = segment(capsys, "p", "--out", "o", *option)
    assert (status, lines, len(errors)) == (1, [], 1)


def test_transparent_pixels_stay_transparent_in_every_picture_without_a_new_background(here, capsys, disc):
    opacity = np.full(disc.mask.shape, 255, np.uint8)
    opacity[:, :75] = 0
    opacity[90:110, 100:120] = 128  # inside of the portrait
    Image.fromarray(np.dstack([disc.photo, opacity])).save("half.png")
    segment(capsys, "half.png", "--out", "o")
    segment(capsys, "half.png", "--out", "o", "--matte", "--blur", "--cartoon")
    segment(capsys, "half.png", "--out", "white", "--background", "white", "--cartoon")
    cut, matte, blur, cartoon = (read(f"o/half{kind}.png") for kind in ("", "_matte", "_blur", "_cartoon"))
    for alpha in (cut[..., 3], matte, cartoon[..., 3]):
        assert (alpha[:, :75] == 0).all()
        assert (abs(alpha[92:108, 102:118].astype(int) - 128) <= 1).all()
        assert (alpha[:, 80:][disc.alpha[:, 80:] == 1] >= 127).mean() > 0.99
    assert (blur[..., 3] == opacity).all()
    for kind in ("background", "cartoon"):
        assert (read(f"white/half_{kind}.png")[:, :75] == 255).all()


def test_no_input_is_overwritten(here, capsys):
    before = Path("p/a.png").read_bytes()
    status, lines, errors = segment(capsys, "p", "--out", "p")
    assert status == 1
    assert errors == ["segment: p/a.png: p/a.png would overwrite a photo that was given; take another --out"]
    assert lines == ["p/b.jpg -> p/b.png"]
    assert Path("p/a.png").read_bytes() == before


def test_a_picture_of_the_users_own_is_kept_and_one_of_an_earlier_run_replaced(here, capsys):
    Image.fromarray(np.zeros((3, 3), np.uint8)).save("p/b.png")
    before = Path("p/b.png").read_bytes()
    status, lines, errors = segment(capsys, "p/b.jpg", "--out", "p")
    assert (status, lines) == (1, [])
    assert errors == ["segment: p/b.jpg: p/b.png is there, and bsn segment did not write it; take another --out"]
    assert Path("p/b.png").read_bytes() == before
    Path("p/b.png").unlink()
    for _ in range(2):
        assert segment(capsys, "p/b.jpg", "--out", "p") == (0, ["p/b.jpg -> p/b.png"], [])


def test_pictures_of_an_earlier_run_are_no_photos_of_their_folder(here, capsys):
    for photos in ("p", "p", "p/*"):
        assert segment(capsys, photos, "--out", "p", "--mask") == (
            0,
            ["p/a.png -> p/a_mask.png", "p/b.jpg -> p/b_mask.png"],
            [],
        )


def test_an_empty_folder_name_is_refused(here, capsys):
    with pytest.raises(SystemExit):
        main(["segment", "p", "--out", ""])
    assert "argument --out: it is empty; name a folder" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_to_is_one_line_before_the_first_photo(here, capsys, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)  # as on a read-only disk; root may write to any other folder
    status, lines, errors = segment(capsys, "p", "--out", "o")
    assert (status, lines, errors) == (1, [], ["segment: --out o cannot be written to; name another folder"])


def test_the_background_picture_is_an_input_too(here, capsys):
    shutil.copy("p/a.png", "a_background.png")
    status, _, errors = segment(capsys, "p/a.png", "--background", "a_background.png", "--out", ".")
    assert status == 1
    assert "a_background.png would overwrite a photo that was given" in errors[0]


def test_two_photos_of_one_name_do_not_overwrite_each_other(here, capsys):
    Path("q").mkdir()
    shutil.copy("p/b.jpg", "q/a.jpg")
    status, lines, errors = segment(capsys, "p/a.png", "q/a.jpg", "--out", "o", "--trimap")
    assert (status, len(lines)) == (1, 1)
    assert errors == [
        "segment: q/a.jpg: o/a_trimap.png is already written for p/a.png; segment it in a call of its own, "
        "with another --out"
    ]


def test_an_unknown_colour_stops_before_anything_is_written(here, capsys):
    status, lines, errors = segment(capsys, "p", "--out", "o", "--background", "blurple")
    assert (status, lines, len(errors)) == (1, [], 1)
    assert errors[0].startswith("segment: background = 'blurple' is neither a file nor a colour")
    assert not Path("o").exists()


def test_a_file_in_the_folders_place_is_an_error_of_one_line(here, capsys):
    Path("o").write_text("")
    status, _, errors = segment(capsys, "p", "--out", "o")
    assert (status, errors) == (1, ["segment: --out o is a file; name a folder"])


def test_without_weights_it_says_which_command_makes_them(here, capsys):
    shutil.rmtree("models")
    status, _, errors = segment(capsys, "p", "--out", "o")
    assert status == 1
    assert errors == [
        "segment: models/bsn/model.json is not there; "
        "name the folder of a trained network: `dvc repro train@bsn` makes models/bsn"
    ]


@pytest.mark.parametrize("band", ["0", "-3", "wide", "inf", "nan"])
def test_an_invalid_band_is_refused(here, capsys, band):
    with pytest.raises(SystemExit):
        main(["segment", "p", "--out", "o", f"--band={band}"])
    assert f"band = '{band}'; give a number of pixels above 0" in capsys.readouterr().err


def test_help_imports_no_torch_and_the_command_neither_dvc_nor_mlflow():
    code = (
        "import sys\nfrom bsn.__main__ import main\n"
        "try: main(['segment', '--help'])\nexcept SystemExit: pass\n"
        "assert not {'torch', 'cv2'} & set(sys.modules)\n"
        "import bsn.cutout.command\n"
        "assert not {'dvc', 'mlflow', 'matplotlib'} & set(sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert "dvc repro train@bsn" in told
