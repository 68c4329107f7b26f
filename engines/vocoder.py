"""HiFi-GAN at run time: mel chunks to wave chunks, seamless as their history goes along."""

from __future__ import annotations

import numpy as np

from engines.pack import Source
from engines.session import Floats, Session, zero_state

F0_FLOOR = 30.0


class Excitation:
    """The harmonic source of one utterance, phase-continuous from chunk to chunk.

    Sines of f0 and its overtones where voiced, noise elsewhere, merged by the trained weights
    (KAN-TTS: SourceModule). Noise of all partials is drawn as the one Gaussian it adds up to.
    """

    def __init__(self, source: Source, sample_rate: int, hop: int, seed: int = 0) -> None:
        self._source, self._rate, self._hop = source, sample_rate, hop
        self._rng = np.random.default_rng(seed)
        self._weights = np.array(source.weights, np.float32)
        self._order = np.arange(1, len(source.weights) + 1)
        self._offsets = np.zeros(len(self._order))
        if not source.coupled:
            self._offsets[1:] = self._rng.uniform(-0.5, 0.5, len(self._order) - 1)
        self._phase = 0.0

    def feed(self, f0: Floats, voiced: Floats) -> Floats:
        """Excitation (n * hop,) for f0 (n,) in Hz and voicing (n,) in {0, 1}."""
        s = self._source
        hz = np.repeat(f0.astype(np.float64), self._hop)
        on = np.repeat(voiced, self._hop)
        phase = self._phase + np.cumsum(hz / self._rate)
        self._phase = float(phase[-1] % 1.0) if len(phase) else self._phase
        merged = np.zeros(len(hz), np.float32)
        for order, weight, offset in zip(self._order, self._weights, self._offsets, strict=True):
            turns = (phase * order + offset) % 1.0
            audible = hz * order < self._rate / 2
            merged += weight * audible * np.sin(2.0 * np.pi * turns).astype(np.float32)
        noise = self._rng.standard_normal(len(hz), np.float32) * np.linalg.norm(self._weights)
        voice = s.alpha * merged + s.sigma * noise
        breath = (s.alpha / 3.0) * noise
        return np.tanh(on * voice + (1.0 - on) * breath + np.float32(s.bias)).astype(np.float32)


class VocoderStream:
    """One utterance's way through the vocoder."""

    def __init__(
        self,
        session: Session,
        source: Source | None,
        sample_rate: int,
        hop: int,
    ) -> None:
        self._session, self._source = session, source
        self._state = zero_state(session)
        self._excitation = Excitation(source, sample_rate, hop) if source else None

    def feed(self, mel: Floats) -> Floats:
        """Wave (n * hop,) for finished mel frames (n, mels); NSF's last two are f0 and voicing."""
        feeds = {"mel": mel.T[None], "state": self._state}
        if self._source is not None and self._excitation is not None:
            feeds["mel"] = mel[:, :-2].T[None]
            f0 = np.maximum(mel[:, -2] * self._source.f0_std + self._source.f0_mean, F0_FLOOR)
            voiced = (mel[:, -1] >= self._source.voicing_threshold).astype(np.float32)
            feeds["excitation"] = self._excitation.feed(f0, voiced)[None, None]
        out = self._session.run(feeds)
        self._state = out["next_state"]
        wave: Floats = out["wave"][0]
        return wave
