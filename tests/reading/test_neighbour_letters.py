"""Readers of letters of other harnesses: one letter or none, whatever the text."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from er_bench.core.answer import Status
from er_bench.reading import neighbour_letters as harnesses
from er_bench.tasks.mindcube.reader import read_last_lone
from er_bench.tasks.sat.reader import read_first_word

READERS = (
    harnesses.read_opening_letter,
    read_first_word,
    harnesses.read_flageval_choice,
    harnesses.read_boxed,
    harnesses.read_last_in_brackets,
    read_last_lone,
)
PIECES = st.lists(
    st.sampled_from(
        (
            "A",
            "b",
            "(C)",
            "Answer:",
            "answer is",
            "\\boxed{",
            "}",
            ".",
            " ",
            "\n",
            "I",
            "\u7b54\u6848",
        )
    ),
    max_size=12,
).map("".join)


@pytest.mark.parametrize("reader", READERS, ids=lambda r: r.__name__)
@settings(deadline=None)
@given(text=PIECES | st.text(max_size=40))
def test_readers_never_raise_and_give_one_letter_or_none(reader, text):
    answer = reader(text)
    if answer.value is None:
        assert answer.status is Status.UNPARSED and answer.note
    else:
        assert len(answer.value) == 1 and answer.value.isupper()


@pytest.mark.parametrize("letter", "ABCD")
def test_every_reader_reads_a_bare_letter(letter):
    assert {reader(letter).value for reader in READERS} == {letter}


@pytest.mark.parametrize(
    ("text", "letters"),
    [
        ("The answer is (B)", "T-B-BB"),
        ("Depth says B", "D-D--B"),
        ("I see a cup", "II---A"),
        ("so \\boxed{C}", "S-CC-C"),
        ("B.", "BBB-BB"),
    ],
)
def test_harnesses_part_over_one_answer(text, letters):
    assert "".join(reader(text).value or "-" for reader in READERS) == letters
