"""Read variables of MATLAB files: version 5 (saved with -v6 or -v7) and HDF5 (saved with -v7.3).

scipy.io is not used for version 5, because its native reader trusts the file: a damaged tag crashes the process
(SIGSEGV). The format is described in MathWorks' "MAT-File Format", chapter "Level 5 MAT-File Format".
"""

import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np

from bsn.errors import InputError
from bsn.photos import MAX_PIXELS

Leaf = np.ndarray | str
Order = Literal["<", ">"]

# Version 5: the header of 128 bytes ends with the version and "MI", whose byte order is the file's.
_HEADER = 128
_ORDERS: dict[bytes, Order] = {b"\x00\x01IM": "<", b"\x01\x00MI": ">"}
# Version 7.3: an HDF5 file after a header of 512 bytes.
_HDF5, _HDF5_AT = b"\x89HDF\r\n\x1a\n", 512
# Version 5: dtype by the type of a data element; below, types that are not numbers.
_DTYPES = {
    **{1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"},
    **{16: "u1", 17: "u2", 18: "u4"},
}
_MATRIX, _COMPRESSED, _UTF8 = 14, 15, 16
# Classes of matrices in version 5; those in _NUMERIC hold numbers.
_CELL, _STRUCT, _CHAR, _SPARSE, _NUMERIC, _OPAQUE = 1, 2, 4, 5, range(6, 16), 17
_COMPLEX = 0x800
_NUMERIC_NAMES = re.compile(r"double|single|logical|u?int(8|16|32|64)")
# Cells within cells; in HDF5 a cell may even hold itself.
_MAX_DEPTH = 16
_MAX_BYTES = 2**30


def read_leaves(file: Path, name: str) -> list[Leaf]:
    """Read all numeric matrices and strings of one variable, also those inside cells and structs, in MATLAB's order.

    Copies of a data set differ in how they nest a variable, since people load and save it again. Sparse matrices are
    made dense.

    Args:
        file: a .mat file.
        name: of the variable.

    Returns:
        For each matrix an array of integers or floats, (rows, columns) or more dimensions; for each row of a char
        matrix a string.

    Raises:
        InputError: the file or the variable is missing, or holds something else, such as an object.
    """
    if not file.is_file():
        raise InputError(f"{file.name} is missing")
    try:
        content = file.read_bytes()
        if content.startswith(_HDF5, _HDF5_AT):
            return list(_of_hdf5(file, name))
        return list(_of_version_5(memoryview(content), file, name))
    except InputError:
        raise
    # What a damaged file raises depends on where the damage is.
    except Exception as error:
        raise InputError(f"{file.name} is not a readable .mat file ({type(error).__name__})") from error


def read_matrix(file: Path, name: str) -> np.ndarray:
    """Read a variable that holds one numeric matrix.

    Args:
        file: a .mat file.
        name: of the variable.

    Returns:
        (rows, columns), integers or floats.

    Raises:
        InputError: as `read_leaves`, or the variable holds anything but one matrix.
    """
    leaves = read_leaves(file, name)
    if len(leaves) != 1 or isinstance(leaves[0], str) or leaves[0].ndim != 2:
        kinds = ["text" if isinstance(leaf, str) else f"{leaf.dtype} {leaf.shape}" for leaf in leaves[:3]]
        more = ", ..." if len(leaves) > 3 else ""
        raise InputError(f"{name} of {file.name} is {', '.join(kinds) or 'empty'}{more}, not one matrix of numbers")
    return leaves[0]


def _of_version_5(content: memoryview, file: Path, name: str) -> Iterator[Leaf]:
    order = _ORDERS.get(bytes(content[_HEADER - 4 : _HEADER]))
    if order is None:
        raise InputError(f"{file.name} is no .mat file of version 5 or newer; in MATLAB, save it with -v7")
    for kind, body in _elements(content[_HEADER:], order):
        if kind == _COMPRESSED:
            unpacked = zlib.decompressobj().decompress(body, _MAX_BYTES)
            ((kind, body),) = _elements(memoryview(unpacked), order)
        if kind == _MATRIX and _Matrix(body, order).name == name:
            yield from _loaded(body, order, file, _MAX_DEPTH)
            return
    raise InputError(f"{file.name} holds no variable {name!r}")


def _elements(content: memoryview, order: Order) -> Iterator[tuple[int, memoryview]]:
    """Type and bytes of each data element. Raises ValueError when one is longer than `content`."""
    place = 0
    while place + 8 <= len(content):
        kind, size = struct.unpack_from(f"{order}II", content, place)
        start = place + 8
        end = start + size + (0 if kind == _COMPRESSED else -size % 8)
        if kind >> 16:  # up to four bytes, which stand in the tag itself
            kind, size, start, end = kind & 0xFFFF, kind >> 16, place + 4, place + 8
        body = content[start : min(start + size, end)]
        if len(body) < size:
            raise ValueError("an element longer than the file")
        yield kind, body
        place = end


def _numbers(element: tuple[int, memoryview], order: Order) -> np.ndarray:
    kind, body = element
    dtype = np.dtype(_DTYPES[kind])
    return np.frombuffer(body, dtype.newbyteorder(order)).astype(dtype)


class _Matrix:
    """Header of a version 5 matrix (class, size, name), and the elements that hold its content."""

    size: tuple[int, ...]

    def __init__(self, body: memoryview, order: Order) -> None:
        if not body:  # [] within a cell
            self.kind, self.is_complex, self.size, self.name, self.rest = _NUMERIC[0], False, (0, 0), "", [(9, body)]
            return
        flags, *rest = _elements(body, order)
        bits = int(_numbers(flags, order)[0])
        self.kind, self.is_complex = bits & 0xFF, bool(bits & _COMPLEX)
        self.size = () if self.kind == _OPAQUE else tuple(_numbers(rest.pop(0), order).tolist())
        self.name, self.rest = bytes(rest[0][1]).decode("utf-8", "replace"), rest[1:]


def _loaded(body: memoryview, order: Order, file: Path, depth: int) -> Iterator[Leaf]:
    if depth == 0:
        raise InputError(f"{file.name} holds cells within cells, more than {_MAX_DEPTH} deep")
    matrix = _Matrix(body, order)
    if matrix.is_complex:
        raise InputError(f"{file.name} holds complex numbers")
    if matrix.kind in (_CELL, _STRUCT):
        # A struct has two elements before its matrices, for the names of its fields.
        for kind, inner in matrix.rest:
            if kind == _MATRIX:
                yield from _loaded(inner, order, file, depth - 1)
    elif matrix.kind == _CHAR:
        kind, text = matrix.rest[0]
        if kind == _UTF8:
            codes = [ord(letter) for letter in bytes(text).decode("utf-8", "replace")]
        else:
            codes = _numbers((kind, text), order)
        yield from _texts(np.reshape(codes, matrix.size, order="F"))
    elif matrix.kind == _SPARSE:
        rows, starts = (_numbers(element, order) for element in matrix.rest[:2])
        kind, body = matrix.rest[2]
        # MATLAB stores a sparse logical matrix's values as bytes in an element whose type says double.
        values = np.frombuffer(body, np.uint8) if len(body) == len(rows) else _numbers((kind, body), order)
        yield _dense(values, rows, starts, matrix.size[0], file)
    elif matrix.kind in _NUMERIC:
        yield _numbers(matrix.rest[0], order).reshape(matrix.size, order="F")
    else:
        raise InputError(f"{file.name} holds a MATLAB object or function, not numbers or text")


def _of_hdf5(file: Path, name: str) -> Iterator[Leaf]:
    import h5py  # late: slow to import, and seldom needed

    with h5py.File(file, "r") as content:
        if name not in content:
            raise InputError(f"{file.name} holds no variable {name!r}")
        yield from _stored(content[name], file, _MAX_DEPTH)


def _stored(node: Any, file: Path, depth: int) -> Iterator[Leaf]:
    """Leaves of a h5py.Group or h5py.Dataset. MATLAB stores by columns, so that HDF5's axes are reversed."""
    import h5py

    is_group = isinstance(node, h5py.Group)
    if depth == 0:
        raise InputError(f"{file.name} holds cells within cells, more than {_MAX_DEPTH} deep")
    kind = bytes(node.attrs.get("MATLAB_class", b"")).decode()
    is_numeric = _NUMERIC_NAMES.fullmatch(kind) is not None
    if is_group and "MATLAB_sparse" in node.attrs:
        yield _stored_sparse(node, file)
    elif is_group and kind == "struct":
        for field in node.values():
            yield from _stored(field, file, depth - 1)
    elif is_group:
        raise InputError(f"{file.name} holds a MATLAB object or function, not numbers or text")
    elif node.size > MAX_PIXELS:
        raise InputError(f"{file.name} holds {node.shape} values, more than {MAX_PIXELS}")
    elif node.attrs.get("MATLAB_empty", 0):
        if is_numeric:
            yield np.zeros([int(length) for length in node[()]])  # the values are the size, mostly (0, 0)
    elif node.dtype == h5py.ref_dtype:
        for reference in node[()].ravel():  # a cell, or the field of a struct array
            yield from _stored(node.file[reference], file, depth - 1)
    elif kind == "char":
        yield from _texts(node[()].T)
    elif is_numeric and node.dtype.kind not in "buif":
        raise InputError(f"{file.name} holds complex numbers")
    elif is_numeric:
        yield node[()].T
    else:
        raise InputError(f"{file.name} holds a MATLAB object or function, not numbers or text")


def _stored_sparse(group: Any, file: Path) -> np.ndarray:
    rows, values = (group[key][()] if key in group else np.zeros(0, np.uint8) for key in ("ir", "data"))
    return _dense(values, rows, group["jc"][()], int(group.attrs["MATLAB_sparse"]), file)


def _texts(codes: np.ndarray) -> Iterator[str]:
    """The rows of a char array (..., length)."""
    if codes.size:
        yield from ("".join(map(chr, row)) for row in codes.reshape(-1, codes.shape[-1]))


def _dense(values: np.ndarray, rows: np.ndarray, starts: np.ndarray, height: int, file: Path) -> np.ndarray:
    """Dense matrix from compressed columns: column c has the values and rows from starts[c] to starts[c + 1].

    scipy.sparse is not used: its native code does not check all indices that a damaged file may hold.
    """
    shape, rows, lengths = (height, len(starts) - 1), rows.astype(np.int64), np.diff(starts.astype(np.int64))
    if height * len(starts) > MAX_PIXELS:
        raise InputError(f"{file.name} holds a sparse matrix of {shape}, more than {MAX_PIXELS} values")
    count = int(starts[-1])
    if starts[0] != 0 or (lengths < 0).any() or count > min(len(rows), len(values)) or rows.min(initial=0) < 0:
        raise ValueError("a sparse matrix whose columns are not one after the other")
    matrix = np.zeros(shape, values.dtype)
    matrix[rows[:count], np.repeat(np.arange(shape[1]), lengths)] = values[:count]
    return matrix
