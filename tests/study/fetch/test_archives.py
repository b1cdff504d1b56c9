import gzip
import io
import os
import random
import re
import shutil
import struct
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bsn.disk import FullDisk
from bsn.errors import InputError
from study.fetch.archives import member_names, safe_name, safe_paths, unpack

MANY = 1 << 30
KINDS = [".zip", ".tar", ".tar.gz"]


def entry(name: str, kind: bytes = tarfile.REGTYPE, size: int = 0, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname = kind, size, link
    return info


def make_tar(file: Path, members: list[tuple[tarfile.TarInfo, bytes]]) -> Path:
    with tarfile.open(file, "w:gz" if file.suffix == ".gz" else "w") as opened:
        for info, content in members:
            info.size = len(content)
            opened.addfile(info, io.BytesIO(content))
    return file


def make_zip(file: Path, members: list[tuple[zipfile.ZipInfo | str, bytes]]) -> Path:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as opened:
        for info, content in members:
            opened.writestr(info, content)
    return file


def make(folder: Path, kind: str, members: list[tuple[str, bytes]]) -> Path:
    file = folder / f"archive{kind}"
    if kind == ".zip":
        return make_zip(file, members)
    return make_tar(file, [(entry(name), content) for name, content in members])


def refused(archive: Path, out: Path, words: str, **options) -> None:
    """Assert that unpacking fails with one line that names the archive, and writes nothing in `out` or outside."""
    before = sorted(archive.parent.rglob("*"))
    with pytest.raises(InputError, match=words) as caught:
        unpack(archive, out, **{"max_bytes": MANY, **options})
    assert str(archive) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert [path for path in sorted(archive.parent.rglob("*")) if path.is_file()] == [
        path for path in before if path.is_file()
    ]


@pytest.fixture
def out(tmp_path):
    return tmp_path / "in" / "out"


CONTENT = random.Random(1).randbytes(3_000_000)


@pytest.mark.parametrize("kind", KINDS)
def test_members_are_unpacked_in_order_with_their_bytes(tmp_path, out, kind):
    archive = make(tmp_path, kind, [("b/2.jpg", CONTENT), ("b/1.jpg", b""), ("./a.txt", b"a")])
    assert member_names(archive) == ["b/2.jpg", "b/1.jpg", "a.txt"]
    assert unpack(archive, out, max_bytes=len(CONTENT) + 1) == [out / "b/2.jpg", out / "b/1.jpg", out / "a.txt"]
    assert [(out / name).read_bytes() for name in member_names(archive)] == [CONTENT, b"", b"a"]
    assert len(list(out.rglob("*"))) == 4, "no temporary file is left"


@pytest.mark.parametrize("kind", KINDS)
def test_only_wanted_members_are_written(tmp_path, out, kind):
    archive = make(tmp_path, kind, [("a/1.jpg", CONTENT), ("a/1.txt", b"x"), ("b/2.jpg", b"yy")])
    files = unpack(archive, out, wanted=lambda name: name in ("a/1.txt", "b/2.jpg"), max_bytes=3)
    assert files == [out / "a/1.txt", out / "b/2.jpg"]
    assert sorted(path.name for path in out.rglob("*.*")) == ["1.txt", "2.jpg"]


def test_folders_are_not_listed_as_members(tmp_path, out):
    tar = make_tar(tmp_path / "a.tar", [(entry("d", tarfile.DIRTYPE), b""), (entry("d/x"), b"1")])
    packed = make_zip(tmp_path / "a.zip", [("d/", b""), ("e\\", b""), ("d/x", b"1")])
    assert member_names(tar) == member_names(packed) == ["d/x"]


def test_backslashes_in_names_are_read_as_slashes(tmp_path, out):
    archive = make_zip(tmp_path / "a.zip", [("a\\b\\x.txt", b"1")])
    assert unpack(archive, out, max_bytes=MANY) == [out / "a/b/x.txt"]


@pytest.mark.parametrize("kind", KINDS)
def test_an_existing_file_is_replaced_and_not_overwritten_in_place(tmp_path, out, kind):
    out.mkdir(parents=True)
    (out / "a").write_bytes(b"old and longer")
    other = out / "other"
    os.link(out / "a", other)
    unpack(make(tmp_path, kind, [("a", b"new")]), out, max_bytes=MANY)
    assert (out / "a").read_bytes() == b"new"
    assert other.read_bytes() == b"old and longer", "who had it open still sees the old one"


# Names


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("../x", "leads out of its folder"),
        ("a/../../x", "leads out of its folder"),
        ("a\\..\\..\\x", "leads out of its folder"),
        ("..\\x", "leads out of its folder"),
        ("/tmp/x", "is an absolute name"),
        ("\\x", "is an absolute name"),
        ("//server/x", "is an absolute name"),
        ("C:\\x", "names a drive"),
        ("c:x", "names a drive"),
        ("./c:x", "names a drive"),
        ("a\nb", "holds control characters"),
        (".", "is no name"),
    ],
)
def test_unsafe_names_are_refused_even_if_not_wanted(tmp_path, out, kind, name, words):
    archive = make(tmp_path, kind, [("good", b"1"), (name, b"evil")])
    refused(archive, out, words)
    refused(archive, out, words, wanted=lambda name: name == "good")


@example("./C:")
@given(st.text("ab./\\:C\n", max_size=12))
def test_safe_name_stays_inside_the_folder_and_is_idempotent(name):
    try:
        found = safe_name(name, "a.zip")
    except InputError:
        return
    assert (Path("/root/out") / found).is_relative_to("/root/out")
    assert ".." not in Path(found).parts
    assert safe_name(found, "a.zip") == found


@pytest.mark.parametrize(
    ("members", "words"),
    [
        (["x", "y", "x"], "'x' is there twice"),
        (["a/x", "a//x"], "'a/x' is there twice"),
        (["a/x", "A/X"], "'A/X' and 'a/x' are one name"),
        (["a", "a/x"], "'a' is both a file and a folder"),
        (["a/b/x", "A"], "'A' is both a file and a folder"),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_members_with_colliding_paths_are_refused(tmp_path, out, kind, members, words):
    archive = make(tmp_path, kind, [(name, b"%d" % i) for i, name in enumerate(members)])
    refused(archive, out, re.escape(words))


def test_thirty_thousand_names_are_checked(tmp_path):
    many = [f"images/{i}.jpg" for i in range(30_000)]
    assert safe_paths(many, tmp_path, "a.zip")[-1] == tmp_path / "images/29999.jpg"


@pytest.mark.parametrize("kind", KINDS)
def test_an_existing_link_in_the_target_folder_is_not_followed(tmp_path, out, kind):
    outside = tmp_path / "outside"
    outside.mkdir()
    out.mkdir(parents=True)
    (out / "a").symlink_to(outside)
    (out / "file").symlink_to(outside / "victim")
    refused(make(tmp_path, kind, [("a/x", b"1")]), out, "is a link out of its folder")
    unpack(make(tmp_path, kind, [("file", b"1")]), out, max_bytes=MANY)
    assert list(outside.iterdir()) == [], "the link was replaced, not followed"
    assert (out / "file").read_bytes() == b"1"


# Kinds


TAR_KINDS = [
    (tarfile.SYMTYPE, "a symbolic link"),
    (tarfile.LNKTYPE, "a hard link"),
    (tarfile.FIFOTYPE, "a device or pipe"),
    (tarfile.CHRTYPE, "a device or pipe"),
    (tarfile.BLKTYPE, "a device or pipe"),
]


@pytest.mark.parametrize(("kind", "words"), TAR_KINDS)
def test_links_and_devices_in_a_tar_are_refused_if_wanted(tmp_path, out, kind, words):
    archive = make_tar(tmp_path / "a.tar", [(entry("good"), b"1"), (entry("x", kind, link="good"), b"")])
    refused(archive, out, f"'x' is {words}")
    assert unpack(archive, out, wanted=lambda name: name == "good", max_bytes=MANY) == [out / "good"]


def test_a_member_below_a_symbolic_link_member_is_never_written_outside(tmp_path, out):
    outside = tmp_path / "outside"
    outside.mkdir()
    link = (entry("d", tarfile.SYMTYPE, link=str(outside)), b"")
    archive = make_tar(tmp_path / "a.tar", [link, (entry("d/x"), b"evil")])
    refused(archive, out, "'d' is a symbolic link")
    unpack(archive, out, wanted=lambda name: name == "d/x", max_bytes=MANY)
    assert list(outside.iterdir()) == []
    assert not (out / "d").is_symlink()


@pytest.mark.parametrize(("mode", "words"), [(0o120777, "a symbolic link"), (0o010644, "a device or pipe")])
def test_links_and_pipes_in_a_zip_are_refused(tmp_path, out, mode, words):
    info = zipfile.ZipInfo("x")
    info.external_attr = mode << 16
    refused(make_zip(tmp_path / "a.zip", [("good", b"1"), (info, b"/etc")]), out, f"'x' is {words}")


def test_encrypted_and_lzma_compressed_members_are_refused(tmp_path, out):
    archive = make_zip(tmp_path / "a.zip", [("x", b"1")])
    data = bytearray(archive.read_bytes())
    directory = data.index(b"PK\1\2")
    data[directory + 8] |= 1
    archive.write_bytes(data)
    refused(archive, out, "'x' is encrypted")
    info = zipfile.ZipInfo("x")
    info.compress_type = zipfile.ZIP_LZMA
    refused(make_zip(archive, [(info, b"1")]), out, "'x' is compressed by method 14")


# Sizes


@pytest.mark.parametrize("kind", KINDS)
def test_more_bytes_than_allowed_are_refused(tmp_path, out, kind):
    archive = make(tmp_path, kind, [("a", b"12345"), ("b", b"123")])
    refused(archive, out, r"declare 8 bytes \('a' alone 5\), more than the 7 that are allowed", max_bytes=7)
    assert len(unpack(archive, out, max_bytes=8)) == 2


@pytest.mark.parametrize("kind", [".zip", ".tar.gz"])
def test_an_archive_bomb_is_refused_by_its_declared_size(tmp_path, out, kind):
    archive = make(tmp_path, kind, [("bomb", bytes(50_000_000))])
    assert archive.stat().st_size < 100_000
    refused(archive, out, "50,000,000", max_bytes=10_000_000)


@pytest.mark.parametrize("declared", [100, 6_000_000])
def test_a_zip_with_a_wrong_declared_size_is_refused(tmp_path, out, declared):
    archive = make_zip(tmp_path / "a.zip", [("bomb", bytes(5_000_000))])
    data = bytearray(archive.read_bytes())
    directory = data.index(b"PK\1\2")
    struct.pack_into("<I", data, directory + 24, declared)
    archive.write_bytes(data)
    refused(archive, out, "is damaged or cut short|holds fewer bytes", max_bytes=10_000_000)


def test_a_bomb_with_a_matching_checksum_unpacks_no_more_than_its_declared_size(tmp_path, out):
    """The declared size and CRC-32 are those of the first 100 zeros."""
    archive = make_zip(tmp_path / "a.zip", [("bomb", bytes(5_000_000))])
    data = bytearray(archive.read_bytes())
    directory = data.index(b"PK\1\2")
    struct.pack_into("<I", data, directory + 24, 100)
    struct.pack_into("<I", data, directory + 16, zipfile.crc32(bytes(100)))
    archive.write_bytes(data)
    assert unpack(archive, out, max_bytes=100)[0].read_bytes() == bytes(100)


# Damage


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("left", [0, 100, 512, 1024, 400_000, 513_000, 1_000_000, 2_999_999])
def test_a_truncated_archive_is_refused(tmp_path, out, kind, left):
    archive = make(tmp_path, kind, [("a", CONTENT[:400_000]), ("b", CONTENT)])
    archive.write_bytes(archive.read_bytes()[:left])
    refused(archive, out, "is damaged or cut short|is none of")


def test_a_tar_truncated_between_two_members_is_refused(tmp_path, out):
    archive = make_tar(tmp_path / "a.tar", [(entry("a"), bytes(1024)), (entry("b"), b"1")])
    archive.write_bytes(archive.read_bytes()[: 512 + 1024])
    refused(archive, out, "it has no end")


@pytest.mark.parametrize("kind", [".tar", ".tar.gz"])
def test_a_tar_with_a_damaged_header_is_refused(tmp_path, out, kind):
    plain = make_tar(tmp_path / "plain.tar", [(entry(name), b"1") for name in "abc"])
    data = bytearray(plain.read_bytes())
    data[1024 + 3] ^= 0xFF
    archive = tmp_path / f"x{kind}"
    archive.write_bytes(data if kind == ".tar" else gzip.compress(data))
    refused(archive, out, "no valid header")


def test_a_tar_with_a_negative_size_is_refused_without_an_endless_loop(tmp_path, out):
    told = entry("a")
    told.pax_headers = {"size": "-1536"}  # back over header, extended header and its block, to the start
    headers = [
        told.tobuf(tarfile.PAX_FORMAT),
        entry("a", size=-1024).tobuf(tarfile.GNU_FORMAT),
        entry("a", tarfile.GNUTYPE_LONGNAME, size=-1024).tobuf(tarfile.GNU_FORMAT),
    ]
    for header in headers:
        (tmp_path / "a.tar").write_bytes(header + bytes(10240))
        refused(tmp_path / "a.tar", out, "a size is negative|length must be non-negative")


@pytest.mark.parametrize("kind", [".zip", ".tar.gz"])
def test_flipped_bits_are_refused_and_the_existing_file_is_kept(tmp_path, out, kind):
    archive = make(tmp_path, kind, [("a", CONTENT)])
    data = bytearray(archive.read_bytes())
    data[1_500_000] ^= 1
    archive.write_bytes(data)
    out.mkdir(parents=True)
    (out / "a").write_bytes(b"old")
    refused(archive, out, "is damaged or cut short")
    assert (out / "a").read_bytes() == b"old"


def test_a_missing_file_or_one_that_is_not_an_archive_is_refused(tmp_path, out):
    for name, words in (("a.rar", r"is none of \.zip, \.tar, \.tar\.gz"), ("a.zip", "damaged"), ("a.tar", "damaged")):
        (tmp_path / name).write_bytes(b"<html>")
        refused(tmp_path / name, out, words)
    with pytest.raises(InputError, match=r"b\.zip is missing"):
        member_names(tmp_path / "b.zip")


# Bytes read and disk space


def test_unwanted_members_of_a_tar_are_not_read(tmp_path, out):
    counters = Path("/proc/self/io")
    if not counters.exists():
        pytest.skip("the bytes that are read cannot be counted here")
    archive = tmp_path / "large.tar"
    with archive.open("wb") as stream:
        for number in range(4):
            stream.write(entry(f"{number}.bin", size=100 << 20).tobuf())
            stream.seek(100 << 20, os.SEEK_CUR)  # sparse
        stream.write(entry("x", size=1).tobuf() + b"1".ljust(512, b"\0") + bytes(1024))

    def read_so_far() -> int:
        return int(counters.read_text().split()[1])

    before = read_so_far()
    assert unpack(archive, out, wanted=lambda name: name == "x", max_bytes=1)[0].read_bytes() == b"1"
    assert read_so_far() - before < 1 << 20


def test_too_little_disk_space_is_reported_before_anything_is_written(tmp_path, out, monkeypatch):
    archive = make(tmp_path, ".tar", [("a", b"12345"), ("b", b"123")])
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=5))
    with pytest.raises(FullDisk, match="3 bytes too little"):
        unpack(archive, out, max_bytes=8)
    assert not out.exists()


def test_a_disk_that_fills_up_is_reported_and_no_partial_file_is_left(tmp_path, monkeypatch):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting is not permitted here")
    try:
        archive = make(tmp_path, ".zip", [("small", b"1"), ("large", CONTENT)])
        monkeypatch.setattr("study.fetch.archives.require_room", lambda needed, file: None)
        with pytest.raises(FullDisk, match=r"disk/large has [\d,]+ bytes too little"):
            unpack(archive, disk, max_bytes=MANY)
        assert [path.name for path in disk.iterdir()] == ["small"]
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)
