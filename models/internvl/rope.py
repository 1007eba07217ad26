"""Rotary positions of a language model, in the spelling of transformers 5 or the older one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from er_bench.core.errors import ConfigError
from er_bench.models.checkpoint import Config
from er_bench.models.internvl.part import Part, check_names, shortened, validated

Positive = Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]


class Rope(Part):
    """Rotary positions, as transformers 5 spells them."""

    rope_type: Literal["default", "linear", "dynamic", "yarn"]
    rope_theta: Annotated[float, Field(gt=1, le=1e12, allow_inf_nan=False)]
    factor: Annotated[float, Field(ge=1, le=1e6, allow_inf_nan=False)] | None = None
    original_max_position_embeddings: Annotated[int, Field(ge=1, le=2**31)] | None = None
    attention_factor: Positive | None = None
    beta_fast: Positive | None = None
    beta_slow: Positive | None = None
    mscale: Positive | None = None
    mscale_all_dim: Positive | None = None
    truncate: bool | None = None


def rope_parameters(llm: Config, *, keep_dynamic: bool = True) -> Config:
    """Rotary positions as transformers 5 spells them, from its spelling or the older one.

    The base must be given: Qwen2's default of 10,000 is no InternVL's. `keep_dynamic` false leaves
    the dynamic scaling out, which transformers applies only beyond the trained length.

    Raises ConfigError for a base given nowhere or twice, or a scaling that is not supported.
    """
    spellings = [_rope_spelling(llm, name) for name in ("rope_parameters", "rope_scaling")]
    bases = [llm.get("rope_theta"), *(s.pop("rope_theta", None) for s in spellings)]
    given = [base for base in bases if base is not None]
    if not given:
        raise ConfigError("it gives no rope_theta: copy the base of the model it was trained from")
    if any(base != given[0] for base in given):
        raise ConfigError(f"it gives several rope_theta: {', '.join(map(shortened, given))}")
    if all(spellings) and spellings[0] != spellings[1]:
        raise ConfigError("its rope_parameters and rope_scaling disagree; keep one of them")
    scaling = spellings[0] or spellings[1]
    found = {"rope_type": "default", "rope_theta": given[0], **scaling}
    validated(Rope, found)
    kind = str(found["rope_type"])
    allowed = {"rope_type", "rope_theta", *_SCALING[kind]}
    check_names(found, allowed, (), f"rope type {kind} with ")
    if kind != "default" and "factor" not in found:
        raise ConfigError(f"its rope type {kind} has no factor")
    if kind == "dynamic" and not keep_dynamic:
        return {"rope_type": "default", "rope_theta": given[0]}
    return found


_SCALING = {
    "default": (),
    "linear": ("factor",),
    "dynamic": ("factor",),
    "yarn": tuple(name for name in Rope.model_fields if not name.startswith("rope_")),
}


def _rope_spelling(llm: Config, name: str) -> dict[str, object]:
    found = llm.get(name)
    if found is None:
        return {}
    if not isinstance(found, Mapping):
        raise ConfigError(f"its {name} is no object: {shortened(found)}")
    scaling = {key: value for key, value in found.items() if value is not None}
    kinds = [scaling.pop(key) for key in ("rope_type", "type") if key in scaling]
    if any(kind != kinds[0] for kind in kinds):
        raise ConfigError(f"its {name} has two types: {', '.join(map(shortened, kinds))}")
    return {"rope_type": kinds[0], **scaling} if kinds else scaling
