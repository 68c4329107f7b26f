"""The daemon's folder of keys: its own in `server.key`, those it lets in in `allowed/NAME.key`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from .errors import KeyFileError
from .keyfile import (
    ROLES,
    KeyFile,
    checked_name,
    checked_public,
    give_to_owner_of,
    new_key,
    read_key,
    write_key,
)

SYSTEM_FOLDER = Path("/var/lib/sambertd/keys")
SUFFIX = ".key"
SERVER = f"server{SUFFIX}"


def default_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where the keys of a daemon lie that this user starts; the daemon uses the same rule."""
    if environ.get("STATE_DIRECTORY"):  # set by systemd, several are joined by ":"
        return Path(environ["STATE_DIRECTORY"].split(":")[0]) / "keys"
    if os.geteuid() == 0:
        return SYSTEM_FOLDER
    state = environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "sambertd" / "keys"


def allowed_folder(folder: Path) -> Path:
    return folder / "allowed"


def has_server_key(folder: Path) -> bool:
    """Whether a daemon has its own key there."""
    return (folder / SERVER).exists()


def server_key(folder: Path) -> KeyFile:
    """The daemon's own key, made where there is none yet. Raises KeyFileError."""
    path = folder / SERVER
    if not has_server_key(folder):
        _make_folder(folder)
        try:
            write_key(path, new_key("server"))
        except KeyFileError:
            if not path.exists():  # else somebody was quicker
                raise
    return read_key(path, secret=True)


def allow(folder: Path, key: KeyFile) -> None:
    """Let a key in, from now on; once more: with another role. Raises KeyFileError."""
    name, public = checked_name(key.name), checked_public(key.public)
    if key.role not in ROLES:
        raise KeyFileError(f"{key.role!r} is no role; choose of {', '.join(ROLES)}")
    for other in allowed(folder):
        if (other.name == name) != (other.public == public):
            what = "another key" if other.name == name else "this key"
            cure = f"run `sambertctl keys revoke {other.name}` first"
            text = f"{what} is allowed as {other.name} already; {cure}"
            raise KeyFileError(text)
    place = allowed_folder(folder)
    _make_folder(place)
    key = replace(key, public=public, secret="", server="")
    write_key(place / f"{name}{SUFFIX}", key, replace=True)


def revoke(folder: Path, name: str) -> None:
    """Let a key in no more, from now on. Raises KeyFileError where none has this name."""
    path = allowed_folder(folder) / f"{checked_name(name)}{SUFFIX}"
    try:
        path.unlink()
    except FileNotFoundError:
        known = ", ".join(key.name for key in allowed(folder)) or "none"
        raise KeyFileError(f"no key {name!r} is allowed; those that are: {known}") from None
    except OSError as error:
        raise KeyFileError(f"cannot take {path} away: {error.strerror}") from error


def allowed(folder: Path) -> Iterator[KeyFile]:
    """The keys that are let in, by name. Raises KeyFileError for a file that is none."""
    place = allowed_folder(folder)
    try:
        paths = sorted(path for path in place.iterdir() if path.suffix == SUFFIX)
    except FileNotFoundError:
        return
    except OSError as error:
        raise KeyFileError(f"cannot read the folder {place}: {error.strerror}") from error
    for path in paths:
        yield replace(read_key(path), name=path.name[: -len(SUFFIX)])


def _make_folder(folder: Path) -> None:
    """Of mode 0700, with those above it. Raises KeyFileError."""
    if folder.is_dir():
        return
    try:
        if not folder.parent.is_dir():
            _make_folder(folder.parent)
        folder.mkdir(mode=0o700)
        give_to_owner_of(folder.parent, folder)
    except OSError as error:
        raise KeyFileError(f"cannot make the folder {folder}: {error.strerror}") from error
