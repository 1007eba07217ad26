import struct

import google_crc32c
import pytest

from er_bench.core.errors import DataError
from er_bench.data.rows import read_rows
from er_bench.data.tfrecord import read_examples, write_examples

EXAMPLES = [
    {"text": [b"one"], "numbers": [0, 300, -1, 2**40], "empty": []},
    {"text": [b"two", bytes(range(256)) * 40], "numbers": []},
]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "rows.tfrecord"
    write_examples(path, EXAMPLES)
    return path


def test_what_is_written_is_read_back(file):
    assert list(read_examples(file)) == EXAMPLES
    assert [dict(row.fields) for row in read_rows(file)] == EXAMPLES


def test_the_bytes_are_those_of_the_format(tmp_path):
    """By hand from the sources: header, one feature `a` with the bytes value `b`, checksums."""
    path = tmp_path / "one.tfrecord"
    write_examples(path, [{"a": [b"b"]}])
    example = bytes.fromhex("0a0c 0a0a 0a0161 1205 0a03 0a0162".replace(" ", ""))
    content = path.read_bytes()
    assert content[:8] == struct.pack("<Q", len(example)) and content[12:-4] == example
    crc = google_crc32c.value(example)
    assert content[-4:] == struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) % 2**32)


def test_floats_and_unpacked_integers_are_read(tmp_path):
    floats = b"\x12\x0a\x0a\x08" + struct.pack("<2f", 0.5, -2.0)
    integers = b"\x1a\x04\x08\x07\x08\x09"
    entries = b"".join(
        b"\x0a" + bytes([len(body) + 5]) + b"\x0a\x01" + name + b"\x12" + bytes([len(body)]) + body
        for name, body in ((b"f", floats), (b"i", integers))
    )
    data = b"\x0a" + bytes([len(entries)]) + entries
    frame = struct.pack("<Q", len(data))

    def mask(part):
        crc = google_crc32c.value(part)
        return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) % 2**32)

    path = tmp_path / "f.tfrecord"
    path.write_bytes(frame + mask(frame) + data + mask(data))
    assert list(read_examples(path)) == [{"f": [0.5, -2.0], "i": [7, 9]}]


@pytest.mark.parametrize("cut", [1, 5, 20, 300])
def test_a_file_cut_short_names_file_and_record(file, cut):
    file.write_bytes(file.read_bytes()[:-cut])
    with pytest.raises(DataError, match="ends inside a record") as caught:
        list(read_examples(file))
    assert (caught.value.file, caught.value.row) == (file, 1)


@pytest.mark.parametrize("at", [0, 9, 30, -1, -5000])
def test_one_wrong_bit_is_found(file, at):
    content = bytearray(file.read_bytes())
    content[at] ^= 4
    file.write_bytes(content)
    with pytest.raises(DataError, match=r"checksum|ends inside"):
        list(read_examples(file))


def test_a_record_that_is_no_example_is_refused(tmp_path):
    data, path = b"\x0a\x7fshort", tmp_path / "x.tfrecord"
    write_examples(path, [])
    frame = struct.pack("<Q", len(data))
    masks = [
        ((c >> 15 | c << 17) + 0xA282EAD8) % 2**32 for c in map(google_crc32c.value, (frame, data))
    ]
    path.write_bytes(frame + struct.pack("<I", masks[0]) + data + struct.pack("<I", masks[1]))
    with pytest.raises(DataError, match=r"not a tf\.train\.Example"):
        list(read_examples(path))
