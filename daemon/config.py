"""The settings of the daemon: one TOML file, overridden by the command line, checked once.

endpoint = "ipc:///run/sambertd/sambertd.sock"  # or tcp://127.0.0.1:PORT: see [access]
voices = "/usr/share/sambertd/voices"           # a folder of voice packs
voice = "name"                                  # the default voice; else the first by name
log_level = "info"

[limits]
text_chars = 2000   # characters in one request, at most 5000
in_work = 4         # utterances synthesised by turns, at most 16
waiting = 8         # accepted beyond those, at most 100; more get `busy`
per_client = 8      # live at once of one client: others always find a place; more get `busy`
per_user = 10       # the same of all clients of one user or key; admins have no such limits
requests_per_s = 100.0  # of one user or key; 0: any. More get `rate_limited`
chars_per_min = 20000   # to be spoken for one user or key; 0: any
append_s = 30.0     # an utterance whose text comes in pieces ends when none came for so long
pause_s = 600.0     # an utterance that is paused for longer is cancelled
stall_s = 15.0      # a client that takes no audio for so long is dropped

[access]            # see daemon/access_config.py

[engines]
vocoder_threads = 2   # threads within one call of the vocoder
acoustic_threads = 1  # and of what comes before it
build = "background"  # engines for this box: "background", with what others leave of it;
                      # "wait", before the daemon is ready; "never". Needs the extra "build"
batching = true       # utterances of one voice that are in work at once share decoder steps
gpu_memory_mb = 0     # MiB of the GPU that all its engines may take; 0: what is free
store = "/var/cache/sambertd/engines"  # where they are kept; else in $CACHE_DIRECTORY, then
                                       # $XDG_CACHE_HOME/sambertd, then ~/.cache/sambertd

[cache]  # of phrases said before; see daemon/cache_config.py
enabled = true
memory_mb = 32
disk_mb = 256
folder = "/var/cache/sambertd/phrases"

[text]
lexicons = []       # files of readings, CSV or TOML: ["/etc/sambertd/lexicon.csv"]; the last counts
emoji = "drop"      # or "name": said by name
links = "spell"     # or "name": 网址 for a URL, 邮箱地址 for an e-mail address

[metrics]           # see daemon/metrics_config.py
listen = ""         # where Prometheus finds figures

[speaker]
enabled = true
device = ""         # part of a device name; "" is the system's default, "null" is heard by nobody
fallback = []       # devices for while that one is not there, by preference: ["HDMI", "", "null"]
latency_s = 0.08    # of the device: lower answers sooner, and stutters where the machine is busy
channels = 1        # 2 for a card that plays a single channel on its left side only, at most 8
gain_db = 0.0       # -60 to 20; what gets too loud is clipped
lead_in_s = 0.0     # silence before speech that follows a pause of 2 s, at most 2: for amplifiers
                    # and Bluetooth that swallow what comes first
idle_close_s = 0.0  # close the device after so long without speech, until the next; 0: never

While anybody waits, the audio of a text is made to its end whatever its client takes, so that
nobody waits for a slow client. The most it can hold in memory is

    (in_work + waiting) * text_chars * 0.5 s * 2 bytes * sample_rate

at half speed, where a character takes about half a second: 16 kB each at 16 kHz. That is 384 MB
with the defaults, and only if every client asks for the longest text and takes next to none of it
without ever stalling for stall_s. Lower the limits where memory is scarce.
"""

from __future__ import annotations

import os
import sys
import types
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, get_type_hints

from sambertd_client.endpoint import daemon_endpoint
from sambertd_client.keyring import default_folder as default_keys

from daemon.access_config import AccessConfig
from daemon.cache_config import CacheConfig, default_folder
from daemon.config_errors import ConfigError, between, one_of
from daemon.metrics_config import MetricsConfig
from daemon.text_config import TextConfig
from engines.store import default_root

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SYSTEM_VOICES = Path("/usr/share/sambertd/voices")
LOG_LEVELS = ("debug", "info", "warning", "error")
BUILDS = ("background", "wait", "never")


@dataclass(frozen=True, slots=True)
class Limits:
    text_chars: int = 2000
    in_work: int = 4
    waiting: int = 8
    per_client: int = 8
    per_user: int = 10
    requests_per_s: float = 100.0
    chars_per_min: int = 20000
    stall_s: float = 15.0
    append_s: float = 30.0
    pause_s: float = 600.0


@dataclass(frozen=True, slots=True)
class EngineConfig:
    vocoder_threads: int = 2
    acoustic_threads: int = 1
    build: str = "background"
    batching: bool = True
    gpu_memory_mb: int = 0
    store: Path = field(default_factory=lambda: default_root(os.environ))


@dataclass(frozen=True, slots=True)
class SpeakerConfig:
    enabled: bool = True
    device: str = ""
    fallback: tuple[str, ...] = ()
    latency_s: float = 0.08
    channels: int = 1
    gain_db: float = 0.0
    lead_in_s: float = 0.0
    idle_close_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Config:
    """Checked settings; never read from anywhere else later."""

    endpoint: str
    voices: Path
    voice: str = ""
    log_level: str = "info"
    limits: Limits = field(default_factory=Limits)
    engines: EngineConfig = field(default_factory=EngineConfig)
    cache: CacheConfig = field(default_factory=CacheConfig)
    speaker: SpeakerConfig = field(default_factory=SpeakerConfig)
    access: AccessConfig = field(default_factory=AccessConfig)
    text: TextConfig = field(default_factory=TextConfig)
    metrics: MetricsConfig = field(default_factory=MetricsConfig)

    @property
    def socket_path(self) -> Path | None:
        """The file of an ipc endpoint; None for tcp and abstract sockets."""
        path = self.endpoint.removeprefix("ipc://")
        return None if path == self.endpoint or path.startswith("@") else Path(path)


def default_voices() -> Path:
    """The voices beside the packages (a checkout), else the system's."""
    beside = Path(__file__).resolve().parent.parent / "voices"
    return beside if beside.is_dir() else SYSTEM_VOICES


def default(environ: Mapping[str, str]) -> Config:
    engines = EngineConfig(store=default_root(environ))
    cache = CacheConfig(folder=default_folder(environ))
    access = AccessConfig(keys=default_keys(environ))
    return Config(
        daemon_endpoint(environ), default_voices(), engines=engines, cache=cache, access=access
    )


def load(path: Path, environ: Mapping[str, str]) -> Config:
    """Config from a TOML file over the defaults. Raises ConfigError."""
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}") from error
    try:
        return checked(_in(path.parent, _fill(default(environ), table, "")))
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def _in(folder: Path, values: Config) -> Config:
    """Paths of the settings are meant from the file's own folder on."""
    engines = replace(values.engines, store=folder / values.engines.store)
    cache = replace(values.cache, folder=folder / values.cache.folder)
    access = replace(values.access, keys=folder / values.access.keys)
    text, voices = values.text.within(folder), folder / values.voices
    values = replace(values, voices=voices, text=text)
    return replace(values, engines=engines, cache=cache, access=access)


def checked(config: Config) -> Config:
    """The same config. Raises ConfigError for the first value out of range."""
    limits = config.limits
    between("limits.text_chars", limits.text_chars, 1, 5000)
    between("limits.in_work", limits.in_work, 1, 16)
    between("limits.waiting", limits.waiting, 0, 100)
    between("limits.per_client", limits.per_client, 1, 116)
    between("limits.per_user", limits.per_user, 1, 116)
    between("limits.requests_per_s", limits.requests_per_s, 0, 100_000)
    between("limits.chars_per_min", limits.chars_per_min, 0, 100_000_000)
    between("limits.stall_s", limits.stall_s, 0.1, 3600)
    between("limits.append_s", limits.append_s, 0.1, 3600)
    between("limits.pause_s", limits.pause_s, 0.1, 86400)
    between("engines.vocoder_threads", config.engines.vocoder_threads, 1, 64)
    between("engines.acoustic_threads", config.engines.acoustic_threads, 1, 64)
    between("engines.gpu_memory_mb", config.engines.gpu_memory_mb, 0, 1_000_000)
    between("cache.memory_mb", config.cache.memory_mb, 0, 65536)
    between("cache.disk_mb", config.cache.disk_mb, 0, 1_048_576)
    _check_speaker(config.speaker)
    config.access.check(config.endpoint)
    config.text.checked()
    config.metrics.check()
    one_of("log_level", config.log_level, LOG_LEVELS)
    one_of("engines.build", config.engines.build, BUILDS)
    return config


def _check_speaker(speaker: SpeakerConfig) -> None:
    between("speaker.latency_s", speaker.latency_s, 0.005, 2)
    between("speaker.channels", speaker.channels, 1, 8)
    between("speaker.gain_db", speaker.gain_db, -60, 20)
    between("speaker.lead_in_s", speaker.lead_in_s, 0, 2)
    if speaker.idle_close_s != 0:
        between("speaker.idle_close_s", speaker.idle_close_s, 1, 86400)


def _fill(settings: Any, table: Mapping[str, Any], prefix: str) -> Any:
    """A copy of a settings dataclass with the values of a TOML table, type-checked."""
    hints = get_type_hints(type(settings))
    known = [item.name for item in fields(settings)]
    changes: dict[str, Any] = {}
    for key, value in table.items():
        name, wanted = prefix + key, hints.get(key)
        if wanted is None:
            raise ConfigError(f"{name}: no such key; known here: {', '.join(known)}")
        if isinstance(value, dict) and hasattr(wanted, "__dataclass_fields__"):
            changes[key] = _fill(getattr(settings, key), value, name + ".")
        else:
            changes[key] = _typed(name, value, wanted)
    return replace(settings, **changes)


def _typed(name: str, value: object, wanted: type | types.UnionType) -> object:
    if wanted == tuple[str, ...]:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise ConfigError(f"{name}: {value!r} is not a list of strings")
        return tuple(value)
    if wanted is Path and isinstance(value, str):
        return Path(value)
    if wanted is float and type(value) is int:
        return float(value)
    if not isinstance(wanted, type) or type(value) is not wanted:
        kind = {str: "a string", Path: "a path", bool: "true or false"}.get(wanted, "a number")  # type: ignore[arg-type]
        raise ConfigError(f"{name}: {value!r} is not {kind}")
    return value
