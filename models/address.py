"""Where a chat server is: the address that is asked, the one that is shown, and the secrets."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

from er_bench.core.errors import UsageError
from er_bench.core.secrets import cut_from_text, secrets_in

CHAT = "/chat/completions"


@dataclass(frozen=True, slots=True)
class Address:
    """The address of chat completions below a base address."""

    url: str
    """Without name and password, which go into `headers`."""
    shown: str
    """Without any secret, for messages and files."""
    headers: dict[str, str]
    secrets: set[str]

    @classmethod
    def of(cls, base: str, key: str = "") -> Address:
        """From the address up to /v1, which may hold a name, a password and a query."""
        try:
            parts = urlsplit(base)
        except ValueError as error:
            raise UsageError(f"base_url is no address: {error}") from error
        if parts.scheme not in ("http", "https") or not parts.netloc:
            shown = cut_from_text(base)
            raise UsageError(
                f"base_url {shown} does not begin with http:// or https://; did you mean "
                f"http://{shown.rpartition('://')[2]}?"
            )
        user, _, host = parts.netloc.rpartition("@")
        path = f"{parts.path.rstrip('/')}{CHAT}"
        url = SplitResult(parts.scheme, host, path, parts.query, "").geturl()
        headers = {}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        elif user:
            pair = base64.b64encode(unquote(user).encode()).decode()
            headers["Authorization"] = f"Basic {pair}"
        secrets = secrets_in(base) | ({key} if key else set())
        return cls(url, cut_from_text(url), headers, secrets)

    def beside(self, path: str) -> str:
        """Another address below the same base; a path that begins with /.. is of the host."""
        parts = urlsplit(self.url)
        base = "" if path.startswith("/../") else parts.path.removesuffix(CHAT)
        return parts._replace(path=base + path.removeprefix("/..")).geturl()
