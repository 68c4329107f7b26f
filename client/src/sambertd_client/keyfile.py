"""Key files: who a client is to a daemon over TCP, and who the daemon is.

Lines of `name = value`: name, public and secret (64 hexadecimal digits each), role, server. A file
with a secret is for its owner only (0600), from its first moment on.
"""

from __future__ import annotations

import os
import re
import stat
import tempfile
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Union

import zmq
from zmq.utils import z85

from .errors import KeyFileError

ROLES = ("read", "speak", "admin")
MOST_BYTES = 4096
AnyPath = Union[Path, str]
Target = Union[int, Path]
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HEX = re.compile(r"[0-9a-fA-F]{64}")


@dataclass(frozen=True)
class KeyFile:
    """A public key, and what goes with it; "" is not there."""

    name: str
    public: str
    secret: str = ""
    role: str = ""  # of an allowed key
    server: str = ""  # the daemon's public key, in the file of a client


def new_key(name: str, server: str = "") -> KeyFile:
    """A pair of keys that nobody else has (Curve25519). Raises KeyFileError for a bad name."""
    public, secret = (z85.decode(half).hex() for half in zmq.curve_keypair())
    return KeyFile(checked_name(name), public, secret, server=server)


def checked_name(name: str) -> str:
    """Raises KeyFileError for one that is no name of a file or hard to type."""
    if not _NAME.fullmatch(name):
        text = f"{name!r} is no name for a key; use up to 64 letters, digits, dots and dashes"
        raise KeyFileError(text)
    return name


def checked_public(text: str) -> str:
    """A public key as 64 hexadecimal digits, from those or from ZeroMQ's 40 characters (Z85).

    Raises KeyFileError.
    """
    if _HEX.fullmatch(text):
        return text.lower()
    try:
        key = z85.decode(text.encode()) if len(text) == 40 else b""
    except (KeyError, ValueError):
        key = b""
    if len(key) != 32:
        shown = text if len(text) <= 80 else text[:80] + "..."
        raise KeyFileError(f"{shown!r} is no public key; write its 64 hexadecimal digits")
    return key.hex()


def read_key(path: AnyPath, *, secret: bool = False) -> KeyFile:
    """The key in a file. secret: it must have one.

    Raises KeyFileError where it cannot be read, is no key file, or shows others its secret.
    """
    try:
        with open(path, "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if not stat.S_ISREG(mode):
                raise KeyFileError(f"{path} is no file; name a key file")
            lines = file.read(MOST_BYTES).decode("utf-8", "replace").splitlines()
    except OSError as error:
        raise KeyFileError(f"cannot read the key file {path}: {error.strerror}") from error
    pairs = (line.partition("=") for line in lines if not line.startswith("#"))
    found = {key.strip(): value.strip() for key, mark, value in pairs if mark}
    known = {field.name for field in fields(KeyFile)}
    key = KeyFile(**{"name": "", "public": "", **{k: v for k, v in found.items() if k in known}})
    if key.secret and stat.S_IMODE(mode) & 0o077:
        raise KeyFileError(
            f"{path} holds a secret and others may read it (mode {stat.S_IMODE(mode):04o}); "
            f"run: chmod 600 {path}; if anybody else uses this box, make a new key"
        )
    if not _HEX.fullmatch(key.public) or (key.secret and not _HEX.fullmatch(key.secret)):
        raise KeyFileError(f"{path} is no key file; make one with `sambertctl keys new NAME`")
    if secret and not key.secret:
        raise KeyFileError(f"{path} has no secret; name the file that `sambertctl keys new` wrote")
    return key


def write_key(path: AnyPath, key: KeyFile, *, replace: bool = False) -> None:
    """Into a file of mode 0600, whole or not at all. Root gives it to the owner of the folder.

    Raises KeyFileError where it cannot be written, or is there and shall not be replaced.
    """
    path = Path(path)
    words = {field.name: getattr(key, field.name) for field in fields(KeyFile)}
    kind = "secret key: only its owner may read it" if key.secret else "public key that is allowed"
    text = f"# sambertd {kind}\n" + "".join(f"{k} = {v}\n" for k, v in words.items() if v)
    try:
        handle, temporary = tempfile.mkstemp(prefix=".", dir=path.parent)  # 0600, a new file
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                give_to_owner_of(path.parent, file.fileno())
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            if replace:
                os.replace(temporary, path)
            else:
                os.link(temporary, path)  # fails where it is there
        finally:
            if os.path.lexists(temporary):
                os.unlink(temporary)
    except FileExistsError:
        raise KeyFileError(f"{path} is there already; name another, or take it away") from None
    except OSError as error:
        raise KeyFileError(f"cannot write the key file {path}: {error.strerror}") from error


def give_to_owner_of(folder: Path, target: Target) -> None:
    """What root makes for the daemon must be the daemon's, who could not read it else."""
    if os.geteuid() == 0:
        owner = folder.stat()
        os.chown(target, owner.st_uid, owner.st_gid)
