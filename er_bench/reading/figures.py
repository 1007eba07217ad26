"""How figures are written: fractions, marks between thousands, decimal commas, Chinese numerals."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator

from er_bench.reading.final_answer import CJK

_FREE = rf"(?<![^\W{CJK}])(?<![.,])"
"""No letter, figure or mark of a figure before it."""
_VULGAR = re.compile(r"(?<![\d.,])(\d{0,15})[ \u2009]?([\u00bc-\u00be\u2150-\u215e])")
_MIXED = re.compile(r"(?<![\d./,])(?:(\d{1,9}) )?(\d{1,2})([/\u2044])(\d{1,2})(?![\d/.])")
_GAP = re.compile(r"(?<=\d)(?<!\d{4})[\u00a0\u2009\u202f'\u2019_](?=\d{3}(?!\d))")
_SPACED = re.compile(_FREE + r"(?<!\d )([1-9]\d{0,2}(?: \d{3})+)(?! ?\d)")
_POINTS = re.compile(_FREE + r"([1-9]\d{0,2}(?:\.\d{3}){2,})(?![\d.])")
_UNITS = r"(?:mm|cm|km|m|ft|meters?|metres?|\u7c73|\u5398\u7c73)(?![A-Za-z])"
_COMMA = (
    re.compile(_FREE + r"(?<![(\[])(?<!, )0,(\d+)(?!\d| ?, ?\d|[)\]])"),
    re.compile(_FREE + r"([1-9]\d{0,2}(?:\.\d{3})+),(\d+)(?![\d,])"),
    re.compile(rf"{_FREE}(\d+),(\d{{1,2}}|\d{{4,}})(?= ?{_UNITS})"),
)
_MYRIAD = {"\u4e07": 10**4, "\u842c": 10**4, "\u4ebf": 10**8, "\u5104": 10**8}
_MYRIADS = re.compile(_FREE + r"(\d{1,15}(?:\.\d{1,15})?) ?([\u4e07\u842c\u4ebf\u5104])")
Replace = Callable[[re.Match[str]], str]
_TIMES = re.compile(r"(?<=\d)[x\u00d7*](?=\d)")


def plain_figures(text: str) -> str:
    """Figures as Python writes them, as far as there is one way to understand them.

    Fractions (`2\u00bd`, `2 1/2`; `1/2` alone may be "1 or 2" and stays), marks or single blanks
    between thousands. A comma is a decimal mark after a lone 0, after thousands set off by points
    and before a unit of length; else `3,5` may be two numbers and stays.
    """
    if not (_BETWEEN_FIGURES.search(text) or _OTHER_FIGURES.search(text)):
        return text
    for sign, form, by in _STEPS:
        if sign.search(text):
            text = form.sub(by, text)
    return text


def _mixed(found: re.Match[str]) -> str:
    whole, above, slash, below = found.groups()
    if not 0 < int(above) < int(below) or (whole is None and slash == "/"):
        return found[0]
    return repr(int(whole or 0) + int(above) / int(below))


_GAPPED, _WITH_COMMA = re.compile(r"\d[\u00a0\u2009\u202f'\u2019_]\d{3}"), re.compile(r"\d,\d")
_STEPS: tuple[tuple[re.Pattern[str], re.Pattern[str], str | Replace], ...] = (
    (_GAPPED, _GAP, ""),
    (_GAPPED, _GAP, ""),
    (re.compile(r"\d \d{3}"), _SPACED, lambda f: f[1].replace(" ", "")),
    (
        re.compile("[\u00bc-\u00be\u2150-\u215e]"),
        _VULGAR,
        lambda f: repr(int(f[1] or 0) + unicodedata.numeric(f[2])),
    ),
    (re.compile(r"\d[/\u2044]\d"), _MIXED, _mixed),
    (_WITH_COMMA, _COMMA[0], r"0.\1"),
    (_WITH_COMMA, _COMMA[1], lambda f: f"{f[1].replace('.', '')}.{f[2]}"),
    (_WITH_COMMA, _COMMA[2], r"\1.\2"),
    (re.compile(r"\d\.\d{3}"), _POINTS, lambda f: f[1].replace(".", "")),
    (
        re.compile("[\u4e07\u842c\u4ebf\u5104]"),
        _MYRIADS,
        lambda f: repr(float(f[1]) * _MYRIAD[f[2]]),
    ),
    (re.compile(r"\d[x\u00d7*]\d"), _TIMES, " x "),
)
"""What every text has in which a form is found, fast to see; the form; what stands for it."""
_BETWEEN_FIGURES = re.compile(r"\d[\u00a0\u2009\u202f'\u2019_ ,./\u2044x\u00d7*]\d")
_OTHER_FIGURES = re.compile("[\u00bc-\u00be\u2150-\u215e\u4e07\u842c\u4ebf\u5104]")
"""One of both is in every text in which any form is found."""


_HAN_DIGITS = {
    **{
        figure: value
        for value, figure in enumerate(
            "\u96f6\u4e00\u4e8c\u4e09\u56db\u4e94\u516d\u4e03\u516b\u4e5d"
        )
    },
    "\u3007": 0,
    "\u4e24": 2,
    "\u5169": 2,
}
_HAN_SCALES = {"\u5341": 10, "\u767e": 100, "\u5343": 1000}
_HAN = "".join([*_HAN_DIGITS, *_HAN_SCALES, "\u4e07"])
_MEASURES = (
    "\u4e2a\u500b\u53ea\u96bb\u5f20\u5f35\u628a\u4ef6\u7c73\u53f0\u76cf\u672c\u8f86\u8f1b\u4f4d\u540d\u4eba\u5757\u584a\u6247"
    "\u6761\u689d\u6839\u6735\u68f5\u95f4\u9593\u5c42\u5c64\u6b65\u5398\u5e73\u516c"
)
"""Words that follow a number when things or lengths are counted."""
_OR_TO = "\u5230\u81f3\u6216"
_HAN_NUMBER = re.compile(
    rf"(?<![{_HAN}\u70b9\u7b2c\u51e0\u5e7e\u6bcf\u67d0\u53e6\u54ea])[{_HAN}]{{1,12}}(?:\u70b9[{_HAN}]{{1,6}})?(?![{_HAN}\u70b9\u51e0\u5e7e])"
)


def han_numbers(text: str) -> Iterator[tuple[int, int, float]]:
    """Start, end and value of numbers in Chinese figures that count something or stand alone.

    Figures are parts of many words, so that one counts only before a measure word, or with no
    Chinese character behind it and none before it but "is", "has" and the like.
    """
    for found in _HAN_NUMBER.finditer(text):
        before, after = (
            text[max(0, found.start() - 1) : found.start()],
            text[found.end() : found.end() + 1],
        )
        beyond = text[found.end() + 1 : found.end() + 2]
        joined = after in _OR_TO and (beyond in _HAN or beyond.isdigit())
        counted = after and (after in _MEASURES or joined)
        alone = not _is_han(after) and (
            not _is_han(before) or before in "\u662f\u4e3a\u70ba\u6709\u5171\u7ea6\u7d04"
        )
        if (counted or alone) and (value := _han_value(found[0])) is not None:
            yield found.start(), found.end(), value


def _is_han(character: str) -> bool:
    return "\u3400" <= character <= "\u9fff"


def _han_value(figures: str) -> float | None:
    """The value of Chinese figures; None where they make no number, as in "three four"."""
    whole, _, decimals = figures.partition("\u70b9")
    total = part = 0
    digit: int | None = None
    for figure in whole:
        if figure in _HAN_DIGITS:
            if digit:
                return None
            digit = _HAN_DIGITS[figure]
        elif figure in _HAN_SCALES:
            part += (1 if digit is None else digit) * _HAN_SCALES[figure]
            digit = None
        else:
            total, part, digit = total + (part + (digit or 0) or 1) * 10_000, 0, None
    if any(figure not in _HAN_DIGITS for figure in decimals):
        return None
    fraction = "".join(str(_HAN_DIGITS[figure]) for figure in decimals)
    return float(f"{total + part + (digit or 0)}.{fraction or 0}")
