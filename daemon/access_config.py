"""[access] of the settings: who may do more than speak."""

from __future__ import annotations

import pwd
from dataclasses import dataclass

from daemon.config_errors import ConfigError


@dataclass(frozen=True, slots=True)
class AccessConfig:
    admins: tuple[str, ...] = ()  # users of this box, by name or number, besides root

    def admin_uids(self) -> set[int]:
        """Raises ConfigError for a user that is not there."""
        return {_uid(name) for name in self.admins}


def _uid(name: str) -> int:
    if name.isdecimal():
        return int(name)
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        text = f"access.admins: there is no user {name!r} here; create it, or take it out"
        raise ConfigError(text) from None
