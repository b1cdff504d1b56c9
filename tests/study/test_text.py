import pytest

from bsn.errors import InputError
from study.text import read_lines, read_names, read_table, read_xml

ENCODINGS = pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])


@pytest.fixture
def file(tmp_path):
    return tmp_path / "x.txt"


@ENCODINGS
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_are_read_in_every_encoding_and_with_every_line_ending(file, encoding, end):
    # "\x85" is a control character at which str.splitlines() would split; CP1252 cannot encode it.
    text = "“a”…b€" if encoding == "cp1252" else "a\x85b"
    file.write_bytes(end.join(["é", "", text, ""]).encode(encoding))
    assert read_lines(file) == ["é", "", text, ""]


def test_bytes_that_are_not_utf_8_are_read_as_cp1252(file):
    file.write_bytes(b"\x93long\x94 \x80\x81\x9f\xff")
    assert read_lines(file) == ["“long” €\x81Ÿÿ"]


@pytest.mark.parametrize(
    "content", [b"PK\x03\x04\0\0", "a\n".encode("utf-16-le"), b"\xff\xfea", b"\xef\xbb\xbf\xff", b"\x1b[0m"]
)
def test_file_that_is_not_text_is_refused(file, content):
    file.write_bytes(content)
    with pytest.raises(InputError, match=r"x\.txt is not a text file in UTF-8, UTF-16 or CP1252; save it again"):
        read_lines(file)


def test_unreadable_file_is_refused(file):
    file.mkdir()
    with pytest.raises(InputError, match=r"x\.txt cannot be read: Is a directory"):
        read_lines(file)


@pytest.mark.parametrize(
    "content", ["a\nb\n", "a\r\n\r\n  b  \r\n\r\n", "a;b;;\n", '"a"\n"b"\n', "a, b", "a\tb\n", "\ufeffa\nb"]
)
def test_names_are_read_one_per_line_or_with_separators(file, content):
    file.write_text(content)
    assert read_names(file) == ["a", "b"]


@ENCODINGS
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_table_is_read_in_every_encoding_with_every_delimiter_and_line_ending(file, encoding, delimiter, end):
    rows = [["hair", " id", "note"], ["lang", "1", '"é, ; \t"'], [" kurz ", "2", '"two""words"'], ["", "", ""], ["x"]]
    file.write_bytes(end.join([*map(delimiter.join, rows), "", ""]).encode(encoding))
    assert list(read_table(file, "id", "hair")) == [(2, ["1", "lang"]), (3, ["2", "kurz"]), (5, ["", "x"])]


@pytest.mark.parametrize(
    "content", ["", "id,hat\n", "id\n1\n", "id,hair,hair\n", "\nid\n\nid,hair\n", "sep=;\n", "id hair\n"]
)
def test_table_without_the_required_columns_is_refused(file, content):
    file.write_text(content)
    with pytest.raises(InputError, match=r"x\.txt: the first line must name the columns id,hair$"):
        list(read_table(file, "id", "hair"))


@ENCODINGS
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    ("above", "delimiter"),
    [
        (["sep=;"], ";"),
        (["SEP=,", ""], ","),
        (["sep=\t"], "\t"),
        (['"sep=|"'], "|"),
        (["sep=;;;"], ";"),
        (["", ""], ","),
        ([" ", ";;", "sep=;", ",,"], ";"),
    ],
)
def test_blank_rows_and_excel_s_sep_line_above_the_header_are_skipped(file, encoding, end, above, delimiter):
    rows = ["id,hair", "1,lang", '2,"kurz', 'é"']
    file.write_bytes(end.join([*above, *(row.replace(",", delimiter) for row in rows), ""]).encode(encoding))
    first = len(above) + 2
    assert list(read_table(file, "id", "hair")) == [(first, ["1", "lang"]), (first + 2, ["2", f"kurz{end}é"])]


def test_a_column_may_be_called_sep(file):
    file.write_text("sep=,id\nx,1\n")
    assert list(read_table(file, "id", "sep=")) == [(2, ["1", "x"])]


def test_unclosed_quote_is_refused_with_its_line(file):
    file.write_text('id,hair\n1,long\n2,"short\n3,long\n')
    with pytest.raises(InputError, match=r"x\.txt, line 4: unexpected end of data"):
        list(read_table(file, "id", "hair"))


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "gb2312", "gbk", "gb18030", "big5", "shift_jis", "euc-jp", "iso-2022-jp", "euc-kr", "koi8-r", "cp1252"],
)
def test_xml_is_read_in_its_declared_encoding(file, encoding):
    place = {"koi8-r": "снимки", "cp1252": "œuvre", "euc-kr": "사진"}.get(encoding, "中文")
    text = f"""<?xml version='1.0' encoding="{encoding.upper()}"?>\r\n<a><b>{place}</b></a>"""
    file.write_bytes(text.encode(encoding))
    assert read_xml(file).findtext("b") == place


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
@pytest.mark.parametrize("declared", ['<?xml version="1.0" encoding="utf-16"?>', '<?xml version="1.0"?>'])
def test_xml_in_unicode_encodings_is_read_with_and_without_a_byte_order_mark(file, encoding, declared):
    file.write_bytes(f"{declared}<a>é</a>".encode(encoding))
    assert read_xml(file).text == "é"


def test_xml_that_declares_utf_16_and_is_utf_8_is_read(file):
    file.write_bytes('<?xml version="1.0" encoding="utf-16"?><a>é</a>'.encode())
    assert read_xml(file).text == "é"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<a>",
        b"<a>\xff</a>",
        b'<?xml version="1.0" encoding="no-such"?><a/>',
        b'<?xml version="1.0" encoding="hex"?><a/>',
        b'<?xml version="1.0" encoding="gb2312"?><a>\xff\xff</a>',
        b"\xff\xfe<",
        b"<a>&nbsp;</a>",
    ],
)
def test_invalid_xml_is_refused(file, content):
    file.write_bytes(content)
    with pytest.raises(InputError, match=r"^x\.txt is not XML"):
        read_xml(file)


def test_xml_that_declares_entities_is_refused(file):
    nested = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    file.write_text(f'<!DOCTYPE a [<!ENTITY a0 "x">{nested}]><a>&a9;</a>')
    with pytest.raises(InputError, match=r"x\.txt declares entities"):
        read_xml(file)
