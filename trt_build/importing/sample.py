"""What an imported voice sounds like: one sentence, and its picture where matplotlib is at hand."""

from __future__ import annotations

import wave
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from engines.session import Floats
from engines.voice import Voice

TEXT = "今天天气真好，阳光洒在窗台上，我泡了一杯咖啡，准备开始一天的工作。"
FRAME, HOP = 1024, 256  # samples
FLOOR_DB = -80.0


def write_sample(pack: Path, text: str = TEXT) -> float:
    """Speak `text` into sample.wav, and draw sample.png; returns the seconds of speech.

    Raises:
        EngineError: the pack is broken, or cannot say this.
    """
    with Voice.load(pack) as voice:
        pcm = np.concatenate([chunk.pcm for chunk in voice.stream(voice.plan(text))])
        rate = voice.info.sample_rate
    with wave.open(str(pack / "sample.wav"), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes((np.clip(pcm, -1.0, 1.0) * 32767.0).astype("<i2").tobytes())
    if find_spec("matplotlib"):
        draw(pcm, rate, pack / "sample.png")
    return len(pcm) / rate


def spectrogram_db(pcm: Floats) -> Floats:
    """Short-time spectrum (FRAME / 2 + 1, frames) in dB below its peak."""
    padded = np.pad(pcm, (0, max(0, FRAME - len(pcm))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, FRAME)[::HOP]
    power = np.abs(np.fft.rfft(frames * np.hanning(FRAME), axis=1)).T ** 2
    db = 10.0 * np.log10(np.maximum(power, 1e-12))
    below_peak: Floats = np.maximum(db - db.max(), FLOOR_DB).astype(np.float32)
    return below_peak


def draw(pcm: Floats, rate: int, path: Path) -> None:
    """The spectrogram up to half the sample rate, as a PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 3), layout="constrained")
    axis = figure.add_subplot()
    extent = (0.0, len(pcm) / rate, 0.0, rate / 2000.0)
    axis.imshow(spectrogram_db(pcm), origin="lower", aspect="auto", extent=extent)
    axis.set_xlabel("s")
    axis.set_ylabel("kHz")
    figure.savefig(path, dpi=80)
