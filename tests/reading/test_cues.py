"""What is seen fast in plain text is what the patterns find, neither more nor less."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from er_bench.reading import letter, number
from er_bench.reading.cues import Cue, plain
from er_bench.reading.final_answer import corrected, correction

CUES = [*letter._STATED, *number._CUES, number._NAMED]
BY_VALUE = correction(r"[A-D]\b")
pieces = st.sampled_from(
    "answer Answer is: the final CONCLUSION: option choice = chose pick go with think opt for so "
    "Thus, hence A (B) C. d most best right correct total sum of in all count: about 3 m not n't "
    ". , \n".split(" ")
)
texts = st.lists(pieces, max_size=12).map(" ".join)


@pytest.mark.parametrize("cue", CUES, ids=lambda cue: cue.pattern.pattern[:24])
@given(text=texts)
def test_a_cue_is_found_where_its_pattern_is(cue: Cue, text: str) -> None:
    found = [match.span() for match in cue.finditer(text, plain(text))]
    assert found == [match.span() for match in cue.pattern.finditer(text)]


@given(st.from_regex(BY_VALUE, alphabet=st.characters(max_codepoint=127)))
def test_whatever_takes_back_is_seen(text: str) -> None:
    ends = [match.end() for match in BY_VALUE.finditer(text)]
    assert corrected(text, BY_VALUE) == (text[ends[-1] :] if ends else None)
