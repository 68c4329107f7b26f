"""Finding a sound card through PortAudio, and the rate it takes.

The only importer of sounddevice, and only when the speaker is started: a machine without
PortAudio runs the daemon all the same and hears why there is no sound.
"""

from __future__ import annotations

import ctypes
import importlib
import logging
from ctypes.util import find_library
from typing import Any

from daemon.sound_faults import explain, no_device

log = logging.getLogger(__name__)
COMMON_RATE = 48000  # what a card that refuses the voice's rate most likely takes
PERIODS = 8  # of a latency; PortAudio's own 4 make a cancel wait twice as long for the next block


class SpeakerError(Exception):
    """The sound card cannot be used (now); the message names the cure."""


class NoPortAudioError(SpeakerError):
    """It never can in this process."""


def portaudio() -> Any:
    """The sounddevice module, with ALSA's chatter silenced.

    Raises NoPortAudioError, or SpeakerError where PortAudio does not start now.
    """
    try:
        _hush_alsa()
        backend = importlib.import_module("sounddevice")
    except OSError as error:
        text = "PortAudio is not installed; run `sudo apt install libportaudio2`"
        raise NoPortAudioError(text) from error
    except ImportError as error:
        raise NoPortAudioError(
            "python package sounddevice is missing; run `pip install sounddevice`"
        ) from error
    except Exception as error:
        if type(error).__name__ != "PortAudioError":  # its class went with the failed import
            raise
        text = f"PortAudio does not start: {explain(error)}; check the sound system with `aplay -l`"
        raise SpeakerError(text) from error
    _shorten_periods()
    return backend


_AlsaHandler = ctypes.CFUNCTYPE(
    None, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p
)
_ignore_alsa = _AlsaHandler(lambda *_: None)  # must live as long as the process


def _hush_alsa() -> None:
    """Each scan of a machine without a card makes libasound print dozens of lines on stderr."""
    try:
        ctypes.CDLL("libasound.so.2").snd_lib_error_set_handler(_ignore_alsa)
    except OSError:
        return


def _shorten_periods() -> None:
    """A smaller `blocksize` would not do: PortAudio then asks for several blocks at once.

    https://github.com/PortAudio/portaudio/blob/master/include/pa_linux_alsa.h
    """
    try:
        ctypes.CDLL(find_library("portaudio")).PaAlsa_SetNumPeriods(PERIODS)
    except (OSError, AttributeError):  # PortAudio without ALSA
        return


def rescan(backend: Any) -> None:
    """PortAudio lists devices once, when it is initialised; only this makes it look again."""
    for step in (backend._terminate, backend._initialize):  # the one may work where the other fails
        try:
            step()
        except backend.PortAudioError as error:
            log.debug("PortAudio: %s", error)


def find_device(backend: Any, name: str) -> Any:
    """The output of that name, else the first whose name contains it: indices change at a boot.

    Raises SpeakerError.
    """
    try:
        if not name:
            return backend.query_devices(kind="output")
        found = outputs(backend)
    except (backend.PortAudioError, ValueError) as error:
        raise SpeakerError(f"no sound output was found: {no_device()}") from error
    for device in found:
        if name.lower() == device["name"].lower():
            return device
    for device in found:
        if name.lower() in device["name"].lower():
            return device
    known = ", ".join(repr(device["name"]) for device in found) or f"none: {no_device()}"
    raise SpeakerError(f"no sound device is called {name!r}; there are: {known}")


def outputs(backend: Any) -> list[Any]:
    """The devices that play. Raises the backend's PortAudioError."""
    return [device for device in backend.query_devices() if device["max_output_channels"] > 0]


def find_rate(backend: Any, device: Any, wanted: int, channels: int = 1) -> int:
    """The voice's rate in Hz if the card takes it: PortAudio does not resample, soxr does.

    Raises SpeakerError where the card takes no rate.
    """
    last: Exception | None = None
    for rate in (wanted, COMMON_RATE, int(device["default_samplerate"])):
        last = refusal(backend, device, rate, channels)
        if last is None:
            return rate
    cure = "choose another with --device"
    raise SpeakerError(f"{device['name']!r} takes no rate: {explain(last)}; {cure}") from last


def refusal(backend: Any, device: Any, rate: int, channels: int) -> Exception | None:
    """Why a device does not take `rate` Hz; None: it does."""
    try:
        backend.check_output_settings(device["index"], channels, "int16", samplerate=rate)
    except backend.PortAudioError as error:
        return error  # type: ignore[no-any-return]
    return None
