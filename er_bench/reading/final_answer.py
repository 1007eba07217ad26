"""The part of a completion that is meant as the answer: thoughts, tags and boxes looked through.

Also what every robust reader asks of the words around a value: is it taken back, or only supposed?
"""

from __future__ import annotations

import re

from er_bench.reading.thoughts import after_thinking

CJK = r"\u3005-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff"
"""Characters of Chinese, Japanese and Korean, which stand beside letters and figures unspaced."""

_BOXED = re.compile(r"\\boxed\s*\{((?:[^{}]|\{[^{}]*\})*)\}")
_TEXT_MACRO = re.compile(r"\\(?:text|mathrm|mathbf|textbf)\s*\{([^{}]*)\}")
_HALF_WIDTH = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)} | {0x3000: " "}

_TAKEN_BACK = (
    r"(?<!\w)(?:wait(?=\s{0,3}[,.:;!\u2013\u2014\u2026-])|hm+,?\s{1,3}no(?=[,.])"
    r"|(?:let\s{1,3}me|i\s{1,3}need\s{1,3}to)\s{1,3}(?:reconsider|re-?check|re-?examine"
    r"|(?:look|check|think)\s{1,3}again)|no,?\s{1,3}wait|wait,?\s{1,3}(?:no|actually)|correction(?=\s{0,3}[:,.;\u2013\u2014-])|scratch\s{1,3}that"
    r"|on\s{1,3}second\s{1,3}thoughts?|my\s{1,3}mistake|i\s{1,3}was\s{1,3}wrong"
    r"|i\s{1,3}change\s{1,3}my\s{1,3}(?:mind|answer)(?:\s{1,3}to)?"
    r"|(?:let\s{1,3}me|i\s{1,3}(?:must|should))\s{1,3}correct\s{1,3}(?:that|myself)"
    r"|\u4e0d\u5bf9|\u7b49\u7b49|\u7b49\u4e00\u4e0b|\u66f4\u6b63|\u6211\u9519\u4e86)"
    rf"(?:\b|(?<=[{CJK}]))[\s,.:;!\u2013\u2014\u3002-]{{0,8}}"
)
_IT = r"(?:it|that|this|the\s{1,3}(?:(?:correct|right)\s{1,3})?answer)"
_IS = r"(?:\s{1,3}(?:is|(?:should|must)\s{1,3}be)|['\u2019]s)\s{1,3}"
_INSTEAD = (
    r"\s{0,3}(?:no|nope|actually|sorry|oops|(?:or\s{1,3})?rather|i\s{1,3}mean"
    r"|make\s{1,3}(?:that|it))\b"
)
_REPLACED = (
    rf"(?:(?<=[,.;:?!()\u2013\u2014\u2026-]){_INSTEAD}[,:]?\s{{1,3}}(?:{_IT}{_IS})?"
    rf"|\bbut\s{{1,3}}(?:{_IT}{_IS}(?:actually|really)\s{{1,3}}|should\s{{1,3}}be\s{{1,3}}))"
)


def correction(value: str, also: str = r"(?!)") -> re.Pattern[str]:
    """Words that take back what was said before: "no, wait", or "no," right before a `value`.

    `also` are more words that do so right before a value; they begin with "but".
    """
    return re.compile(rf"(?i)(?:{_TAKEN_BACK}|(?:{_REPLACED}|{also})(?={value}))")


def corrected(text: str, by: re.Pattern[str]) -> str | None:
    """What follows the last words that take something back; None when there are none."""
    if text.isascii() and not _may_be_corrected(text):
        return None
    end = None
    for found in by.finditer(text):
        end = found.end()
    return None if end is None else text[end:]


_INSTEAD_AFTER_MARK = re.compile(rf"[,.;:?!()-](?i:{_INSTEAD})")
_TAKING_BACK = (
    *("wait", "hm", "reconsider", "recheck", "re-check", "reexamine", "re-examine", "again"),
    *("correct", "scratch", "second", "mistake", "wrong", "change", "but"),
)


def _may_be_corrected(text: str) -> bool:
    """Whether plain text has a part of what every correction has; many times as fast to see."""
    low = text.lower()
    return any(word in low for word in _TAKING_BACK) or bool(_INSTEAD_AFTER_MARK.search(text))


_SUPPOSED = re.compile(
    r"(?i)(?:\bif|(?<!\bi )(?<!i['\u2019]d )(?<!would )(?<!only )(?<!must )"
    r"\b(?:suppos|assum|imagin)(?:e|ing)|\blet(?:['\u2019]?s|\s{1,3}us)\s{1,3}say|\b(?:were|had)\s{1,3}it(?:\s{1,3}been)?"
    r"|\u5982\u679c|\u5047(?:\u8bbe|\u5982|\u5b9a)|\u5018\u82e5|\u82e5)[,:]?\s{0,3}(?:that\s{1,3})?"
    r"(?:(?:it|this|that|there|the\s{1,3}(?:(?:correct|right)\s{1,3})?"
    r"(?:answer|option|choice|number|count|total))\s{1,3}"
    r"(?:is|are|was|were|had\s{1,3}been|(?:would|should)\s{1,3}be)\s{1,3})?"
    r"(?:\u7b54\u6848|\u9009\u9879|\u5171)?(?:\u662f|\u4e3a|\u9009|\u6709)?"
    r"(?:(?:option|choice|letter)\s{1,3})?[(*_`\"'\[]{0,4}$"
)
_SUPPOSED_BEFORE = 72
_SUPPOSING = ("if", "suppos", "assum", "imagin", "let", "were", "had")


def supposed(text: str, at: int) -> bool:
    """Whether what begins at `at` is only supposed: "if it were A", "suppose B"."""
    start = max(0, at - _SUPPOSED_BEFORE)
    before = text[start:at].lower()
    if before.isascii() and not any(word in before for word in _SUPPOSING):
        return False
    return _SUPPOSED.search(text, start, at) is not None


def half_width(text: str) -> str:
    """Full-width letters, figures and marks as ASCII."""
    return text if text.isascii() else text.translate(_HALF_WIDTH)


def without_boxes(text: str) -> str:
    r"""What follows the thoughts, every `\boxed{}` cut out of it."""
    text = half_width(after_thinking(text))
    return _TEXT_MACRO.sub(r"\1", _BOXED.sub(" ", text)) if "\\" in text else text


def final_answer(text: str) -> str:
    r"""The last `<answer>`, then the last `\boxed{}`, of what follows the thoughts."""
    text = half_width(after_thinking(text))
    if "\\" not in text:
        return text
    if found := [match for match in _BOXED.findall(text) if match.strip()]:
        text = found[-1]
    return _TEXT_MACRO.sub(r"\1", text)
