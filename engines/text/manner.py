"""How a stretch of SSML is to be said, and the values of the attributes that tell it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, TypeVar

# W3C leaves what the words mean to the voice.
_RATES: Final = {"x-slow": 0.6, "slow": 0.8, "medium": 1.0, "fast": 1.25, "x-fast": 1.6}
_PITCHES: Final = {"x-low": -4.0, "low": -2.0, "medium": 0.0, "high": 2.0, "x-high": 4.0}
_VOLUMES: Final = {
    "silent": 0.0,
    "x-soft": 0.4,
    "soft": 0.7,
    "medium": 1.0,
    "loud": 1.4,
    "x-loud": 1.8,
}
_EMPHASES: Final = {  # rate and volume: what every voice can do
    "strong": (0.85, 1.3),
    "moderate": (0.92, 1.15),
    "none": (1.0, 1.0),
    "reduced": (1.08, 0.85),
}
_BREAKS: Final = {"x-weak": 0.1, "weak": 0.2, "medium": 0.4, "strong": 0.7, "x-strong": 1.2}
LONGEST_BREAK: Final = 10.0  # seconds
_REFUSED: Final = {
    "contour": "a pitch contour cannot be made; give pitch for the whole stretch",
    "range": "the range of the pitch cannot be set; give pitch",
    "duration": "a duration cannot be set; give rate",
}
_Meaning = TypeVar("_Meaning")
_NUMBER: Final = r"\d{1,6}(?:\.\d{1,6})?"


@dataclass(frozen=True, slots=True)
class Manner:
    """What SSML asks for on top of the caller's style.

    rate and volume are factors, pitch is semitones. emotion, speaker: None for the caller's.
    intensity: of the emotion, 1 as the voice has it.
    """

    rate: float = 1.0
    pitch: float = 0.0
    volume: float = 1.0
    emotion: str | None = None
    intensity: float = 1.0
    speaker: str | None = None

    def prosody(self, attributes: Mapping[str, str]) -> Manner:
        """This one inside <prosody>; raises ValueError with the reason."""
        for name, reason in _REFUSED.items():
            if name in attributes:
                raise ValueError(reason)
        if not attributes:
            raise ValueError("it changes nothing; give it a rate, pitch or volume")
        return replace(
            self,
            rate=self.rate * _rate(attributes.get("rate", "default")),
            pitch=self.pitch + _pitch(attributes.get("pitch", "default")),
            volume=self.volume * _volume(attributes.get("volume", "default")),
        )

    def emphasis(self, level: str) -> Manner:
        """This one inside <emphasis>; raises ValueError."""
        rate, volume = _word(_EMPHASES, level, "level")
        return replace(self, rate=self.rate * rate, volume=self.volume * volume)

    def feeling(self, category: str, intensity: str) -> Manner:
        """This one inside <emotion>; raises ValueError."""
        if not re.fullmatch(_NUMBER, intensity) or float(intensity) > 2:
            raise ValueError(f"intensity is {intensity!r}; give a number from 0 to 2")
        return replace(self, emotion=category, intensity=float(intensity))


def break_s(attributes: Mapping[str, str]) -> float:
    """Seconds of a <break>: its time, else by its strength; raises ValueError."""
    strength = attributes.get("strength", "medium")
    seconds = 0.0 if strength == "none" else _word(_BREAKS, strength, "strength")
    time = attributes.get("time")
    if time is not None:
        match = re.fullmatch(rf"\+?({_NUMBER}|\.\d{{1,6}})(ms|s)", time.strip())
        if not match:
            raise ValueError(f'time is {time!r}; write seconds, like "0.5s" or "500ms"')
        seconds = float(match[1]) / (1000.0 if match[2] == "ms" else 1.0)
    if seconds > LONGEST_BREAK:
        raise ValueError(f"a break of {seconds:g} s is too long; give {LONGEST_BREAK:g} s at most")
    return seconds


def _rate(value: str) -> float:
    if value in _RATES or value == "default":
        return _RATES.get(value, 1.0)
    match = re.fullmatch(rf"([+-]?)({_NUMBER})(%?)", value.strip())
    if not match or (match[1] and not match[3]):
        have = ", ".join(_RATES)
        raise ValueError(f'rate is {value!r}; write a factor, a percentage, like "80%", or: {have}')
    return _positive("rate", _factor(match[1], float(match[2]), match[3]))


def _pitch(value: str) -> float:
    if value in _PITCHES or value == "default":
        return _PITCHES.get(value, 0.0)
    match = re.fullmatch(rf"([+-])({_NUMBER})(st|%)", value.strip())
    if not match:
        have = ", ".join(_PITCHES)
        raise ValueError(
            f'pitch is {value!r}; write a change, like "+2st" or "-5%" (none in Hz), or: {have}'
        )
    number = float(match[2])
    if match[3] == "st":
        return -number if match[1] == "-" else number
    return 12 * math.log2(_positive("pitch", _factor(match[1], number, "%")))


def _volume(value: str) -> float:
    if value in _VOLUMES or value == "default":
        return _VOLUMES.get(value, 1.0)
    decibels = re.fullmatch(r"([+-])(\d{1,2}(?:\.\d{1,6})?)dB", value.strip())
    percent = re.fullmatch(rf"([+-]?)({_NUMBER})%", value.strip())
    if decibels:
        return math.pow(10.0, float(decibels[1] + decibels[2]) / 20)
    if not percent:
        have = ", ".join(_VOLUMES)
        raise ValueError(
            f'volume is {value!r}; write decibels, like "-6dB", a percentage, or: {have}'
        )
    return max(0.0, _factor(percent[1], float(percent[2]), "%"))


def _factor(sign: str, number: float, percent: str) -> float:
    number = number / 100 if percent else number
    return number if not sign else 1 + number if sign == "+" else 1 - number


def _positive(name: str, factor: float) -> float:
    if factor <= 0:
        raise ValueError(f"{name} must leave something; give a smaller change")
    return factor


def _word(table: Mapping[str, _Meaning], word: str, name: str) -> _Meaning:
    if word not in table:
        raise ValueError(f"{name} is {word!r}; write one of: {', '.join(table)}")
    return table[word]
