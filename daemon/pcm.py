"""From a voice's float samples to the PCM that was asked for: format, rate, and small pieces."""

from __future__ import annotations

from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray
from sambertd_client.protocol import FORMAT, Format

MAX_CHUNK = 9600  # samples of one wire message or ring write: the engines' largest at 16 kHz
Floats = NDArray[np.float32]


class PcmForm:
    """The form of one utterance's PCM; keeps what the resampler has not given back yet.

    `source` and `rate` are those of the voice and of what comes out, in Hz.
    """

    def __init__(self, source: int, rate: int | None = None, name: Format = FORMAT) -> None:
        self.rate = rate or source
        self._source = source
        self.name = name
        self.sample_bytes = 2 if name == FORMAT else 4
        self._resampler: Any = None
        if self.rate != source:
            self._resampler = soxr.ResampleStream(source, self.rate, 1, "float32")

    def at(self, sample: int) -> int:
        """Where a sample of the voice's is in what comes out."""
        return round(sample * self.rate / self._source)

    def pieces(self, pcm: Floats) -> tuple[bytes, ...]:
        """Of these samples, each of MAX_CHUNK at most; what is not finite stays so in floats."""
        if self._resampler is not None:
            pcm = self._resampler.resample_chunk(pcm, last=False)
        return self._cut(pcm)

    def tail(self) -> tuple[bytes, ...]:
        """The rest, once; empty without a resampler."""
        resampler, self._resampler = self._resampler, None
        if resampler is None:
            return ()
        return self._cut(resampler.resample_chunk(np.zeros(0, np.float32), last=True))

    def _cut(self, pcm: Floats) -> tuple[bytes, ...]:
        data = pcm_s16le(pcm) if self.name == FORMAT else pcm.astype("<f4").tobytes()
        step = self.sample_bytes * MAX_CHUNK
        return tuple(data[i : i + step] for i in range(0, len(data), step))


def pcm_s16le(pcm: Floats) -> bytes:
    """Float samples as little-endian 16-bit PCM: rounded, clipped at full scale, never wrapped."""
    scaled = np.rint(np.asarray(pcm, np.float32) * 32767.0)
    samples: NDArray[np.int16] = np.clip(scaled, -32768, 32767).astype("<i2")
    return samples.tobytes()
