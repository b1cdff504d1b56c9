import numpy as np
import pytest

from bsn.attributes import Attribute, hair_rule, label_photos
from bsn.errors import InputError
from study.attribute_tables import read_attribute, write_values

RULE = hair_rule(min_width=2.6, above_mouth=0.5, below_mouth=0.3)
HAIR = Attribute(name="hair", rule=RULE)
STILL = np.eye(2, 3)


def test_several_attributes_share_one_table_with_a_source_column_each(tmp_path):
    glasses = Attribute(name="glasses", by_user={"b": "yes", "c": "no"})
    masks = (("a", STILL), ("b", STILL), ("c", None), ("d", None))
    photos = [(name, lambda: np.ones((800, 600), np.uint8), affine) for name, affine in masks]
    write_values(tmp_path / "both.csv", [HAIR, glasses], label_photos([HAIR, glasses], photos))
    assert (tmp_path / "both.csv").read_text() == (
        "id,hair,hair.source,glasses,glasses.source\na,long,rule,,\nb,long,rule,yes,user\nc,,,no,user\n"
    )


def test_without_attributes_only_the_header_is_written_and_no_mask_is_read(tmp_path):
    write_values(tmp_path / "none.csv", [], label_photos([], [("a", None, STILL)]))
    assert (tmp_path / "none.csv").read_text() == "id\n"


def test_user_csv_gives_one_value_per_photo_id(tmp_path):
    (tmp_path / "hair.csv").write_text("hair,id\nlong,00007\nshort,00001\n")
    hair = read_attribute("hair", tmp_path / "hair.csv", known={"00001", "00007"}, rule=RULE)
    assert hair == Attribute(name="hair", by_user={"00007": "long", "00001": "short"}, rule=RULE)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_user_csv_is_read_in_any_spreadsheet_encoding_and_delimiter(tmp_path, encoding, delimiter):
    rows = [["id", "hair", "seen by"], ["00007", "long", "René"], ["1", "short", ""], ["", "", ""]]
    (tmp_path / "hair.csv").write_bytes("\r\n".join(map(delimiter.join, rows)).encode(encoding))
    hair = read_attribute("hair", tmp_path / "hair.csv", known={"00001", "00007"}, rule=RULE)
    assert hair.by_user == {"00007": "long", "00001": "short"}


def test_leading_zeros_of_an_id_may_be_omitted_if_the_photo_is_unambiguous(tmp_path):
    (tmp_path / "hair.csv").write_text("id,hair\n1,long\n")
    assert read_attribute("hair", tmp_path / "hair.csv", known={"00001", "1"}, rule=RULE).by_user == {"1": "long"}
    for known in ({"00001", "01"}, {"00002"}, set()):
        with pytest.raises(InputError, match=r"line 2: id = '1' is no photo of the set \(ids are written as 00001\)"):
            read_attribute("hair", tmp_path / "hair.csv", known=known, rule=RULE)


def test_two_values_for_two_spellings_of_one_id_are_refused(tmp_path):
    (tmp_path / "hair.csv").write_text("id,hair\n1,long\n00001,short\n")
    with pytest.raises(InputError, match=r"line 3: id = '00001' has two values"):
        read_attribute("hair", tmp_path / "hair.csv", known={"00001"}, rule=RULE)


def test_binary_user_csv_is_refused(tmp_path):
    (tmp_path / "hair.csv").write_bytes(b"PK\x03\x04\0\0")
    with pytest.raises(InputError, match=r"hair\.csv is not a text file"):
        read_attribute("hair", tmp_path / "hair.csv", known={"00001"}, rule=RULE)


def test_an_attribute_with_a_rule_needs_no_csv(tmp_path):
    assert read_attribute("hair", tmp_path / "hair.csv", known=(), rule=RULE) == HAIR


def test_an_attribute_without_a_rule_needs_a_csv(tmp_path):
    with pytest.raises(InputError, match=r"attribute = 'hat' has no rule; write .*hat\.csv, with the columns id,hat$"):
        read_attribute("hat", tmp_path / "hat.csv", known=())


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("id,hair\n1,long\n2,curly\n", "hair.csv, line 3: hair = 'curly'; allowed: long, short"),
        ("id,hair\n1\n", "hair.csv, line 2: hair = ''; allowed: long, short"),
        ("id,hair\n7,long\n", "hair.csv, line 2: id = '7' is no photo"),
        ("id,hair\n1,long\n1,short\n", "hair.csv, line 3: id = '1' has two values"),
        ("id,beard\n1,long\n", "hair.csv: the first line must name the columns id,hair"),
        ("", "hair.csv: the first line must name the columns id,hair"),
    ],
)
def test_invalid_user_csv_is_refused_with_file_and_line(tmp_path, content, line):
    (tmp_path / "hair.csv").write_text(content)
    with pytest.raises(InputError) as refused:
        read_attribute("hair", tmp_path / "hair.csv", known={"1", "2"}, rule=RULE)
    assert line in str(refused.value)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("id,hat\n1,no\n2,cap\n3,tall\n", "hat.csv: hat has the values cap, no, tall; an attribute has exactly two"),
        ("id,hat\n1,no\n2,no\n", "hat.csv: hat has the values no; an attribute has exactly two"),
        ("id,hat\n", "hat.csv: hat has the values none; an attribute has exactly two"),
        ("id,hat\n1,\n2,no\n", "hat.csv, line 2: hat = ''; allowed: a word"),
    ],
)
def test_an_attribute_has_exactly_two_values(tmp_path, content, line):
    (tmp_path / "hat.csv").write_text(content)
    with pytest.raises(InputError) as refused:
        read_attribute("hat", tmp_path / "hat.csv", known={"1", "2", "3"})
    assert line in str(refused.value)
