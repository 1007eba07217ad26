import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from er_bench.core.answer import Status
from er_bench.reading.number import read_first_word, read_number
from er_bench.scorers.number import mean_relative_accuracy


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("4", 4),
        (" 4", 4),
        ("4.", 4),
        ("4 chairs", 4),
        ("There are 4 chairs.", 4),
        ("four", 4),
        ("The answer is four.", 4),
        ("twenty-one", 21),
        ("a one-legged table and two chairs", 2),
        ("two hundred and five", 205),
        ("a hundred", 100),
        ("twenty one hundred", 2100),
        ("three thousand and twelve", 3012),
        ("three point five", 3.5),
        ("4m", 4),
        ("2.5 m", 2.5),
        ("30m^2", 30),
        ("30 m²", 30),
        ("1,200", 1200),
        ("1,234,567.5", 1234567.5),
        ("1e1", 10),
        ("1.5e2", 150),
        ("-4", -4),
        ("\u22124", -4),
        (".5", 0.5),
        ("**4**", 4),
        ("approximately 2.5", 2.5),
        ("The answer is about 2.5 m, since 10 steps", 2.5),
        ("I count 10 items, so answer: 4", 4),
        ("Step 1: count. Step 2: sum.\nAnswer: 7", 7),
        ("Counting 3 and 4 more, my answer 7", 7),
        ("Out of 12 objects the gap is 3.2 meters", 3.2),
        ("one apple, room 2", 1),
        ("5 or 5", 5),
        ("<think>maybe 10</think> 4", 4),
        ("<answer>4</answer> of 10", 4),
        ("\\boxed{3.5}", 3.5),
    ],
)
def test_reads_the_number_that_is_meant(text, value):
    assert read_number(text).value == value


@pytest.mark.parametrize(
    "text", ["5-6", "5 to 6 meters", "5\u20136", "between 5 and 6", "12,5", "3, 4, 5",
             "The answer is 5-6", "4 x 5", "It is 3 here and 7 there"],
)  # fmt: skip
def test_ranges_and_lists_are_ambiguous(text):
    assert read_number(text).status is Status.AMBIGUOUS


@pytest.mark.parametrize("text", ["", "nan", "inf", "none", "<think>4", "someone often", "one two"])
def test_no_number_is_unparsed(text):
    assert read_number(text).status is Status.UNPARSED


@pytest.mark.parametrize("text", ["9" * 400, "1e400", "-1e999999999"])
def test_runaway_digits_are_out_of_range(text):
    assert read_number(text).status is Status.OUT_OF_RANGE


@pytest.mark.parametrize("text", ["nan", "inf", "-Infinity", "1e999"])
def test_the_official_reader_keeps_no_value_that_json_cannot_hold(text):
    assert (read_first_word(text).value, read_first_word(text).status) == (
        None,
        Status.OUT_OF_RANGE,
    )


@settings(deadline=None)
@given(st.text())
def test_readers_never_raise(text):
    for answer in (read_number(text), read_first_word(text), read_number("answer: " + text)):
        assert answer.value is None or math.isfinite(answer.value)


@settings(deadline=None)
@given(st.text(alphabet="0123456789.,-+eE m^x/~toandurfi ", max_size=60))
def test_readers_never_raise_on_text_of_number_marks(text):
    answer = read_number(text)
    assert (answer.value is None) == (answer.status is not Status.OK)


@settings(deadline=None)
@given(st.floats(min_value=1e-6, max_value=1e9), st.floats(min_value=1e-3, max_value=1e6))
def test_relative_accuracy_is_a_tenth_for_each_tolerance(prediction, truth):
    score = mean_relative_accuracy(prediction, truth)
    assert 0 <= score <= 1 and math.isclose(score * 10, round(score * 10), abs_tol=1e-9)
    assert mean_relative_accuracy(truth, truth) == 1


def test_a_truth_of_zero_is_no_division_by_zero():
    assert mean_relative_accuracy(0, 0) == 1
    assert mean_relative_accuracy(4, 0) == 0


@pytest.mark.parametrize(
    "text", ["1" * 50000, "1 " * 20000, "one " * 20000, "one-" * 20000, "1," * 20000]
)
def test_long_texts_are_read_quickly(text):
    read_number(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2\u00bd", 2.5),
        ("about 2 \u00bd m", 2.5),
        ("\u00be", 0.75),
        ("\uff14\uff12", 42),
        ("\uff13\uff0e\uff15 m", 3.5),
        ("1'200", 1200),
        ("1\u202f234\u00a0567", 1234567),
        ("4, not 3", 4),
        ("It is not 3. It is 4.", 4),
        ("not 3", None),
        ("The answer is 3. No wait, 4", 4),
        ("The answer is 4. Wait, no more to say.", 4),
    ],
)
def test_figures_of_other_forms_denials_and_corrections(text, value):
    assert read_number(text).value == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("4 m x 5 m = 20", 20),
        ("The answer is 5 \u00d7 4 = 20", 20),
        ("Length: 5 m, width: 4 m, area: 5 * 4 = 20 m^2", 20),
        ("2+1 = 3, 3+4 = 7", 7),
        ("1+1=" * 3000 + "2", 2),
        ("x = 3, y = 4", None),
        ("There are 2 red and 1 blue. Total: 3", 3),
        ("A total of 3 chairs and 2 tables", None),
        ("I count 3 red chairs and 2 blue chairs.", None),
        ("3 chairs in total, 2 of them red", 3),
        ("If there were 3, it would be full. The answer is 2.", 2),
        ("Suppose 3", None),
        ("3 chairs. Sorry, 2 are hidden.", 3),
        ("4 chairs. Wait, 5 chairs.", 5),
        ("\u5171\uff13\u4e2a", 3),
        ("3\u4e07", 30000),
        ("minus 3", -3),
        ("two and a half", 2.5),
        ("3 chairs, maybe 4", None),
        ("the chair is 3rd", None),
        ("The gap is \\boxed{d}. Answer: 4", 4),
    ],
)
def test_sums_totals_suppositions_and_hedges(text, value):
    assert read_number(text).value == value
