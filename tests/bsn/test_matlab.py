import contextlib

import h5py
import numpy as np
import pytest
from scipy import sparse
from scipy.io import savemat

from bsn.errors import InputError
from bsn.matlab import read_leaves, read_matrix
from tests.bsn.mat_files import HEADER, save_v5, save_v73

HEADER_BYTES = 128
MASK = np.array([[0, 1, 1], [0, 0, 1]], np.uint8)


SAVES = pytest.mark.parametrize("save", [save_v5, save_v73])


@SAVES
@pytest.mark.parametrize(
    "value",
    [
        MASK,
        MASK.astype(float),
        MASK.astype(bool),
        sparse.csc_array(MASK.astype(float)),
        [MASK],
        {"mask": MASK},
        {"inner": {"mask": sparse.csc_array(MASK.astype(float))}},
    ],
)
def test_a_matrix_is_read_in_any_class_and_any_nesting(tmp_path, save, value):
    save(tmp_path / "x.mat", {"other": np.eye(2), "mask": value})
    read = read_matrix(tmp_path / "x.mat", "mask")
    assert read.dtype.kind in "buif"
    np.testing.assert_array_equal(read, MASK)


@SAVES
def test_leaves_come_in_the_cell_s_order(tmp_path, save):
    save(tmp_path / "x.mat", {"list": ["b.jpg", np.array([[3.0, 1.0]]), "a.jpg"]})
    first, second, third = read_leaves(tmp_path / "x.mat", "list")
    assert (first, second.tolist(), third) == ("b.jpg", [[3, 1]], "a.jpg")


def test_each_row_of_a_char_matrix_is_a_text(tmp_path):
    savemat(tmp_path / "x.mat", {"list": np.array(["00001.jpg", "2.jpg"])})
    assert read_leaves(tmp_path / "x.mat", "list") == ["00001.jpg", "2.jpg    "]
    rows = np.array([[ord(letter) for letter in text] for text in ("00001.jpg", "2.jpg    ")], np.uint16)
    with h5py.File(tmp_path / "x.mat", "w", userblock_size=512) as content:
        content["list"] = rows.T
        content["list"].attrs["MATLAB_class"] = np.bytes_("char")
    assert read_leaves(tmp_path / "x.mat", "list") == ["00001.jpg", "2.jpg    "]


@SAVES
@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (5, 0)])
def test_empty_matrix_keeps_its_shape(tmp_path, save, shape):
    save(tmp_path / "x.mat", {"mask": np.zeros(shape)})
    assert read_matrix(tmp_path / "x.mat", "mask").shape == shape


@SAVES
@pytest.mark.parametrize(
    ("value", "what"),
    [
        ([], "empty"),
        ([MASK, MASK], r"uint8 \(2, 3\), uint8 \(2, 3\)"),
        ("text", "text"),
        (np.zeros((2, 2, 2)), r"float64 \(2, 2, 2\)"),
    ],
)
def test_a_variable_that_is_not_one_matrix_is_refused(tmp_path, save, value, what):
    save(tmp_path / "x.mat", {"mask": value})
    with pytest.raises(InputError, match=rf"mask of x\.mat is {what}, not one matrix of numbers"):
        read_matrix(tmp_path / "x.mat", "mask")


@SAVES
def test_complex_numbers_are_refused(tmp_path, save):
    save(tmp_path / "x.mat", {"mask": np.array([[1 + 2j]])})
    with pytest.raises(InputError, match=r"x\.mat holds complex numbers"):
        read_matrix(tmp_path / "x.mat", "mask")


@SAVES
def test_file_without_the_variable_is_named(tmp_path, save):
    save(tmp_path / "x.mat", {"other": np.eye(2)})
    with pytest.raises(InputError, match=r"x\.mat holds no variable 'mask'"):
        read_matrix(tmp_path / "x.mat", "mask")


def test_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match=r"x\.mat is missing"):
        read_matrix(tmp_path / "x.mat", "mask")


@SAVES
def test_sparse_matrix_that_no_memory_holds_is_refused(tmp_path, save):
    save(tmp_path / "x.mat", {"mask": sparse.csc_array(([1.0], ([5], [7])), shape=(10**6, 10**6))})
    with pytest.raises(InputError, match=r"x\.mat holds a sparse matrix of \(1000000, 1000000\)"):
        read_matrix(tmp_path / "x.mat", "mask")


@pytest.mark.parametrize("wrong", [-1, -(10**9), 4, 10**9])
def test_sparse_matrix_with_a_damaged_number_is_refused(tmp_path, wrong):
    # Rows, then starts of columns, as int32. scipy writes beyond the matrix where it believes them.
    savemat(tmp_path / "x.mat", {"mask": sparse.csc_array(([9.0, 9.0], ([2, 3], [0, 1])), shape=(4, 2))})
    whole = (tmp_path / "x.mat").read_bytes()
    rows, starts = (np.array(numbers, "<i4").tobytes() for numbers in ([2, 3], [0, 1, 2]))
    for place in (whole.index(rows), whole.index(rows) + 4, *(whole.index(starts) + skip for skip in (0, 4, 8))):
        (tmp_path / "x.mat").write_bytes(whole[:place] + wrong.to_bytes(4, "little", signed=True) + whole[place + 4 :])
        with pytest.raises(InputError, match=r"x\.mat is not a readable \.mat file"):
            read_matrix(tmp_path / "x.mat", "mask")


@pytest.mark.parametrize("value", [MASK, [MASK, "text"], {"mask": MASK}, sparse.csc_array(MASK.astype(float))])
def test_damaged_byte_never_ends_the_process(tmp_path, value):
    # scipy.io.loadmat ends in SIGSEGV for some of these: where the type in a tag is none.
    save_v5(tmp_path / "x.mat", {"mask": value})
    whole = (tmp_path / "x.mat").read_bytes()
    for place in range(HEADER_BYTES, len(whole)):
        for byte in {0, 0xFF, whole[place] ^ 0x10} - {whole[place]}:
            (tmp_path / "x.mat").write_bytes(whole[:place] + bytes([byte]) + whole[place + 1 :])
            with contextlib.suppress(InputError):
                read_leaves(tmp_path / "x.mat", "mask")


def test_cell_that_holds_itself_is_refused(tmp_path):
    with h5py.File(tmp_path / "x.mat", "w", userblock_size=512) as content:
        content.create_dataset("mask", (1, 1), h5py.ref_dtype).attrs["MATLAB_class"] = np.bytes_("cell")
        content["mask"][0, 0] = content["mask"].ref
    with pytest.raises(InputError, match=r"x\.mat holds cells within cells, more than 16 deep"):
        read_matrix(tmp_path / "x.mat", "mask")


@pytest.mark.parametrize("save", [lambda file, values: savemat(file, values, do_compression=True), save_v73])
@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.9])
def test_truncated_file_is_named(tmp_path, save, share):
    save(tmp_path / "x.mat", {"mask": np.random.default_rng(0).integers(0, 2, (50, 50), np.uint8)})
    whole = (tmp_path / "x.mat").read_bytes()
    (tmp_path / "x.mat").write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(InputError, match=r"x\.mat"):
        read_matrix(tmp_path / "x.mat", "mask")


def test_header_of_version_7_3_over_something_else_is_named(tmp_path):
    (tmp_path / "x.mat").write_bytes(HEADER.ljust(512, b"\0") + b"\x89HDF\r\n\x1a\n")
    with pytest.raises(InputError, match=r"x\.mat is not a readable \.mat file"):
        read_matrix(tmp_path / "x.mat", "mask")
