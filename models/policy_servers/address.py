"""Where a policy server is: the address that is asked, the one that is shown, and the secrets."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from er_bench.core.errors import UsageError
from er_bench.core.secrets import cut_from_text, cut_values, secrets_in


@dataclass(frozen=True, slots=True)
class PolicyAddress:
    """The address of a websocket."""

    url: str
    """As it is given; a name and a password in it are sent as basic authorization."""
    shown: str
    """Without any secret, for messages and files."""
    headers: dict[str, str]
    secrets: set[str]

    @classmethod
    def of(cls, url: str, key: str = "") -> PolicyAddress:
        """From `ws://HOST:PORT`. A key goes out as openpi's client sends it. Raises UsageError."""
        shown = cut_from_text(url)
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise UsageError(f"url {shown} is no address: {error}") from error
        if parts.scheme not in ("ws", "wss") or not parts.hostname or port == 0:
            rest = shown.rpartition("://")[2]
            raise UsageError(
                f"url {shown} does not begin with ws:// or wss://; did you mean ws://{rest}?"
            )
        if parts.fragment:
            raise UsageError(f"url {shown} has a fragment (#..), which no server sees")
        headers = {"Authorization": f"Api-Key {key}"} if key else {}
        return cls(url, shown, headers, secrets_in(url) | ({key} if key else set()))

    def without_secrets(self, text: str) -> str:
        """A text without what is secret."""
        return cut_values(cut_from_text(text), self.secrets)
