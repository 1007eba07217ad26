"""Readers of an answer in words: SAT's released one, and the best one we can write.

Source: arijitray1993/SAT, commit d5dcb10, `models/eval_funcs.py` `QAAccuracy.update`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from er_bench.core.answer import Answer, Status
from er_bench.reading.final_answer import final_answer

_CLOSER = ("is closer", "are closer", "is situated closer", "are situated closer")
_TURNS = {"clockwise": "left", "counter-clockwise": "right"}


def read_released(text: str, asked: str) -> str:
    """The answer's words as the released scorer compares them; empty if it finds none.

    Lower case, up to `###`. Some words are cut out by rules for single kinds of question, which
    look into the prompt `asked`; the last of them keep one word only. Its slips are kept: every
    "night stand" becomes "nnight stand". Where it stops with an IndexError nothing is found.
    """
    words = text.strip().split("###")[0].strip().lower()
    words = "right" if words == "ight" else words.replace("ight stand", "night stand")
    words = _by_question(words, asked.lower()).split("(highlighted by")[0].strip()
    if "1." in words:
        words = words.split("1.")[1].strip()
    for seen, cue in (("is located", "is located "), ("answer:", "answer: ")):
        if seen in words:
            words = _word_after(words, cue)
    return words


def _by_question(words: str, asked: str) -> str:
    """What the rules for three kinds of question leave."""
    if "which object is closer" in asked:
        verb = next((verb for verb in _CLOSER if verb in words), None)
        words = words.split(f" {verb}")[0].split(" ")[-1].strip() if verb else words
    if "is the camera moving" in asked and "moving" in words:
        turn = _word_after(words, "moving ")
        words = _TURNS.get(turn, turn)
    if "considering the relative positions" in asked and "is located to" in words:
        words = "right" if "right" in words else "left"
    return words


def _word_after(words: str, cue: str) -> str:
    parts = words.split(cue)
    return parts[1].split(" ")[0].strip() if len(parts) > 1 else ""


def released_truth(option: str) -> str:
    """An option as the released scorer compares it: brackets are deleted, of the truth alone."""
    return re.sub(r"[()]", "", option.lower().strip())


def read_official(text: str, asked: str, options: Mapping[str, str], right: str) -> Answer:
    """The letter of the option whose words the answer is; other words as they are."""
    words = read_released(text, asked)
    if not words:
        return Answer.unparsed("the released reader finds no words")
    for letter in sorted(options, key=lambda letter: letter != right):
        if words == released_truth(options[letter]):
            return Answer(letter)
    note = "the words are not those of an option; a full stop is enough"
    return Answer(words, Status.OUT_OF_RANGE, note)


def read_option(text: str, options: Mapping[str, str]) -> Answer:
    """The letter of the option that the last line or sentence names that names any.

    Ambiguous where that names several. An option is not named by a longer one that it is part of,
    nor where it is denied ("not left").
    """
    plain = {letter: _plain(option) for letter, option in options.items()}
    said = final_answer(text)
    whole = [letter for letter, option in plain.items() if option == _plain(said)]
    for part in reversed(re.split(r"\n|(?<=[.!?;])\s", said)):
        named = whole or _named(_plain(part), plain)
        if len(named) == 1:
            return Answer(named[0])
        if named:
            return Answer(None, Status.AMBIGUOUS, f"{' and '.join(named)} are named alike")
    return Answer.unparsed("no option is named")


def read_first_word(text: str) -> Answer:
    """The first word once all punctuation is gone, if it is one letter of either case.

    lmms-eval `sat/utils.py` `MultiChoiceRegexFilter` and its exact match, commit 75571cf. Its look
    for options in the question never finds any: they are listed elsewhere.
    """
    word = re.sub(r"[^\w\s]", "", text).strip().split(" ")[0]
    if re.fullmatch("[A-Za-z]", word):
        return Answer(word.upper())
    return Answer.unparsed("the kit's reader finds no letter")


_NOT_DENIED = r"(?<!\bnot )(?<!\binstead of )(?<!\brather than )(?<!\w)"


def _named(part: str, plain: Mapping[str, str]) -> list[str]:
    """The letters of options that stand in a text as whole words; longer ones are cut out first."""
    found = []
    for letter in sorted(plain, key=lambda letter: -len(plain[letter])):
        words = rf"{_NOT_DENIED}{re.escape(plain[letter])}(?!\w)"
        if plain[letter] and re.search(words, part):
            found.append(letter)
            part = re.sub(words, " ", part)
    return sorted(found)


def _plain(text: str) -> str:
    """Lower case, single blanks, no marks but those inside words, no article in front."""
    words = [word.strip(".,;:!?\"'`*()[]{}<>") for word in text.lower().split()]
    return re.sub(r"^(?:the|an?) ", "", " ".join(word for word in words if word))
