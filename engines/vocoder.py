"""HiFi-GAN at run time: mel chunks to wave chunks, equal to those of the whole utterance."""

from __future__ import annotations

import numpy as np

from engines.pack import Source, VoiceFile
from engines.session import Floats, Session, zero_state

F0_FLOOR = 30.0


class Excitation:
    """The harmonic source of one utterance; the same however its frames are cut.

    Sines of f0 and its overtones where voiced, noise elsewhere, merged by the trained weights
    (KAN-TTS: SourceModule). Noise of all partials is drawn as the one Gaussian it adds up to.
    Overtones start at random phases, or are coupled to f0 and then left out above half the rate.
    """

    def __init__(self, source: Source, sample_rate: int, hop: int, seed: int = 0) -> None:
        self._source, self._rate = source, sample_rate
        self._rng = np.random.default_rng(seed)
        self._weights = np.array(source.weights, np.float32)
        self._offsets = np.zeros(len(self._weights))
        if not source.coupled:
            self._offsets[1:] = self._rng.uniform(-0.5, 0.5, len(self._weights) - 1)
        self._samples = np.arange(1, hop + 1)
        self._phase = 0.0

    def feed(self, f0: Floats, voiced: Floats) -> Floats:
        """Excitation (n * hop,) for f0 (n,) in Hz and voicing (n,) in {0, 1}."""
        s, on = self._source, voiced[:, None]
        noise = self._rng.standard_normal((len(f0), len(self._samples)), np.float32)
        noise *= np.linalg.norm(self._weights)
        voice = s.alpha * self._harmonics(f0) + s.sigma * noise
        breath = (s.alpha / 3.0) * noise
        merged: Floats = np.tanh(on * voice + (1.0 - on) * breath + np.float32(s.bias))
        return merged.astype(np.float32).ravel()

    def _harmonics(self, f0: Floats) -> Floats:
        """The weighted sum of all partials (n, hop), each of amplitude 1."""
        turns = f0.astype(np.float64)[:, None] / self._rate
        starts = np.cumsum(np.append(self._phase, turns * len(self._samples)))[:, None]
        self._phase = float(starts[-1, 0])
        phase = starts[:-1] + turns * self._samples
        merged = np.zeros(phase.shape, np.float32)
        for order, (weight, offset) in enumerate(zip(self._weights, self._offsets, strict=True), 1):
            angle = 2.0 * np.pi * ((phase * order + offset) % 1.0)
            heard = turns * order < 0.5 if self._source.coupled else 1.0
            merged += (weight * heard * np.sin(angle)).astype(np.float32)
        return merged


class VocoderStream:
    """One utterance of `frames` mel frames on its way through the vocoder.

    A causal vocoder carries its history as state. One that looks ahead runs over windows that
    overlap by what it sees on either side, and trails by as much.
    """

    def __init__(self, session: Session, voice: VoiceFile, frames: int) -> None:
        self._session, self._voice, self._total = session, voice, frames
        self._state = {"state": zero_state(session)} if session.state_size else {}
        source, hop = voice.source, voice.hop_length
        self._excitation = Excitation(source, voice.sample_rate, hop) if source else None
        self._inputs: dict[str, Floats] = {}
        self._first = self._done = self._fed = 0

    def feed(self, mel: Floats) -> Floats:
        """Wave (n * hop,) of the n frames that are done with the help of mel (m, mels).

        n may be 0; the call that completes the utterance gives all that was held back. NSF's last
        two values of a frame are f0 and voicing.
        """
        context, hop = self._voice.vocoder.context, self._voice.hop_length
        self._take(mel)
        end = self._fed if self._fed == self._total else self._fed - context
        if end <= self._done:
            return np.empty(0, np.float32)
        out = self._session.run(self._inputs | self._state)
        if self._state:
            self._state["state"] = out["next_state"]
        wave: Floats = out["wave"][0, (self._done - self._first) * hop : (end - self._first) * hop]
        self._done = end
        self._drop(max(0, end - context))
        return wave

    def _take(self, mel: Floats) -> None:
        """Put frames behind those that are held."""
        new = self._features(mel)
        held = self._inputs or {name: value[..., :0] for name, value in new.items()}
        self._inputs = {name: np.concatenate([held[name], new[name]], -1) for name in new}
        self._fed += len(mel)

    def _drop(self, first: int) -> None:
        """Let go of the frames before `first`."""
        steps = {"mel": 1, "excitation": self._voice.hop_length}
        gone = first - self._first
        self._inputs = {n: value[..., gone * steps[n] :] for n, value in self._inputs.items()}
        self._first = first

    def _features(self, mel: Floats) -> dict[str, Floats]:
        source = self._voice.source
        if source is None or self._excitation is None:
            return {"mel": mel.T[None]}
        f0 = np.maximum(mel[:, -2] * source.f0_std + source.f0_mean, F0_FLOOR)
        voiced = (mel[:, -1] >= source.voicing_threshold).astype(np.float32)
        excitation = self._excitation.feed(f0, voiced)
        return {"mel": mel[:, :-2].T[None], "excitation": excitation[None, None]}
