"""Names for JSON whose shape is checked where it is used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

JsonObject = Mapping[str, Any]
"""An object as `json.loads` gives it."""
