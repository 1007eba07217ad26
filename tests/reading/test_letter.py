import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from er_bench.core.answer import Status
from er_bench.reading.final_answer import final_answer
from er_bench.reading.letter import (
    read_backticked,
    read_first_capital,
    read_first_word,
    read_letter,
    read_whole,
)
from er_bench.reading.thoughts import without_thoughts

OPTIONS = {"A": "Lamp", "B": "Robot arm", "C": "Chair", "D": "The cup"}
PIECES = st.lists(
    st.one_of(
        st.text(max_size=12),
        st.sampled_from(["<think>", "</think>", "<answer>", "</answer>", "\\boxed{", "}"]),
        st.sampled_from(["answer is ", "A", "B.", "**", "`", "``", "(", ")", "\n", " and ", "-"]),
        st.sampled_from(["Option ", "I choose "]),
    ),
    max_size=12,
).map("".join)


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("C", "C"),
        ("c", "C"),
        ("C.", "C"),
        ("(C)", "C"),
        ("(c)", "C"),
        ("**C**", "C"),
        ("['C.']", "C"),
        ("``C``", "C"),
        ("{C}", "C"),
        ("...C", "C"),
        ("C because D is wrong", "C"),
        ("C. Chair", "C"),
        ("C: Chair", "C"),
        ("C)\n\nExplanation: (D) is wrong.", "C"),
        ("Option C", "C"),
        ("Do C", "C"),
        ("Based on the image, C", "C"),
        ("Let me think.\nC", "C"),
        ("Answer is C\nDone", "C"),
        ("answer: c", "C"),
        ("the answer is c", "C"),
        ("I considered B, but the answer is C.", "C"),
        ("The answer is C, not B", "C"),
        ("The answer is C because A is wrong and B is too far.", "C"),
        ("The answer is A. Wait, no: the correct answer is (C).", "C"),
        ("Between B and C, I choose C", "C"),
        ("I would go with option C.", "C"),
        ("B bike is visible, so C", "C"),
        ("A bike is visible, so C", "C"),
        ("A robot arm is near the cup. The correct answer is C.", "C"),
        ("e.g. moving left, so the answer is C", "C"),
        ("I'd. C", "C"),
        ("The correct answer is:\nC 3\n\nThere are three.", "C"),
        ("**Answer:**  \n**C Chair** is closer.", "C"),
        ("C is correct, while B is not", "C"),
        ("<think>B? maybe A</think> C", "C"),
        ("B or A</think>\n\nC", "C"),
        ("<think>x</think><answer>C</answer>", "C"),
        ("<answer>A</answer> no, <answer> (C) </answer>", "C"),
        ("so \\boxed{C}", "C"),
        ("\\boxed{\\text{C}}", "C"),
        ("$\\boxed{C}$ and A is wrong", "C"),
        ("It is not A. It is C.", "C"),
        ("A is incorrect because it is red. B isn't near. C fits.", "C"),
        ("Option A is wrong. Option C is right.", "C"),
        ("A or C? I think C.", "C"),
        ("Neither A nor B, so C", "C"),
        ("C rather than B", "C"),
        ("A. Lamp\nB. Robot arm\nC. Chair\nD. The cup\n\nFinal answer: **C**", "C"),
        ("answer is option c", "C"),
        ("Answer:C", "C"),
        ("$\\text{(C)}$", "C"),
        ("\u7b54\u6848\uff1aC", "C"),
        ("Chair", "C"),
        ("the chair.", "C"),
        ("['Chair']", "C"),
        ("The answer is: the chair.", "C"),
        ("A lamp", "A"),
        ("The correct answer is:\nA lamp\n\nThe lamp is near.", "A"),
        ("A because B is wrong", "A"),
    ],
)
def test_reads_the_letter_that_is_meant(text, letter):
    assert read_letter(text, "ABCD", OPTIONS).value == letter


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   \n",
        "Both",
        "A bike is visible",
        "A traffic light is a device used to control traffic.",
        "The answer is a matter of taste.",
        "I see a cup.",
        "[REQUEST_FAILED after 5 retries] 500 server error",
        "[BUDGET_EXCEEDED]",
        "Failed to obtain answer via API.",
        "Error: model D is overloaded",
        "Sorry, I cannot help with B or with that.",
        "Based on the image, none of these.",
        "<think>it must be C",
        "<answer></answer>",
        "It is not A.",
        "Neither A nor B.",
        "Anything except C.",
        "Vitamin-C and D-shaped handles",
    ],
)
def test_articles_failures_and_thoughts_are_no_answers(text):
    answer = read_letter(text, "ABCD", OPTIONS)
    assert (answer.value, answer.status) == (None, Status.UNPARSED)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Answer: B\nI do not think A fits.", "B"),
        ("I don't think A. B is the one.", None),
        ("I don\u2019t think it is A. B", None),
        ("I think it is A.", "A"),
    ],
)
def test_a_letter_that_is_not_thought_right_is_not_chosen(text, value):
    assert read_letter(text).value == value


@pytest.mark.parametrize(
    "text",
    ["Both A and C", "A and C", "The answer is A or B", "``A`` or ``B``", "Answer: A and then B.",
     "A: no\nB: yes", "A, C", "Answer: B/D", "Maybe B. Maybe D. Hard to say"],
)  # fmt: skip
def test_two_letters_that_fit_are_ambiguous(text):
    assert read_letter(text).status is Status.AMBIGUOUS


def test_a_letter_that_is_no_option_is_out_of_range():
    assert read_letter("E", "ABCD").status is Status.OUT_OF_RANGE
    assert read_letter("The answer is D", "ABC").status is Status.OUT_OF_RANGE
    assert read_letter("D", "ABCD").status is Status.OK


def test_options_with_the_same_text_name_no_letter():
    assert read_letter("left", "AB", {"A": "left", "B": "Left"}).status is Status.UNPARSED


def test_an_article_before_the_options_own_text_is_the_option():
    assert read_letter("A robot arm", "ABCD", OPTIONS).value == "B"
    assert read_letter("A robot arm", "ABCD").status is Status.UNPARSED
    assert read_letter("A robot arm", "AB", {"A": "Robot arm", "B": "Hand"}).value == "A"


def test_thoughts_tags_and_boxes_are_looked_through():
    assert without_thoughts("<think>a</think>b<thinking>c</thinking>d") == "bd"
    assert without_thoughts("a</think>b") == "b"
    assert without_thoughts("a<think>b") == "a"
    assert final_answer("<answer>x</answer><answer>\\boxed{\\text{y}}") == "y"


READERS = (read_whole, read_first_word, read_first_capital, read_backticked, read_letter)


@pytest.mark.parametrize("reader", READERS, ids=lambda r: r.__name__)
@settings(deadline=None)
@given(text=PIECES)
def test_readers_never_raise_and_give_one_letter_or_none(reader, text):
    answer = reader(text)
    if answer.value is None:
        assert answer.status in (Status.UNPARSED, Status.AMBIGUOUS)
    else:
        assert len(answer.value) == 1 and answer.value.isupper()


@settings(deadline=None)
@given(st.text())
def test_the_robust_reader_takes_any_text_and_any_options(text):
    read_letter(text, "ABCD", OPTIONS)
    read_letter("answer is " + text, "AB", {"A": text, "B": ""})


@settings(deadline=None)
@given(st.sampled_from("ABCD"))
def test_every_reader_reads_a_bare_letter(letter):
    assert {reader(letter).value for reader in READERS} == {letter}


@pytest.mark.parametrize(
    "text", ["(" * 20000, "A " * 20000, "answer is " * 5000, "<answer>" * 5000, "<think>" * 20000]
)
def test_long_texts_are_read_quickly(text):
    for reader in READERS:
        reader(text)


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("A. No wait, B", "B"),
        ("The answer is A. Correction: the answer is B.", "B"),
        ("Answer: A. On second thought, it cannot be A; B.", "B"),
        ("It can't be A. B", "B"),
        ("I rule out A. B remains", "B"),
        ("The answer isn't A but B", "B"),
        ("The answer is not A.", None),
        ("The answer is B. No wait, let me look again.", "B"),
        ("The gap is \\boxed{d \\ll w}.\n\n**Answer: B**", "B"),
        ("It is \\boxed{2.5\\text{ m}}, so the chair.\n\nAnswer: B", "B"),
        ("Answer A looks right, but \\boxed{\\text{B}}", "B"),
        ("Answer: B\n\nCheck: \\boxed{1+1=2}", "B"),
        ("\u00e9A and B\u00e9", None),
    ],
)
def test_denied_corrected_and_boxed_letters(text, letter):
    assert read_letter(text, "ABCD", OPTIONS).value == letter


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("If it were A, it would be red.", None),
        ("Suppose the answer is A. Then B is free, which it is not. Hence C.", "C"),
        ("I suppose it is B.", "B"),
        ("If I had to choose, I'd say B", "B"),
        ("Is it A? It is B.", "B"),
        ("A? Perhaps B?", None),
        ("A and D are both wrong. B", "B"),
        ("A, C, and D are all wrong, so B", "B"),
        ("I would eliminate A and D. Between B and C, C is better.", "C"),
        ("It is not A, B", "B"),
        ("It's not A, it's B", "B"),
        ("A \u2014 no, wait, B", "B"),
        ("A, or rather B", "B"),
        ("The answer is A. Wait for B.", "A"),
        ("Answer: A. But it is B that moves.", "A"),
        ("Probably A, maybe B", None),
        ("I think A, but it could be B", None),
        ("A (or B)", None),
        ("\uff21", "A"),
        ("\uff08\uff22\uff09", "B"),
        ("\u7b54\u6848\u4e0d\u662fA\uff0c\u662fB", "B"),
        ("\u5982\u679c\u662fA\uff0c\u90a3\u4e48\u4e0d\u5bf9", None),
        ("A\u6216B", None),
        ("A\u0301", None),
        ("\u03b1B", None),
    ],
)
def test_supposed_asked_hedged_and_chinese_letters(text, letter):
    assert read_letter(text, "ABCD", OPTIONS).value == letter
