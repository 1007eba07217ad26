"""How figures are written: what is brought to Python's way, what stays because it is ambiguous."""

import pytest

from er_bench.reading.figures import han_numbers, plain_figures


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("2\u00bd", "2.5"),
        ("2 1/2 m", "2.5 m"),
        ("1\u20444", "0.25"),
        ("1/2", "1/2"),
        ("3 8/4", "3 8/4"),
        ("1 234 567", "1234567"),
        ("1\u2009234", "1234"),
        ("12 34", "12 34"),
        ("1 234 5", "1 234 5"),
        ("0,5", "0.5"),
        ("(0,5)", "(0,5)"),
        ("0,1,2", "0,1,2"),
        ("1.234,5", "1234.5"),
        ("1.234.567", "1234567"),
        ("3,14 m", "3.14 m"),
        ("3,500 m", "3,500 m"),
        ("3,5", "3,5"),
        ("4x5", "4 x 5"),
    ],
)
def test_figures_are_made_plain_where_there_is_one_way_to_read_them(text, plain):
    assert plain_figures(text) == plain


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("\u4e09", [3]),
        ("\u6709\u5341\u4e8c\u4e2a", [12]),
        ("\u4e00\u767e\u96f6\u4e94\u4ef6", [105]),
        ("\u4e24\u5343\u4e03\u767e\u7c73", [2700]),
        ("\u4e09\u4e07\u4e8c\u5343\u4e2a", [32000]),
        ("\u4e8c\u70b9\u4e94\u7c73", [2.5]),
        ("\u4e09\u56db\u4e2a", []),
        ("\u7b2c\u4e09\u4e2a", []),
        ("\u5341\u51e0\u4e2a", []),
        ("\u4e00\u4e9b\u6905\u5b50\u4e00\u6837", []),
    ],
)
def test_chinese_figures_count_before_a_measure_word_or_alone(text, values):
    assert [value for _, _, value in han_numbers(text)] == values
