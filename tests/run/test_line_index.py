from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from er_bench.run.line_index import LineIndex, key_hash


@given(st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 5)))
def test_every_line_is_found_by_its_hash(hashes: list[int]) -> None:
    index = LineIndex((hashed, at * 7) for at, hashed in enumerate(hashes))
    assert len(index) == len(hashes)
    for hashed in {*hashes, 2**63}:
        expected = [at * 7 for at, h in enumerate(hashes) if h == hashed]
        assert list(index.offsets(hashed)) == expected
    assert set(index.repeated()) == {h for h in hashes if hashes.count(h) > 1}


def test_parts_of_a_key_do_not_run_together() -> None:
    assert key_hash("ab", "c", 0) != key_hash("a", "bc", 0)
    assert key_hash("a") == key_hash("a") < 2**64
