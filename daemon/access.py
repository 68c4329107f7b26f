"""Who may ask what: each request needs a role, and each role may do what the lower ones may."""

from __future__ import annotations

import enum
from collections.abc import Mapping

from sambertd_client import protocol as wire

from daemon.scheduler import RefusedError


class Role(enum.IntEnum):
    """What a peer may do at most."""

    NONE = 0
    READ = 1  # look: facts and figures
    SPEAK = 2  # and speak, and change what it said itself; hear of what happens
    ADMIN = 3  # and change what others said, and the daemon


NEEDS: Mapping[type[wire.Message], Role] = {
    wire.Hello: Role.READ,
    wire.Voices: Role.READ,
    wire.Status: Role.READ,
    wire.Engines: Role.READ,
    wire.Stats: Role.READ,
    wire.Say: Role.SPEAK,
    wire.Prefetch: Role.SPEAK,
    wire.Append: Role.SPEAK,
    wire.End: Role.SPEAK,
    wire.Credit: Role.SPEAK,
    wire.Cancel: Role.SPEAK,  # with scope "all": ADMIN
    wire.Pause: Role.SPEAK,
    wire.Resume: Role.SPEAK,
    wire.Subscribe: Role.SPEAK,  # events of everybody's speech, without its text
    wire.Unsubscribe: Role.SPEAK,
    wire.Load: Role.ADMIN,
    wire.Unload: Role.ADMIN,
    wire.Reload: Role.ADMIN,
}


def needed(request: wire.Message) -> Role:
    """The least role that may ask this. What the table does not know is for admins."""
    if getattr(request, "scope", "mine") == "all":
        return Role.ADMIN
    return NEEDS.get(type(request), Role.ADMIN)


def check(request: wire.Message, role: Role, who: str) -> None:
    """Raises RefusedError, with what helps, where a peer of this role may not ask this."""
    if role is Role.NONE:
        text = f"{who} may do nothing here; `sambertctl keys allow` on the daemon's box lets it in"
        raise RefusedError(wire.NOT_ALLOWED, text)
    wanted = needed(request)
    if role >= wanted:
        return
    kind = type(request).__struct_config__.tag
    scope = ' with scope "all"' if getattr(request, "scope", "mine") == "all" else ""
    cure = (
        "an admin may allow its key with a higher --role"
        if who.startswith("key ")
        else "run it as root, or add the user to `admins` of [access] in the daemon's settings"
    )
    has = f"{who} has {role.name.lower()}"
    text = f"{kind}{scope} needs the role {wanted.name.lower()}, {has}; {cure}"
    raise RefusedError(wire.NOT_ALLOWED, text)
