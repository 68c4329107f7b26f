"""A voice's sample: one sentence as the pack speaks it, and its picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from engines.voice import Voice
from training.features import N_FFT, mel_spectrogram, pitch
from training.pictures import Panel, draw

TEXT = "今天天气真好，阳光洒在窗台上，我泡了一杯咖啡，准备开始一天的工作。"


def write_sample(pack: Path, text: str = TEXT) -> None:
    """Speak `text` into sample.wav, and draw its mel and f0 into sample.png, in the pack's folder.

    Raises:
        EngineError: the pack is broken, or cannot say this.
    """
    with Voice.load(pack) as voice:
        wave = np.concatenate([chunk.pcm for chunk in voice.stream(voice.plan(text))])
        rate = voice.info.sample_rate
    soundfile.write(pack / "sample.wav", wave, rate)
    wave = np.pad(wave, (0, max(0, N_FFT - len(wave))))  # an untrained voice says next to nothing
    panel = Panel(f"{voice.info.name}: mel, f0 in Hz", mel_spectrogram(wave), pitch(wave))
    draw([[panel]], pack / "sample.png", width=12)
