"""Letters and numbers as they may be said."""

from __future__ import annotations

from tests.reading.intended import NOTHING, Intended, Rng, made

LETTERS = "ABCD"
OPTIONS = {"A": "Red lamp", "B": "Green chair", "C": "White cup", "D": "Black box"}

# --- letters ----------------------------------------------------------------------------------

LETTER_MARKS = (
    "{}",
    "({})",
    "**{}**",
    "`{}`",
    "[{}]",
    "{}.",
    '"{}"',
    "\\boxed{{{}}}",
    "$\\text{{{}}}$",
)
LETTER_FORMS = (
    "{m}",
    "The answer is {m}",
    "The correct answer is {m}",
    "Answer: {m}",
    "**Answer:** {m}",
    "Final answer: {m}",
    "My answer is option {m}",
    "The answer is clearly {m}",
    "The answer is most likely {m}",
    "I choose {m}",
    "I would go with {m}",
    "I think it is {m}",
    "I'd pick option {m}",
    "So the answer must be {m}",
    "The cup stands left of the box.\n\n{m}",
    "\u7b54\u6848\u662f{m}",
    "\u7b54\u6848\uff1a{m}",
    "\u6b63\u786e\u7b54\u6848\u4e3a{m}",
    "\u6211\u9009\u62e9{m}",
    "\u9009{m}",
    "\u6240\u4ee5\u5e94\u8be5\u9009{m}",
)
LETTER_BESIDE = (
    "{f}",
    "{f}\n\nIt is the one next to the table.",
    "It cannot be {o}. {f}",
    "Option {o} is wrong. {f}",
    "{f}\nOption {o} is incorrect.",
    "{f}\n{o} and {p} are wrong.",
    "Not {o} or {p}. {f}",
    "Suppose the answer is {o}. Then the lamp would be off, which it is not. {f}",
    "If it were {o}, the box would be open. {f}",
    "Let's say it is {o}; that fails. {f}",
    "Is it {o}? {f}",
    "The \u00c9{o} sign and the {o}\u00e9 sign are far away. {f}",
    "The answer is {o}. No, wait. {f}",
    "At first I saw {o}. Correction: {f}",
)
LETTER_WHOLE = (
    ("{o} \u2014 no, wait, {l}", True),
    ("{o}. Actually, {l}.", True),
    ("The answer is {o}... sorry, {l}.", True),
    ("{o}, or rather {l}", True),
    ("My first guess was {o} but it's actually {l}", True),
    ("{o}. Hmm, let me reconsider. {l}.", True),
    ("{o}... hmm, no. {l}.", True),
    ("{o} or {p}? {l}.", True),
    ("If I had to choose, I'd say {l}.", True),
    ("I suppose it is {l}", True),
    ("Perhaps {o}? Perhaps {l}?", False),
    ("{l} (or {o})", False),
    ("{l}|{o}", False),
    ("Anything but {o}", False),
    ("{l}\u8fd8\u662f{o}", False),
    ("\u7b54\u6848\u4e0d\u662f{o}\uff0c\u662f{l}", True),
    ("\u6392\u9664{o}\uff0c\u9009{l}", True),
    (
        "\u5982\u679c\u662f{o}\uff0c\u676f\u5b50\u4f1a\u5728\u5de6\u8fb9\u3002\u7b54\u6848\u662f{l}\u3002",
        True,
    ),
    ("{l}\u9879\u6b63\u786e", True),
    ("{text}", True),
    ("The answer is: {text}", True),
    ("{l}. {text}", True),
    ("{l}) {text}", True),
    ("{l} because {o} is too small", True),
    ("{l} is correct, {o} is not", True),
    ("{l} or {o}", False),
    ("Either {l} or {o}", False),
    ("Probably {l}, maybe {o}", False),
    ("I think {l}, but it could be {o}.", False),
    ("The answer is {l} or {o}.", False),
    ("{l} and {o}", False),
    ("{l}\u6216{o}", False),
    ("\u53ef\u80fd\u662f{l}\uff0c\u4e5f\u53ef\u80fd\u662f{o}", False),
    ("Not {o}.", False),
    ("It is neither {l} nor {o}.", False),
    ("The answer is not {o}, it's not {p}.", False),
    ("\u4e0d\u662f{o}", False),
    ("Suppose {o}.", False),
    ("If it were {o}, the lamp would be on.", False),
    ("I cannot tell.", False),
    ("The picture shows a table.", False),
    ("Vitamin-{l} and {l}\u00e9", False),
    ("", False),
)
FULL_WIDTH = {code: chr(code + 0xFEE0) for code in range(0x30, 0x5B)}


def letter_answer(rng: Rng) -> Intended:
    letter, other, third = rng.sample(LETTERS, 3)
    words = {"l": letter, "o": other, "p": third, "text": OPTIONS[letter]}
    if rng.random() < 0.4:
        form, stated = rng.choice(LETTER_WHOLE)
        text, value = form.format(**words), letter if stated else NOTHING
    else:
        shown = letter.translate(FULL_WIDTH) if rng.random() < 0.15 else letter
        stated_so, beside = rng.choice(LETTER_FORMS), rng.choice(LETTER_BESIDE)
        mark = rng.choice(LETTER_MARKS)
        said = stated_so.format(m=mark.format(shown)).rstrip(".") + rng.choice(("", "."))
        text, value = beside.format(f=said, **words), letter
        form = f"{beside} / {stated_so} / {mark}"
    return made(rng, "letter", form, text, value, f"the answer is {other}")


# --- numbers ----------------------------------------------------------------------------------

ONES = "zero one two three four five six seven eight nine ten eleven twelve".split()
HAN = "\u96f6\u4e00\u4e8c\u4e09\u56db\u4e94\u516d\u4e03\u516b\u4e5d"
NUMBER_FORMS = (
    "{n}",
    "The answer is {n}",
    "Answer: {n}",
    "**{n}**",
    "\\boxed{{{n}}}",
    "There are {n} chairs",
    "I count {n}",
    "about {n}",
    "approximately {n} meters",
    "{n} m",
    "The distance is {n} m",
    "Total: {n}",
    "A total of {n} chairs",
    "\u7b54\u6848\u662f{n}",
    "\u5171{n}\u4e2a",
    "\u4e00\u5171\u6709{n}\u628a\u6905\u5b50",
    "\u5927\u7ea6{n}\u7c73",
)
NUMBER_BESIDE = (
    "{f}.",
    "{f}",
    "It is not {o}. {f}",
    "Suppose there were {o}. The room would be full. {f}",
    "{f}, not {o}.",
)
NUMBER_WHOLE = (
    ("{a} m x {b} m = {ab}", "ab"),
    ("{a} + {b} = {sum}", "sum"),
    ("The area is {a} m \u00d7 {b} m = {ab} m\u00b2.", "ab"),
    ("Chairs: {a}, tables: {b}. Total: {sum}", "sum"),
    ("There are {a} red and {b} blue ones, {sum} in total.", "sum"),
    ("{a} on the left, {b} on the right. Answer: {sum}", "sum"),
    ("I see {a} chairs. No wait, {b} chairs.", "b"),
    ("{a}? No, {b}.", "b"),
    ("{a}, actually {b}", "b"),
    ("\u5de6\u8fb9{a}\u4e2a\uff0c\u53f3\u8fb9{b}\u4e2a\uff0c\u4e00\u5171{sum}\u4e2a", "sum"),
    ("\u4e0d\u662f{a}\u4e2a\uff0c\u662f{b}\u4e2a", "b"),
    ("{a} chairs. Wait, {b} chairs.", "b"),
    ("not {a} but {b}", "b"),
    ("{a} chairs in total, {b} of them red", "a"),
    ("{a} and a half meters", "half"),
    ("{a} (maybe {b})", None),
    ("\u4e8c\u5341\u5230{b}\u4e2a", None),
    ("{a}\u00bd", "half"),
    ("{a} 1/2 m", "half"),
    ("minus {a}", "minus"),
    ("-{a}", "minus"),
    ("{a}-{b}", None),
    ("{a} to {b} meters", None),
    ("between {a} and {b}", None),
    ("{a} or {b}", None),
    ("maybe {a}, maybe {b}", None),
    ("{a} chairs, perhaps {b}", None),
    ("not {a}", None),
    ("{a} here and {b} there", "a"),
    ("I cannot tell.", None),
    ("It is {a} in one room, {b} in another", None),
    ("Suppose {a}.", None),
    ("{a},{b}", None),
    ("Some chairs", None),
)


def _written(rng: Rng, form: str) -> tuple[str, float]:
    """A number and its figures: plain, in words, full-width, with marks between thousands."""
    choice, small = rng.randrange(9), rng.randint(2, 9)
    if choice == 0 and "{n} m" not in form and form.isascii():
        return ONES[small], small
    if choice == 1:
        return str(small).translate(FULL_WIDTH), small
    if choice == 2 and not form.isascii() and "\u7b54" not in form:
        return HAN[small], small
    if choice == 3:
        large = rng.randint(1_000, 9_999_999)
        mark = rng.choice((",", " ", "\u2009", "\u00a0", "\u202f"))
        return f"{large:,}".replace(",", mark), large
    if choice == 4:
        value = rng.randint(1, 999) / 100
        return f"{value:.2f}", value
    if choice == 5 and ("m" in form.split("{n}")[1][:3] or "\u7c73" in form):
        value = rng.randint(101, 999) / 100
        return f"{value:.2f}".replace(".", ","), value
    if choice == 6:
        return f"0,{small}", small / 10
    return str(small), small


def number_answer(rng: Rng) -> Intended:
    a, b = rng.sample(range(2, 12), 2)
    if rng.random() < 0.45:
        form, key = rng.choice(NUMBER_WHOLE)
        text = form.format(a=a, b=b, ab=a * b, sum=a + b)
        values = {"a": a, "b": b, "ab": a * b, "sum": a + b, "half": a + 0.5, "minus": -a}
        value: object = NOTHING if key is None else float(values[key])
    else:
        stated, beside = rng.choice(NUMBER_FORMS), rng.choice(NUMBER_BESIDE)
        figures, number = _written(rng, stated)
        other = number + 1 if number == int(number) else 3
        text = beside.format(f=stated.format(n=figures), o=int(other))
        form, value = f"{beside} / {stated} / {figures}", float(number)
    return made(rng, "number", form, text, value, f"the answer is {a + b + 40}")
