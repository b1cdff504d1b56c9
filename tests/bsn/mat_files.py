"""MATLAB files of versions 5 and 7.3, and odd values to put into them.

scipy writes version 5. Version 7.3 is written here as MATLAB does: HDF5 behind a header, arrays by columns, cells as
references.
"""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from hypothesis import strategies as st
from scipy import sparse
from scipy.io import savemat

HEADER = b"MATLAB 7.3 MAT-file, Platform: GLNXA64, HDF5 schema 1.00 .".ljust(124) + b"\x00\x02IM"


_SHAPES = [(0, 0), (0, 2), (1, 1), (1, 7), (49, 2), (98, 2), (2, 49), (3, 4), (2, 2, 2)]
_ARRAYS = st.builds(
    np.full,
    st.sampled_from(_SHAPES),
    st.sampled_from([0, 1, 2.5, 300, 1e30, np.nan, -np.inf]),
    st.sampled_from([np.float32, np.float64, np.complex128]),
) | st.builds(
    np.full,
    st.sampled_from(_SHAPES),
    st.sampled_from([0, 1, 7]),
    st.sampled_from([bool, np.uint8, np.int16, np.uint64, np.int64]),
)
_LEAVES = (
    _ARRAYS
    | st.sampled_from(["00001.jpg", "7", " ", "\u0000", "-1", "photo", "1" * 5000])
    | st.sampled_from([sparse.csc_array((3, 4)), sparse.csc_array(np.eye(4)), sparse.csc_array((10**5, 10**5))])
)
# What a variable may hold that nobody expects there: a list stands for a cell, a dict for a struct.
ODD_VALUES = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "pred"]), inner, min_size=1),
    max_leaves=4,
)


def save_v5(file: Path, variables: dict[str, Any]) -> None:
    """Save by scipy; a list is a cell (1, N), a dict a struct."""
    savemat(file, {name: _cells(value) for name, value in variables.items()})


def _cells(value: Any) -> Any:
    if isinstance(value, dict):
        return {field: _cells(inner) for field, inner in value.items()}
    if not isinstance(value, list):
        return value
    cell = np.empty((1, len(value)), object)
    for place, inner in enumerate(value):
        cell[0, place] = _cells(inner)
    return cell


def save_v73(file: Path, variables: dict[str, Any]) -> None:
    """Save as MATLAB does: a list is a cell (1, N), a dict a struct, text a char array, a sparse matrix itself."""
    with h5py.File(file, "w", userblock_size=512) as content:
        for name, value in variables.items():
            _put(content, name, value)
    with file.open("r+b") as stream:
        stream.write(HEADER)


def _put(group: h5py.Group, name: str, value: Any) -> None:
    if isinstance(value, dict):
        struct = group.create_group(name)
        struct.attrs["MATLAB_class"] = np.bytes_("struct")
        for field, inner in value.items():
            _put(struct, field, inner)
    elif sparse.issparse(value):
        columns, matrix = value.tocsc(), group.create_group(name)
        matrix.attrs["MATLAB_class"] = np.bytes_("double")
        matrix.attrs["MATLAB_sparse"] = np.uint64(columns.shape[0])
        matrix["jc"] = columns.indptr.astype(np.uint64)
        if columns.nnz:
            matrix["data"], matrix["ir"] = columns.data, columns.indices.astype(np.uint64)
    elif isinstance(value, list):
        references = np.empty((1, len(value)), h5py.ref_dtype)
        cells = group.file.require_group("#refs#")
        for place, inner in enumerate(value):
            key = f"{group.name}/{name}/{place}".replace("/", "_")
            _put(cells, key, inner)
            references[0, place] = cells[key].ref
        _array(group, name, references, "cell")
    elif isinstance(value, str):
        _array(group, name, np.array([[ord(letter) for letter in value]], np.uint16), "char")
    else:
        kinds = {"bool": "logical", "float64": "double", "float32": "single", "complex128": "double"}
        stored = value.astype(np.uint8) if value.dtype == bool else value
        _array(group, name, stored, kinds.get(value.dtype.name, value.dtype.name))


def _array(group: h5py.Group, name: str, value: np.ndarray, kind: str) -> None:
    if value.size == 0:
        group[name] = np.array(value.shape, np.uint64)
        group[name].attrs["MATLAB_empty"] = np.uint8(1)
    else:
        group.create_dataset(name, data=value.T, dtype=value.dtype)
    group[name].attrs["MATLAB_class"] = np.bytes_(kind)
