"""The sound of a machine, looked at and heard: devices, rates, a tone, a sentence; all in words."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sambertd_client.endpoint import is_listening
from sambertd_client.errors import SambertdError

from daemon import null_sink
from daemon.config import Config
from daemon.device import SpeakerError, outputs, portaudio, refusal
from daemon.pcm import pcm_s16le
from daemon.playback import Speaker
from daemon.playing import play
from daemon.sound_faults import closed_card, explain, holders, no_device
from daemon.sound_trial import SENTENCE, Tell, by_daemon
from daemon.tone import tone
from daemon.voices import packs
from engines.errors import EngineError
from engines.voice import Voice
from trt_build.table import markdown

RATES = (16000, 22050, 24000, 32000, 44100, 48000)
OPENS_S = 10.0  # for the first attempt to open the device


@dataclass(frozen=True, slots=True)
class Output:
    """A device for sound: the rates it takes, Hz, and without any, why."""

    name: str
    channels: int
    default: bool
    rates: list[int]
    reason: str = ""


def devices() -> list[Output]:
    """Every device, tried at every rate. Raises SpeakerError where PortAudio cannot be used."""
    backend = portaudio()
    try:
        found = outputs(backend)
    except backend.PortAudioError as error:
        raise SpeakerError(f"PortAudio lists no devices: {explain(error)}") from error
    with hushed():
        return [_tried(one, backend) for one in found]


def listed(found: Sequence[Output]) -> str:
    """The devices as a table."""
    rows = [
        (
            one.name + (" (the default)" if one.default else ""),
            str(one.channels),
            ", ".join(map(str, one.rates)) or f"none: {one.reason}",
        )
        for one in found
    ]
    return markdown(["device", "channels", "takes Hz"], rows)


def remarks(found: Sequence[Output]) -> Iterator[str]:
    """What keeps this user from a card, who has it, whose speech is resampled."""
    if not found:
        yield f"There is no device: {no_device()}."
    if closed := closed_card():
        yield f"{closed}."
    if held := holders():
        yield f"A card is in use by {held}."
    some = [one.name for one in found if one.rates and RATES[0] not in one.rates]
    if some:
        yield f"Speech of {RATES[0]} Hz is resampled for: {', '.join(some)}."


@contextmanager
def hushed() -> Iterator[None]:
    """PortAudio prints a line of its source for every rate that a device refuses."""
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _tried(device: Any, backend: Any) -> Output:
    refused = {rate: refusal(backend, device, rate, 1) for rate in RATES}
    rates = [rate for rate, error in refused.items() if error is None]
    reason = "" if rates else explain(refused[RATES[-1]])
    channels = device["max_output_channels"]
    return Output(device["name"], channels, _is_default(backend, device), rates, reason)


def _is_default(backend: Any, device: Any) -> bool:
    try:
        return bool(backend.query_devices(kind="output")["index"] == device["index"])
    except (backend.PortAudioError, ValueError):
        return False


def heard(config: Config, tell: Tell, *, own: bool = False) -> bool:
    """Play a tone on the device of the settings, then a sentence; whether both went well.

    Where a daemon runs it is left to that, unless `own`.
    """
    if not own and daemon_speaks(config.endpoint, tell):
        return by_daemon(config.endpoint, tell)
    try:
        voice = Voice.load(_pack(config))
    except EngineError as error:
        tell(f"There is no sentence to play: {error}.")
        _heard(config, None, tell)
        return False
    with voice:
        return _heard(config, voice, tell)


def daemon_speaks(endpoint: str, tell: Tell) -> bool:
    """Whether a daemon listens there that this user may talk to, which then has the device."""
    try:
        return is_listening(endpoint)
    except SambertdError as error:
        tell(f"A daemon may have the device: {error}.")
        return False


def _pack(config: Config) -> Any:
    found = packs(config.voices)
    return next((pack for pack in found if pack.name == config.voice), found[0])


def _heard(config: Config, voice: Voice | None, tell: Tell) -> bool:
    rate = voice.info.sample_rate if voice else RATES[0]
    speaker = Speaker(config.speaker, lambda: None)
    speaker.start(rate)
    try:
        _opened(speaker, tell)
        play(speaker, pcm_s16le(tone(rate)), rate)
        tell("A tone of 440 Hz was played for 1 s.")
        if voice is not None:
            chunks = voice.stream(voice.plan(SENTENCE))
            play(speaker, b"".join(pcm_s16le(chunk.pcm) for chunk in chunks), rate)
            tell(f"{voice.info.name} said: {SENTENCE}")
        _judge(speaker.underruns, config.speaker.latency_s, tell)
    except SpeakerError as error:
        tell(f"Nothing can be played: {error}.")
        return False
    finally:
        speaker.close()
    return speaker.state.device != null_sink.NAME


def _opened(speaker: Speaker, tell: Tell) -> None:
    until = time.monotonic() + OPENS_S
    while not speaker.settled and time.monotonic() < until:
        time.sleep(0.01)
    state = speaker.state
    if not state.available:
        raise SpeakerError(state.reason)
    if state.device == null_sink.NAME:
        tell("Nobody hears it: the settings or their fallback lead to the device null.")
    latency_ms = 1000 * state.latency_s
    tell(f"{state.device!r} opened: {state.rate} Hz, latency {latency_ms:.0f} ms.")


def _judge(underruns: int, latency_s: float, tell: Tell) -> None:
    if underruns:
        tell(
            f"It stuttered {underruns} times: the machine was busy; raise speaker.latency_s "
            f"(now {latency_s:g})."
        )
