"""How to say it: the caller's wishes, and the numbers the models take."""

from __future__ import annotations

import math
from dataclasses import dataclass

from engines.errors import StyleError
from engines.pack import Preset, VoiceFile

NEUTRAL = "neutral"
LIMITS = {
    "speed": (0.5, 2.0),
    "pitch": (-12.0, 12.0),
    "volume": (0.0, 2.0),
    "intensity": (0.0, 2.0),
}


@dataclass(frozen=True, slots=True)
class Style:
    """A wish. speed (0.5 to 2) and volume (0 to 2) are factors, pitch is semitones (-12 to 12).

    intensity (0 to 2): how much of an emotion that is a prosody preset; 1 as the voice has it, and
    without effect where the voice was trained on the emotion.
    """

    speaker: str | None = None
    emotion: str = NEUTRAL
    speed: float = 1.0
    pitch: float = 0.0
    volume: float = 1.0
    intensity: float = 1.0


@dataclass(frozen=True, slots=True)
class Controls:
    """What the models are told.

    pitch: factor on f0. pitch_range: factor on its spread around the mean. energy: added to the
    predicted energy. emotion, speaker: names in the voice's tables.
    """

    speaker: str
    emotion: str
    speed: float
    pitch: float
    pitch_range: float
    energy: float
    volume: float


def controls(style: Style, voice: VoiceFile) -> Controls:
    """The voice's way to meet the wish: a prosody preset where it has one, else its own emotion.

    Raises:
        StyleError: bad_style (a number out of range), unknown_speaker, unknown_emotion.
    """
    for name, (low, high) in LIMITS.items():
        value = getattr(style, name)
        if not (math.isfinite(value) and low <= value <= high):
            raise StyleError("bad_style", f"{name} is {value}; give a number from {low} to {high}")
    speaker = voice.symbols.speakers[0] if style.speaker is None else style.speaker
    if speaker not in voice.symbols.speakers:
        have = ", ".join(voice.symbols.speakers)
        raise StyleError(
            "unknown_speaker", f"voice {voice.name} has no speaker {speaker!r}, but: {have}"
        )
    if style.pitch and voice.source is None:
        raise StyleError("bad_style", f"voice {voice.name} cannot change pitch; leave it at 0")
    preset = voice.presets.get(style.emotion)
    emotion = f"emotion_{NEUTRAL if preset else style.emotion}"
    if preset is None and (voice.presets or emotion not in voice.symbols.emotions):
        have = ", ".join(emotions(voice))
        raise StyleError(
            "unknown_emotion", f"voice {voice.name} has no emotion {style.emotion!r}, but: {have}"
        )
    preset = _scaled(preset or Preset(), style.intensity)
    return Controls(
        speaker=speaker,
        emotion=emotion,
        speed=style.speed * preset.speed,
        pitch=2.0 ** ((style.pitch + preset.pitch) / 12.0),
        pitch_range=preset.range,
        energy=preset.energy,
        volume=style.volume * preset.volume,
    )


def _scaled(preset: Preset, intensity: float) -> Preset:
    if intensity == 1.0:
        return preset
    return Preset(
        speed=preset.speed**intensity,
        pitch=preset.pitch * intensity,
        range=preset.range**intensity,
        energy=preset.energy * intensity,
        volume=preset.volume**intensity,
    )


def emotions(voice: VoiceFile) -> tuple[str, ...]:
    """The emotions a caller may ask for."""
    if voice.presets:
        return tuple(voice.presets)
    names = (e.removeprefix("emotion_") for e in voice.symbols.emotions)
    return tuple(n for n in names if n != "none" and not n.startswith("placeholder"))
