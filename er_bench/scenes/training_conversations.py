"""Training conversations about random scenes, with exact answers.

Every question that a small model is to answer is asked here in the wordings of the mini splits:
points and boxes of named things in a family's own dialect, counts, letters, numbers, short plans.
Seeds: mini splits draw from other generators, held-out evaluation starts at `HELD_OUT_SEED`,
training at `TRAINING_SEED`. `training_set.py` writes a data set.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from er_bench.core.answer import Boxes, Points
from er_bench.core.dialect import Dialect
from er_bench.core.geometry import Point, Size, Unit
from er_bench.scenes.conversation import Conversation, Exchange
from er_bench.scenes.questions import LETTERS
from er_bench.scenes.shapes import COLOURS, SHAPES, Scene, Thing, plural, random_scene

HELD_OUT_SEED = 500_000
TRAINING_SEED = 1_000_000

COORDINATE_STEP = 20
"""Written coordinates are multiples of it, so that a small model has few classes to tell apart."""

POINT_WORDINGS = (
    "Point to the {}.",
    "Please provide the referring points of the {}.",
    "Please provide the referring points of {}.",
    "Locate the {}.",
    "Please point out the {}.",
    "the {}",
    "{}",
)
COUNT_WORDINGS = (
    "How many {} are there?",
    "How many {} are there in this room?",
    "How many {} can be seen?",
)
NUMBER_TAIL = "Please answer the question using a single word or phrase."
LETTER_TAILS = (
    "Answer with the option's letter from the given choices directly.",
    "Please answer directly with only the letter of the correct option and nothing else.",
)
SIDES = ("to the left of", "to the right of", "above", "below")
OUTERMOST: dict[str, tuple[int, int]] = {
    "furthest left": (0, 1),
    "furthest right": (0, -1),
    "highest": (1, 1),
    "lowest": (1, -1),
}
"""Words to (axis, sign): the thing with the least `sign * coordinate`, rows counted down."""

CLEAR_PX = 12.0
"""Two coordinates nearer than this are never compared."""

REACH_PX, GAP_PX = 55, 6
"""Free space beside a thing: from `GAP_PX` off its box to `REACH_PX`."""


def training_scene(rng: random.Random, n_things: tuple[int, int] = (1, 6)) -> Scene:
    """A scene of the mini splits' size: 320x240, radius 14 to 30. Colours and shapes may repeat."""
    n = rng.randint(*n_things)
    radius_px = (14.0, 30.0) if n < 5 else (14.0, 26.0)
    if n == 1 or rng.random() < 0.5:
        return random_scene(rng, n, radius_px=radius_px)
    colours = rng.sample(sorted(COLOURS), rng.choice((2, 3, 8)))
    shapes = rng.sample(SHAPES, rng.choice((2, 3, 6)))
    pairs = [(c, s) for c in colours for s in shapes]
    labels = rng.sample(pairs, min(n, len(pairs)))
    return random_scene(rng, len(labels), radius_px=radius_px, labels=labels)


def permille(value: float, extent: float) -> int:
    """A pixel coordinate as written: 0 to 1000, a multiple of `COORDINATE_STEP`."""
    return min(1000, max(0, round(value / extent * 1000 / COORDINATE_STEP) * COORDINATE_STEP))


def per_1000(point_px_xy: Point, size_wh: Size) -> Point:
    """A point in thousandths of the picture, rounded as it is written."""
    (x, y), (w, h) = point_px_xy, size_wh
    return permille(x, w), permille(y, h)


def names(scene: Scene) -> list[tuple[str, Thing]]:
    """Every phrase that means exactly one thing: `red star`, `star`, `red object`."""
    found = [(t.label, t) for t in scene.things]
    for thing in scene.things:
        if sum(t.shape == thing.shape for t in scene.things) == 1:
            found.append((thing.shape, thing))
        if sum(t.colour == thing.colour for t in scene.things) == 1:
            found.append((f"{thing.colour} object", thing))
    return found


Asked = tuple[str, str, list[str], Thing | None]
"""Question, right option, wrong options, and the one thing that it is about."""


@dataclass(frozen=True, slots=True)
class Asker:
    """Makes questions about one scene; points and boxes are asked for and written in a dialect.

    A method returns None where the scene does not allow its question.
    """

    scene: Scene
    rng: random.Random
    dialect: Dialect

    def _named(self) -> tuple[str, Thing]:
        if self.rng.random() < 0.6:
            thing = self.rng.choice(self.scene.things)
            return thing.label, thing
        return self.rng.choice(names(self.scene))

    def _points(self, places_px_xy: Sequence[Point]) -> str:
        places = tuple(per_1000(p, self.scene.size_wh) for p in places_px_xy)
        return self.dialect.write_points(Points(places, Unit.PER_1000))

    def _asked(
        self,
        kind: str,
        question: str,
        referring: str,
        places: Sequence[Point],
        about: Thing | None = None,
    ) -> Exchange:
        text = self.dialect.point_prompt(question, referring)
        return Exchange(kind, text, self._points(places), about)

    def point(self) -> Exchange:
        """The middle of a named thing."""
        name, thing = self._named()
        question = self.rng.choice(POINT_WORDINGS).format(name)
        return self._asked("point", question, name, [thing.centre_px_xy], thing)

    def point_to(self, thing: Thing) -> Exchange:
        """The middle of a thing, asked for in the plainest way."""
        question = POINT_WORDINGS[0].format(thing.label)
        return self._asked("point", question, thing.label, [thing.centre_px_xy], thing)

    def outermost(self) -> Exchange | None:
        """The middle of the thing furthest to one side."""
        word = self.rng.choice(sorted(OUTERMOST))
        ranked = self._ranked(word)
        if ranked is None:
            return None
        name, thing = f"object that is {word} in the image", ranked[0]
        question = f"Point to the {name}."
        return self._asked("outermost", question, name, [thing.centre_px_xy], thing)

    def _ranked(self, word: str) -> list[Thing] | None:
        axis, sign = OUTERMOST[word]
        ranked = sorted(self.scene.things, key=lambda t: sign * t.centre_px_xy[axis])
        if len(ranked) < 2:
            return None
        gap = abs(ranked[0].centre_px_xy[axis] - ranked[1].centre_px_xy[axis])
        return ranked if gap >= CLEAR_PX else None

    def every(self) -> Exchange:
        """The middles of all things of a shape, from left to right."""
        shape = self.rng.choice(self.scene.things).shape
        meant = sorted(t.centre_px_xy for t in self.scene.things if t.shape == shape)
        name = plural(shape)
        return self._asked("every", f"Point to all the {name}.", name, meant)

    def odd(self) -> Exchange | None:
        """The thing whose colour no other has."""
        things = self.scene.things
        lone = [t for t in things if sum(u.colour == t.colour for u in things) == 1]
        if len(lone) != 1 or len(things) < 3:
            return None
        name = "object whose color does not match the others"
        return self._asked("odd", f"Point to the {name}.", name, [lone[0].centre_px_xy], lone[0])

    def free(self) -> Exchange | None:
        """A spot in the free space on one side of a named thing."""
        thing, side = self.rng.choice(self.scene.things), self.rng.choice(SIDES)
        spot = free_spot(self.scene, thing, side)
        if spot is None:
            return None
        name = f"free space {side} the {thing.label}"
        return self._asked("free", f"Find some spots in the {name}.", name, [spot], thing)

    def box(self) -> Exchange:
        """The box of a named thing."""
        name, thing = self._named()
        (x0, y0, x1, y1), size_wh = thing.box_px_xyxy, self.scene.size_wh
        box = (*per_1000((x0, y0), size_wh), *per_1000((x1, y1), size_wh))
        text = self.dialect.box_prompt(f"Find the {name}.", name)
        return Exchange("box", text, self.dialect.write_boxes(Boxes((box,), Unit.PER_1000)), thing)

    def what(self) -> Exchange:
        """The name of what is at a point."""
        thing = self.rng.choice(self.scene.things)
        return Exchange("what", f"What is at {self._points([thing.centre_px_xy])}?", thing.label)

    def listing(self) -> Exchange:
        """Name and point of everything, from left to right."""
        things = sorted(self.scene.things, key=lambda t: t.centre_px_xy)
        said = "; ".join(f"{t.label} {self._points([t.centre_px_xy])}" for t in things)
        return Exchange("listing", "List the objects from left to right.", said)

    def number(self) -> Exchange:
        """A named thing's distance from an edge, in thousandths."""
        name, thing = self._named()
        axis = self.rng.randrange(2)
        question = f"How far from the {('left', 'top')[axis]} edge is the {name}, in thousandths?"
        value = per_1000(thing.centre_px_xy, self.scene.size_wh)[axis]
        return Exchange("number", f"{question}\n{NUMBER_TAIL}", f"{value:.0f}", thing)

    def count(self) -> Exchange:
        """How many things there are of a shape, of a colour, or at all."""
        (one, many), n = self._counted()
        asked = f"{one}(s)" if self.rng.random() < 0.4 else many
        question = self.rng.choice(COUNT_WORDINGS).format(asked)
        return Exchange("count", f"{question}\n{NUMBER_TAIL}", str(n))

    def _counted(self) -> tuple[tuple[str, str], int]:
        things, rng = self.scene.things, self.rng
        match rng.randrange(3):
            case 0:
                shape = rng.choice(things).shape if rng.random() < 0.8 else rng.choice(SHAPES)
                return (shape, plural(shape)), sum(t.shape == shape for t in things)
            case 1:
                colour = rng.choice(things).colour
                colour = colour if rng.random() < 0.8 else rng.choice(sorted(COLOURS))
                one = f"{colour} object"
                return (one, plural(one)), sum(t.colour == colour for t in things)
            case _:
                return ("object", "objects"), len(things)

    def letter(self) -> Exchange:
        """A question with four options, or two; answered by the right one's letter."""
        makers = (self._colour_of, self._shape_of, self._which_outermost, self._side_of)
        while (asked := self.rng.choice((*makers, self._how_many))()) is None:
            pass
        question, right, wrong, about = asked
        options = [right, *wrong]
        self.rng.shuffle(options)
        lettered = list(zip(LETTERS, options, strict=False))
        if self.rng.random() < 0.5:
            listed = "Choices: " + " ".join(f"{key}. {option}." for key, option in lettered)
            text = f"{question} {listed} {LETTER_TAILS[1]}"
        else:
            listed = "\n".join(f"{key}. {option}" for key, option in lettered)
            text = f"{question}\nOptions:\n{listed}\n{LETTER_TAILS[0]}"
        return Exchange("letter", text, LETTERS[options.index(right)], about, right)

    def _colour_of(self) -> Asked | None:
        found = [(n, t) for n, t in names(self.scene) if n == t.shape]
        if not found:
            return None
        _, thing = self.rng.choice(found)
        wrong = self.rng.sample([c for c in COLOURS if c != thing.colour], 3)
        return f"What is the color of the {thing.shape}?", thing.colour, wrong, thing

    def _shape_of(self) -> Asked | None:
        found = [(n, t) for n, t in names(self.scene) if n.endswith("object")]
        if not found:
            return None
        name, thing = self.rng.choice(found)
        wrong = self.rng.sample([s for s in SHAPES if s != thing.shape], 3)
        return f"What is the shape of the {name}?", thing.shape, wrong, thing

    def _which_outermost(self) -> Asked | None:
        word = self.rng.choice(sorted(OUTERMOST))
        ranked = self._ranked(word)
        if ranked is None:
            return None
        right, *wrong = [f"The {t.label}" for t in ranked[:4]]
        absent = [f"The {c} {s}" for c in COLOURS for s in SHAPES]
        absent = [a for a in absent if a not in (right, *wrong)]
        wrong += self.rng.sample(absent, 3 - len(wrong))
        return f"Which object is {word} in the image?", right, wrong, ranked[0]

    def _side_of(self) -> Asked | None:
        if len(self.scene.things) < 2:
            return None
        one, other = self.rng.sample(self.scene.things, 2)
        axis = self.rng.randrange(2)
        gap = one.centre_px_xy[axis] - other.centre_px_xy[axis]
        if abs(gap) < CLEAR_PX:
            return None
        near, far = SIDES[2 * axis : 2 * axis + 2]
        right, wrong = (near, far) if gap < 0 else (far, near)
        question = f"Where is the {one.label} compared to the {other.label}?"
        return question, f"{right} it", [f"{wrong} it"], None

    def _how_many(self) -> Asked:
        shape = self.rng.choice(self.scene.things).shape
        n = sum(t.shape == shape for t in self.scene.things)
        wrong = self.rng.sample([str(k) for k in range(1, 7) if k != n], 3)
        return f"How many objects have the shape of a {shape}?", str(n), wrong, None

    def plan(self) -> Exchange | None:
        """The steps that bring one thing to another."""
        if len(self.scene.things) < 2:
            return None
        one, other = self.rng.sample(self.scene.things, 2)
        question = f"Task: put the {one.label} next to the {other.label}. List the steps."
        steps = (f"find the {one.label}", "pick it up", f"find the {other.label}", "put it down")
        return Exchange("plan", question, " ".join(f"{k}. {s}." for k, s in enumerate(steps, 1)))


def free_spot(scene: Scene, thing: Thing, side: str) -> Point | None:
    """The middle of the free space on one side of a thing; None where there is none."""
    (x0, y0, x1, y1), (w, h) = thing.box_px_xyxy, scene.size_wh
    cx, cy = thing.centre_px_xy
    middle = (GAP_PX + REACH_PX) / 2
    x, y = {
        "to the left of": (x0 - middle, cy),
        "to the right of": (x1 + middle, cy),
        "above": (cx, y0 - middle),
        "below": (cx, y1 + middle),
    }[side]
    if not (GAP_PX < x < w - GAP_PX and GAP_PX < y < h - GAP_PX):
        return None
    boxes = (t.box_px_xyxy for t in scene.things)
    taken = any(a - GAP_PX < x < c + GAP_PX and b - GAP_PX < y < d + GAP_PX for a, b, c, d in boxes)
    return None if taken else (x, y)


MAKERS: dict[str, Callable[[Asker], Exchange | None]] = {
    "point": Asker.point,
    "outermost": Asker.outermost,
    "every": Asker.every,
    "odd": Asker.odd,
    "free": Asker.free,
    "box": Asker.box,
    "what": Asker.what,
    "listing": Asker.listing,
    "number": Asker.number,
    "count": Asker.count,
    "letter": Asker.letter,
    "plan": Asker.plan,
}
"""Kind of question to what asks it."""

MIXTURE: dict[str, float] = {
    "point": 0.40,
    "outermost": 0.04,
    "every": 0.03,
    "odd": 0.02,
    "free": 0.05,
    "box": 0.03,
    "what": 0.04,
    "listing": 0.04,
    "number": 0.02,
    "count": 0.14,
    "letter": 0.17,
    "plan": 0.02,
}
"""Share of each kind."""


TRIES = 50
"""Draws for each exchange before a scene is given up, because it allows none of the kinds."""


def conversations(
    seed: int,
    dialect: Dialect,
    n_exchanges: int = 4,
    mixture: Mapping[str, float] = MIXTURE,
    n_things: tuple[int, int] = (1, 6),
) -> Iterator[Conversation]:
    """Endless conversations; each depends on its seed alone, and seeds count up from `seed`."""
    while True:
        rng = random.Random(seed)
        found: list[Exchange] = []
        while len(found) < n_exchanges:
            scene = training_scene(rng, n_things)
            found = _exchanges(Asker(scene, rng, dialect), n_exchanges, mixture)
        yield Conversation(seed, scene, tuple(found))
        seed += 1


def _exchanges(asker: Asker, n_exchanges: int, mixture: Mapping[str, float]) -> list[Exchange]:
    """Exchanges about one scene; fewer than wanted where it allows none of the mixture."""
    kinds, weights = zip(*mixture.items(), strict=True)
    found: list[Exchange] = []
    for _ in range(TRIES * n_exchanges):
        if len(found) == n_exchanges:
            break
        made = MAKERS[asker.rng.choices(kinds, weights)[0]](asker)
        if made is not None:
            found.append(made)
    return found
