"""What crosses to a simulator and back, checked on er-bench's side of it."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ValidationError

from er_bench.core.array import Array, frozen
from er_bench.core.environment import Action, ActionError, Skill, Started, Stepped
from er_bench.core.errors import EnvError
from er_bench.sim.server import refusal

R = TypeVar("R", bound=BaseModel)


def checked(reply_type: type[R], fields: object, who: str) -> R:
    """A reply, checked field by field. Raises EnvError that names the simulator and the field."""
    try:
        return reply_type.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(p) for p in first["loc"]) or "reply"
        raise EnvError(f"{who}: bad {reply_type.__name__}, field {place}: {first['msg']}") from None


def checked_step(start: Started, fields: object, who: str) -> Stepped:
    """A step of the episode that `start` began. Raises EnvError."""
    step = checked(Stepped, fields, who)
    if problem := start.misfit(step.state):
        raise EnvError(f"{who}: bad Stepped, field state: {problem}")
    return step


def checked_action(start: Started | None, action: Action, who: str) -> str | Array:
    """An action as a simulator is told it: a skill's name, or a vector that cannot change.

    Raises ActionError in the words in which a server would refuse it.
    """
    if start is None:
        raise ActionError(f"{who}: step: bad_request: reset first")
    told = action.name if isinstance(action, Skill) else action
    dimension = None if start.action_space is None else start.action_space.dimension
    if why := refusal(told, start.actions, dimension):
        raise ActionError(f"{who}: step: bad_request: {why}")
    return told if isinstance(told, str) else frozen(told)
