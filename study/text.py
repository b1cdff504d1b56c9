"""Text files that people write or save from a spreadsheet: lists, tables and XML, in any usual encoding.

A byte order mark decides (UTF-8, UTF-16, UTF-32); without one the text is UTF-8 or else CP1252, Windows' Latin-1.
"""

import codecs
import csv
import io
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

from bsn.errors import InputError

# UTF-32 first: its little-endian mark starts with that of UTF-16.
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# What CP1252 has in place of Latin-1's control characters, such as curly quotes. It leaves five bytes open.
_CP1252 = {code: bytes([code]).decode("cp1252", "ignore") or chr(code) for code in range(0x80, 0xA0)}
_CONTROL = re.compile(r"[\0-\x08\x0e-\x1f]")
_DELIMITERS = ",;\t"
# What may stand above the header of a CSV: blank rows, and Excel's line that names the delimiter, such as sep=;
_BLANK = r"(?:[ \t,;]*(?:\r\n|\r|\n))*"
_ABOVE_HEADER = re.compile(rf"""{_BLANK}(?:"?sep=([^\w\s"]|\t)"?[ \t,;]*(?:\r\n|\r|\n){_BLANK})?""", re.IGNORECASE)
_LINE_END = re.compile(r"\r\n|\r|\n")
# The encodings in which an XML declaration can be read before it is known what it declares (XML 1.0, appendix F).
_FAMILIES = ("latin-1", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be", "cp037")
_DECLARATION = re.compile(r"""<\?xml\s(?:[^>]*?\sencoding\s*=\s*["']([\w.:-]+)["'])?""")


def read_lines(file: Path) -> list[str]:
    """The lines of a text file, blank ones included. Raises InputError when it cannot be read or is not text."""
    return _LINE_END.split(_read_text(file))


def read_names(file: Path) -> list[str]:
    """The names in a list, one per line or separated by `,`, `;` or tab, without quotes. Raises as `read_lines`."""
    cells = (cell.strip().strip('"') for line in read_lines(file) for cell in re.split(f"[{_DELIMITERS}]", line))
    return [cell for cell in cells if cell]


def read_table(file: Path, *columns: str) -> Iterator[tuple[int, list[str]]]:
    """Read some columns of a CSV that is separated by `,`, `;`, tab, or what a line such as `sep=|` above it names.

    Args:
        file: the CSV; blank rows are skipped, above the header as well.
        columns: names in its header.

    Yields:
        Line number and cells of `columns` of each row, stripped, and empty where the row is short.

    Raises:
        InputError: as `read_lines`; the header does not name each of `columns` once; a quote is not closed.
    """
    text = _read_text(file)
    above = _ABOVE_HEADER.match(text)
    assert above is not None  # it may be empty
    skipped, text = len(_LINE_END.findall(above[0])), text[above.end() :]
    delimiter = above[1] or max(_DELIMITERS, key=_LINE_END.split(text, maxsplit=1)[0].count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        header = [cell.strip() for cell in next(rows, [])]
        if any(header.count(column) != 1 for column in columns):
            raise InputError(f"{file}: the first line must name the columns {','.join(columns)}")
        places = [header.index(column) for column in columns]
        for row in rows:
            cells = [cell.strip() for cell in row]
            if any(cells):
                yield skipped + rows.line_num, [cells[place] if place < len(cells) else "" for place in places]
    except csv.Error as error:
        raise InputError(f"{file}, line {skipped + rows.line_num}: {error}") from None


def read_xml(file: Path) -> ElementTree.Element:
    """The root of an XML file, in any encoding that Python knows and the file declares: the parser alone knows five.

    Raises InputError when it cannot be read, and when it declares entities, which may be nested to fill the memory.
    """
    content = _content(file)
    try:
        text = content.decode(_marked(content) or _declared(content))
        if "<!ENTITY" in text:
            raise InputError(f"{file.name} declares entities, which no annotation needs")
        return ElementTree.fromstring(text)
    except InputError:
        raise
    # LookupError: no such encoding. ValueError: not in that encoding.
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        raise InputError(f"{file.name} is not XML ({error})") from None


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror or error}") from None


def _marked(content: bytes) -> str | None:
    return next((encoding for mark, encoding in _MARKS.items() if content.startswith(mark)), None)


def _read_text(file: Path) -> str:
    content = _content(file)
    encoding = _marked(content)
    try:
        text = content.decode(encoding or "utf-8")
    except UnicodeDecodeError:
        text = None if encoding else content.decode("latin-1").translate(_CP1252)
    if text is None or _CONTROL.search(text):
        raise InputError(f"{file} is not a text file in UTF-8, UTF-16 or CP1252; save it again, as text in UTF-8")
    return text


def _declared(content: bytes) -> str:
    """The encoding that an XML declaration names; UTF-8 where it names none."""
    for family in _FAMILIES:
        found = _DECLARATION.match(content[:1024].decode(family, "ignore"))
        if found is None:
            continue
        declared = codecs.lookup(found[1] or "utf-8").name
        # The declaration was read one byte per character, or four: one that contradicts this is wrong.
        if family.startswith("utf"):
            return family
        return "utf-8" if declared.startswith(("utf-16", "utf-32")) else declared
    return "utf-8"
