"""Readers of option letters: four as benchmarks released them, and the best one we can write.

Each takes the text of a completion and returns an `Answer` whose value is one capital letter.
None ever raises.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from er_bench.core.answer import Answer, Status
from er_bench.reading.cues import Cue, plain
from er_bench.reading.final_answer import (
    CJK,
    corrected,
    correction,
    final_answer,
    half_width,
    supposed,
    without_boxes,
)

# --- as released ------------------------------------------------------------------------------


def read_whole(text: str) -> Answer:
    """The whole answer is the letter; full stops, blanks around it and case do not count.

    ERQA `eval_harness.py`: `response.replace(".", "").strip().lower() == answer.strip().lower()`.
    """
    return _released(text.replace(".", "").strip())


def read_first_word(text: str) -> Answer:
    """The first word is the letter, a trailing full stop and case aside.

    A blank ends the word, a line break does not, and a leading blank leaves an empty word.
    VSI-Bench `vsibench/utils.py` `fuzzy_matching`, commit 51e089c, lines 81-90.
    """
    return _released(text.split(" ")[0].rstrip(".").strip())


_PREFIXES = (
    "The best answer is",
    "The correct answer is",
    "The answer is",
    "The answer",
    "The best option isThe correct option is",
    "Best answer:Best option:",
    "Answer:",
    "Option:",
    "The correct answer",
    "The correct option",
)


def read_first_capital(text: str) -> Answer:
    """The first capital A-D anywhere, after a list of phrases is deleted.

    Two commas missing from the released list make one phrase of two, twice, and so undo four of
    them; scores depend on it. EgoPlan-Bench2 `eval.py` `extract_characters_regex`, commit 2523b38.
    """
    return first_capital_after(_PREFIXES, text)


def first_capital_after(deleted: Sequence[str], text: str) -> Answer:
    """The first capital A-D anywhere, after phrases are deleted, one after the other."""
    for phrase in deleted:
        text = text.replace(phrase, "")
    return _released(_first(re.search("[ABCD]", text)))


_LONE_CAPITAL = re.compile(r"[A-D](?<!\w[A-D])\b(?!\s[a-zA-Z])")


def read_backticked(text: str) -> Answer:
    """The first lone capital A-D not followed by a word, within backticks if there are any.

    MMSI-Bench `vlmeval/dataset/mmsi_bench.py`, commit 5de2f3d, lines 211-242. The code, not the
    README, which adds a step for braces.
    """
    for fence in ("``([^`]*)``", "`([^`]*)`"):
        if found := re.search(fence, text):
            text = found.group(1)
    return _released(_first(_LONE_CAPITAL.search(text)))


def _first(found: re.Match[str] | None) -> str:
    return found.group() if found else ""


def _released(letter: str) -> Answer:
    if len(letter) == 1 and letter.isascii() and letter.isalpha():
        return Answer(letter.upper())
    return Answer.unparsed("the released reader finds no letter")


# --- robust -----------------------------------------------------------------------------------

_OPEN = r"""[\s*_`"'\u201c\u2018(\[{<:$.]{0,16}"""
_BESIDE = rf"(?:[^\W_{CJK}]|[\u0300-\u036f])"
"""A letter or figure of any script but those that stand beside letters unspaced."""
_LETTER = (
    rf"(?<![^\W_{CJK}])(?<!\w[-\u2010\u2011])"
    rf"([A-Za-z])(?!{_BESIDE}|['\u2019\u2010\u2011-](?![{CJK}])\w)"
)
_BE = r"(?:\s+(?:is|are|was|would\s+be|should\s+be|must\s+be)\b|\s*[:=])"
_NOUN = r"(?:option|choice|letter)\s+"
_ADVERB = (
    r"(?:(?:(?:most\s+)?(?:probably|likely)|clearly|definitely|certainly|therefore|thus|indeed"
    r"|simply|either)\s+){0,2}"
)
_CUES = (
    rf"(?i:\banswer\b[*_]{{0,3}}{_BE}{{0,2}}{_OPEN}{_ADVERB}(?:{_NOUN})?){_OPEN}{_LETTER}",
    rf"(?i:\b(?:final|conclusion|verdict)\b[*_]{{0,3}}{_BE}{_OPEN}(?:{_NOUN})?){_OPEN}{_LETTER}",
    rf"(?i:\b(?:option|choice)\b[*_]{{0,3}}{_BE}{_OPEN}){_LETTER}",
    rf"(?<!not )(?<!n['\u2019]t )"
    rf"(?i:\b(?:choose|chose|pick|select|go\s+with|going\s+with|opt\s+for|think|believe)"
    rf"\s+(?:that\s+)?(?:it\s+is\s+|it's\s+)?(?:{_NOUN})?){_OPEN}{_LETTER}",
    rf"(?i:\b(?:so|thus|hence|therefore)\b,?\s+(?:it\s+is\s+|it's\s+)?(?:{_NOUN})?){_OPEN}"
    rf"{_LETTER}(?=[\s*_`)\]}}]{{0,4}}(?:[.,;!\u3002]|$))",
    rf"{_LETTER}[)\].*`]{{0,4}}\s+is\s+(?i:the\s+)?(?i:most\s+)?(?i:correct|right|best|better|answer)\b",
    rf"(?:\u7b54\u6848|\u6b63\u89e3|\u6b63\u786e\u9009\u9879|\uc815\ub2f5|\ub2f5)"
    rf"(?:\u5e94\u8be5|\u5e94)?[\u662f\u4e3a\u9009\u306f\u304c\uc740\uc774]?{_OPEN}{_LETTER}",
    rf"(?<!\u4e0d)\u9009(?:\u62e9)?(?:\u7684)?[\u662f\u4e3a]?{_OPEN}{_LETTER}",
    rf"{_LETTER}(?:\u9009?\u9879)?\u662f?(?:\u6b63\u786e|\u5bf9\u7684)",
)
_BEGINS: tuple[tuple[str, ...], ...] = (
    ("answer",),
    ("final", "conclusion", "verdict"),
    ("option", "choice"),
    ("choose", "chose", "pick", "select", "go", "opt", "think", "believe"),
    ("so", "thus", "hence", "therefore"),
    (),
    (),
    (),
    (),
)
_IS_RIGHT = re.compile(r"is\s+(?:the\s+)?(?:most\s+)?(?:correct|right|best|better|answer)\b")
_STATED = tuple(
    Cue(re.compile(cue), begins, _IS_RIGHT if cue.startswith(_LETTER) else None)
    for cue, begins in zip(_CUES, _BEGINS, strict=True)
)
_SAYS = re.compile(rf"(?i:\banswer\b[*_]{{0,3}}{_BE})([^\n.]{{1,300}})")
_LEADING = re.compile(rf"^{_OPEN}(?:(?i:option|choice)\s+)?{_LETTER}")
_ALONE = re.compile(
    r"""^[\s*_`"'\u201c\u2018(\[{<$.>#-]{0,16}(?:(?i:option|choice)\s+)?"""
    r"""([A-Za-z])[\s*_`"'\u201d\u2019)\]}>$.:,;!\u3002-]{0,16}$"""
)
_BARE = re.compile(_LETTER)
_HEDGE = (
    r"[,;.]?(?:\s{1,3}(?:but|or|although))?(?:\s{1,3}(?:it|that))?\s{1,3}\(?"
    r"(?:maybe|perhaps|possibly|probably|(?:could|might|may)\s{1,3}(?:(?:also|well)\s{1,3})?be)"
    r"\s{1,3}(?:option\s{1,3})?"
)
_MORE = re.compile(
    rf"[)*_`\]}}]{{0,4}}(?:\s*(?:[/&|\u2192]|[-=]>)\s*|\s*(?:\u6216\u8005?|\u8fd8\u662f|[\u548c\u4e0e\u53ca\u3001])\s*"
    rf"|(?i:{_HEDGE})"
    r"|\s+\(?(?:and|or)\s+(?:(?:then|maybe|perhaps|possibly|even)\s+)?|\s*,\s*(?:and\s+|or\s+)?"
    r"(?=[(*`]{0,3}[A-Z][)*`]{0,3}\s*(?:[.,;]|$|and\b|or\b)))[(*`]{0,3}([A-Z])"
    rf"(?!{_BESIDE}|['\u2019])"
)
_AFTER_ARTICLE = re.compile(
    r"\s+(?:because|since|as|is|and|or|but|not|due|given|for|would|seems|fits|matches|vs)\b"
)
_NO = (
    r"(?:\b(?:not|between|(?:anything|everything|all)\s+but|(?:is|was|are)n['\u2019]t|neither|nor|except|excluding|(?:rather|other)\s+than"
    r"|than|instead\s+of"
    r"|(?:cannot|can['\u2019]t|couldn['\u2019]t)\s+be|rul(?:e|ed|ing)\s+out"
    r"|eliminat(?:e|ed|ing)|exclud(?:e|ed)|discard(?:ed)?|reject(?:ed)?)"
    r"\s+(?:(?:options?|choices?)\s+)?"
    r"|(?:\u4e0d(?:\u4f1a|\u53ef\u80fd)?\u662f|\u5e76\u975e|\u4e0d\u9009|\u6392\u9664|\u9664\u4e86)\s*)"
)
_WRONG = (
    r"(?:\s+(?:(?:is|are|was|were|seems?)\s+(?:both\s+|all\s+)?(?:not|wrong|incorrect|false|too"
    r"|ruled|excluded|eliminated|impossible|out\b|clearly\s+(?:not|wrong))"
    r"|(?:isn|aren|wasn|doesn|don|can)['\u2019]?t|cannot|(?:does|do)\s+not|can\s+be\s+ruled)\b"
    r"|(?:\u9009?\u9879)?(?:\u90fd)?(?:\u662f\u9519|\u9519|\u4e0d(?:\u6b63\u786e|\u5bf9|\u662f|\u7b26"
    r"|\u884c|\u53ef\u80fd)))"
)
_ITEM = r"(?:option\s{1,3})?[(*`]{0,2}[A-Z](?![A-Za-z])[)*`]{0,2}"
_LIST = (
    rf"[A-Z](?![A-Za-z])[)*`]{{0,2}}(?:\s{{0,3}},\s{{0,3}}{_ITEM}){{0,4}}(?:\s{{0,3}},)?"
    rf"(?:\s{{0,3}}(?:\b(?:and|or|nor)\b|[/\u3001\u548c\u6216])\s{{0,3}}{_ITEM}){{1,4}}"
)
"""Letters with "and" or "or" before the last; without, "not A, B" would deny B."""
_DENIED_BEFORE = re.compile(rf"(?i){_NO}[(*_`\"']{{0,4}}$")
_DENIED_AFTER = re.compile(rf"[)\].*_`]{{0,4}}{_WRONG}")
_LISTED = re.compile(_LIST)
_DENIED_LIST = re.compile(
    rf"(?i:{_NO})[(*_`]{{0,2}}(?P<after>{_LIST})|(?<![A-Za-z])(?P<before>{_LIST}){_WRONG}"
)
_ASKED = re.compile(
    r"""[)\]*_`.'"]{0,4}(?:\s{0,3}(?:\bor\b|\u8fd8\u662f)\s{0,3}[A-Z])?\s{0,3}\?(?!\W{0,6}(?i:yes))"""
)
_WORD_NEXT = re.compile(r"[ \t]+[A-Za-z]")
_FAILURE = re.compile(
    r"(?i)^\W{0,8}(?:error\b|failed\b|failure\b|exception\b|traceback\b|request\s+failed|sorry\b"
    r"|i\s*(?:['\u2019]m|\s+am)\s+(?:sorry|unable|not\s+able)|i\s+(?:can(?:no|['\u2019])?t|can\s+not)\b)"
)
_CORRECTION = correction(
    rf"[\s*_`\"'(\[]{{0,6}}(?:{_NOUN})?[(*`]{{0,3}}[A-Z][)\].*`]{{0,4}}\s{{0,3}}(?:[.,;!\n\u3002]|$)",
    also=r"\bbut\s{1,3}it(?:\s{1,3}is|['\u2019]s)\s{1,3}",
)
_EDGES = " \t\r\n*_`\"'\u201c\u201d\u2018\u2019()[]{}<>$.:,;!\u3002"


def read_letter(
    text: str, letters: str = "ABCD", options: Mapping[str, str] | None = None
) -> Answer:
    r"""The option that an answer settles on, however it is written.

    The last statement counts ("the answer is C", "I choose (C)"), then a letter on a line of its
    own, then one that opens the answer, then the only letter mentioned. The article A and the
    letters of a failure message are not options. Ambiguous when two letters fit equally well.

    Args:
        text: the completion; thoughts, `<answer>` tags and `\boxed{}` are looked through.
        letters: the options there are.
        options: text of each option by letter, where known: it tells "A lamp" the option from
            "A lamp stands here", and is itself an answer.
    """
    said, beside = final_answer(text), without_boxes(text)
    answer = _read_corrected(said, letters, options or {})
    if answer.status is not Status.OK and beside != said:
        outside = _read_corrected(beside, letters, options or {})
        return outside if outside.status is Status.OK else answer
    return answer


def _read_corrected(text: str, letters: str, options: Mapping[str, str]) -> Answer:
    """The letter after a correction that states one, else that of the whole text."""
    if (later := corrected(text, _CORRECTION)) is not None:
        answer = _Reader(later, letters, options).read()
        if answer.status is Status.OK:
            return answer
    return _Reader(text, letters, options).read()


class _Reader:
    """One text, read against one set of options."""

    def __init__(self, text: str, letters: str, options: Mapping[str, str]) -> None:
        self.text, self.letters = text, letters
        self.plain_options, self.by_text = _plain_options(tuple(options.items()))
        self.denied = set(_denied(text))
        self.ends_asking = text.rstrip().endswith("?")

    def read(self) -> Answer:
        if not self.text.strip():
            return Answer.unparsed("the answer is empty")
        if self.by_text:
            whole = _plain(self.text)
            if len(whole) > 1 and self.by_text.get(whole):
                return Answer(self.by_text[whole])
        rules = (self.stated(), self.alone(), self.leading(), self.mentioned())
        for found in rules:
            answer = self.settle(found)
            if answer.status is not Status.UNPARSED:
                return answer
        return Answer.unparsed("no letter is stated")

    def settle(self, found: Iterator[str]) -> Answer:
        distinct = list(dict.fromkeys(found))
        if not distinct:
            return Answer.unparsed()
        if len(distinct) > 1:
            return Answer(None, Status.AMBIGUOUS, f"fits {', '.join(distinct)}")
        letter = distinct[0]
        status = Status.OK if letter in self.letters else Status.OUT_OF_RANGE
        return Answer(letter, status, "" if status is Status.OK else "no such option")

    def stated(self) -> Iterator[str]:
        """The letter, or joined letters, of the last statement."""
        last: tuple[int, re.Match[str]] | None = None
        low = plain(self.text)
        for cue in _STATED:
            for match in cue.finditer(self.text, low):
                start, end = match.span(1)
                if self.is_option(match[1], end, after_cue=True) and start >= (last or (0,))[0]:
                    last = (start, match)
        if last is None:
            yield from self.stated_text()
        else:
            yield from self.joined(last[1])

    def stated_text(self) -> Iterator[str]:
        """The option whose text is stated, as in `The answer is: the lamp`."""
        for match in _SAYS.finditer(self.text) if self.by_text else ():
            if letter := self.by_text.get(_plain(match[1])):
                yield letter

    def alone(self) -> Iterator[str]:
        for line in self.text.splitlines():
            if len(line) < 48 and (match := _ALONE.match(line)):
                yield match[1].upper()

    def leading(self) -> Iterator[str]:
        start, blank_before = 0, True
        for number, whole in enumerate(self.text.splitlines(keepends=True)):
            line = whole.rstrip("\r\n")
            match = _LEADING.match(line)
            end = match.end(1) if match else 0
            if (
                match
                and not _ASKED.match(line, end)
                and self.is_option(match[1], end, line=line, line_start=start)
            ):
                marked = line[end : end + 1] in tuple(").:]*")
                if number == 0 or marked or blank_before:
                    yield from self.joined(match, line)
            start, blank_before = start + len(whole), blank_before and not line.strip()

    def mentioned(self) -> Iterator[str]:
        if _FAILURE.match(self.text):
            return
        for match in _BARE.finditer(self.text):
            known = match[1] in self.letters and match[1].isupper()
            if known and self.is_option(match[1], match.end(1)):
                yield match[1]

    def joined(self, match: re.Match[str], text: str | None = None) -> Iterator[str]:
        """A letter, and a second one that the text joins to it: `A and C`."""
        yield match[1].upper()
        more = _MORE.match(text if text is not None else self.text, match.end(1))
        if more and more[1] in self.letters:
            yield more[1]

    def is_option(
        self,
        letter: str,
        end: int,
        line: str | None = None,
        *,
        line_start: int = 0,
        after_cue: bool = False,
    ) -> bool:
        """Whether a lone letter that ends at `end` is an option, and not one that is denied.

        The article A and the pronoun I are none, nor is what is only supposed or asked.
        """
        text = line if line is not None else self.text
        asked = not self.ends_asking and _ASKED.match(text, end)
        if supposed(text, end - 1) or asked or line_start + end in self.denied:
            return False
        if _DENIED_BEFORE.search(text, max(0, end - 24), end - 1) or _DENIED_AFTER.match(text, end):
            return False
        if letter.islower():
            following = text[end : end + 1]
            return (after_cue or line is not None) and following in ("", *").:]*`,;}\"'\n\u3002")
        if letter not in "AI" or not _WORD_NEXT.match(text, end):
            return True
        if _AFTER_ARTICLE.match(text, end) and (after_cue or letter == "A"):
            return True
        option = self.plain_options.get(letter, "")
        return bool(option) and _plain(text[end : end + 2 * len(option) + 8]).startswith(option)


def _denied(text: str) -> Iterator[int]:
    """Where letters end that are denied together: "not A or B", "A, B and D are wrong"."""
    if not _LISTED.search(text):
        return
    for found in _DENIED_LIST.finditer(text):
        kind = "after" if found["after"] else "before"
        for letter in re.finditer(r"(?<![A-Za-z])[A-Z](?![A-Za-z])", found[kind]):
            yield found.start(kind) + letter.end()


@lru_cache(maxsize=8)
def _plain_options(options: tuple[tuple[str, str], ...]) -> tuple[dict[str, str], dict[str, str]]:
    """Plain text by letter, and letter by plain text, empty where two options read alike."""
    texts = {letter: _plain(option) for letter, option in options}
    by_text: dict[str, str] = {}
    for letter, text in texts.items():
        by_text[text] = "" if text in by_text else letter
    return texts, by_text


_ARTICLE = re.compile(r"^(?:the|an?)\s+")


def _plain(text: str) -> str:
    """Lower case, single blanks, no marks around it and no article."""
    return _ARTICLE.sub("", " ".join(half_width(text).lower().split()).strip(_EDGES))
