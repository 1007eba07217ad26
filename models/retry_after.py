"""The `Retry-After` header: when a server wants to be asked again (RFC 9110, 10.2.3)."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def retry_after_s(header: str | None, now: datetime | None = None) -> float | None:
    """Seconds that the header asks for, a number or a date; None for what is neither.

    `now` is the server's time, from its `Date` header; without it, this machine's.
    """
    try:
        seconds = float(header or "")
    except ValueError:
        when = http_date(header)
        seconds = math.nan if when is None else (when - (now or datetime.now(UTC))).total_seconds()
    return max(0.0, seconds) if math.isfinite(seconds) else None


def http_date(text: str | None) -> datetime | None:
    """A date in one of HTTP's forms or in ISO 8601, UTC unless it says; None for anything else."""
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            when = read(text or "")
            return when.replace(tzinfo=when.tzinfo or UTC).astimezone(UTC)
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
    return None
