"""Emotions of a voice without emotional recordings: prosody presets under KAN-TTS's names.

speed and range are factors on pace and on the spread of f0, pitch is in semitones, energy in
standard deviations of the predicted energy, volume a factor. The directions follow what is known of
Mandarin and other languages (Scherer 2003, "Vocal communication of emotion"): arousal raises f0,
its range, pace and energy; sadness and tenderness lower them.
"""

from __future__ import annotations

from collections.abc import Mapping

EMOTIONS: Mapping[str, Mapping[str, float]] = {
    "neutral": {},
    "happy": {"speed": 1.06, "pitch": 1.2, "range": 1.25, "energy": 0.25},
    "excited": {"speed": 1.12, "pitch": 1.6, "range": 1.35, "energy": 0.4},
    "surprise": {"speed": 1.03, "pitch": 2.0, "range": 1.4, "energy": 0.25},
    "angry": {"speed": 1.08, "pitch": 0.5, "range": 1.2, "energy": 0.5, "volume": 1.1},
    "fear": {"speed": 1.12, "pitch": 1.5, "range": 0.85, "energy": -0.1},
    "sad": {"speed": 0.86, "pitch": -1.0, "range": 0.75, "energy": -0.35, "volume": 0.9},
    "disappointed": {"speed": 0.9, "pitch": -0.8, "range": 0.8, "energy": -0.25},
    "gentle": {"speed": 0.92, "pitch": -0.5, "range": 0.9, "energy": -0.25, "volume": 0.85},
    "calm": {"speed": 0.94, "pitch": -0.4, "range": 0.85, "energy": -0.1},
    "relax": {"speed": 0.9, "pitch": -0.6, "range": 0.9, "energy": -0.15},
    "lyrical": {"speed": 0.85, "pitch": 0.3, "range": 1.15, "energy": -0.1},
    "serious": {"speed": 0.96, "pitch": -0.8, "range": 0.85, "energy": 0.15},
    "disgust": {"speed": 0.94, "pitch": -0.7, "range": 1.05, "energy": 0.1},
}


def at_pace(pace: float) -> dict[str, dict[str, float]]:
    """EMOTIONS of a voice that speaks at `pace` times the pace it learned."""
    return {
        name: {**preset, "speed": round(pace * preset.get("speed", 1.0), 3)}
        for name, preset in EMOTIONS.items()
    }
