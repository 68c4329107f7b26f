"""Where the daemon of this box has its keys: as its settings say, else where it looks by itself."""

from __future__ import annotations

from pathlib import Path

import msgspec

from .errors import KeyFileError
from .keyring import SYSTEM_FOLDER, default_folder

SYSTEM_CONFIG = Path("/etc/sambertd/sambertd.toml")


class _Access(msgspec.Struct):
    keys: str = ""


class _Settings(msgspec.Struct):
    access: _Access = msgspec.field(default_factory=_Access)


def keys_folder(config: Path | None = None) -> Path:
    """Of a daemon with these settings; for root, without any, with those of the installed service.

    Raises KeyFileError where they cannot be read.
    """
    own = default_folder()
    if config is None and own == SYSTEM_FOLDER and SYSTEM_CONFIG.is_file():
        config = SYSTEM_CONFIG
    named = _named(config) if config is not None else ""
    return config.parent / named if config is not None and named else own


def _named(config: Path) -> str:
    """`keys` of `[access]`; "" where it is not set."""
    try:
        return msgspec.toml.decode(config.read_bytes(), type=_Settings).access.keys
    except OSError as error:
        reason = error.strerror or str(error)
    except ImportError:  # Python 3.10 and before, without the daemon's package
        reason = "this Python has no TOML; run `pip install tomli`"
    except (ValueError, RecursionError) as error:  # msgspec's are ValueErrors
        reason = str(error)
    raise KeyFileError(f"cannot read the settings {config}: {reason}; or name the folder: --keys")
