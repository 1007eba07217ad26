"""Archives that are damaged, or unpack to more than anybody wants."""

from __future__ import annotations

import random
import zipfile
from pathlib import Path

import pytest

from er_bench.core.errors import DataError, UsageError
from er_bench.core.limits import MEMBER_BYTES
from er_bench.data.archives import ZipBlob, members


def archive_of(folder: Path, content: bytes) -> Path:
    path = folder / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("one.bin", content)
        out.writestr("two.bin", content[::-1])
    return path


def test_a_member_over_the_limit_is_refused_before_it_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blob = ZipBlob(archive_of(tmp_path, bytes(5000)), "one.bin")
    assert blob.read() == bytes(5000)
    monkeypatch.setenv(MEMBER_BYTES.variable, "4999")
    with pytest.raises(DataError, match=r"the limit is 4999; .*_MEMBER_BYTES=5000"):
        blob.read()
    monkeypatch.setenv(MEMBER_BYTES.variable, "many")
    with pytest.raises(UsageError, match=MEMBER_BYTES.variable):
        blob.read()


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_damaged_archives_are_data_errors(tmp_path: Path) -> None:
    rng = random.Random(3)
    path = archive_of(tmp_path, rng.randbytes(300) + bytes(300))
    whole, failed = path.read_bytes(), 0
    for _ in range(600):
        damaged = bytearray(whole)
        for _ in range(rng.randint(1, 6)):
            damaged[rng.randrange(len(whole))] = rng.randrange(256)
        path.write_bytes(damaged[: rng.choice((len(whole), rng.randrange(len(whole))))])
        try:
            for blob in members(path).values():
                blob.read()
        except DataError:
            failed += 1
    assert failed > 300
