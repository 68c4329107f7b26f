"""SAMBERT at run time: symbols to mel frames, one decoder step at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engines.errors import TextError, VoiceError
from engines.pack import Acoustic, Source
from engines.session import Array, Floats, Session, zero_state
from engines.style import Controls

LONGEST_SYMBOL = 400  # mel frames


@dataclass(frozen=True, slots=True)
class AcousticSessions:
    """The graphs of SAMBERT, loaded."""

    encoder: Session
    duration_step: Session
    memory: Session
    decoder_step: Session
    postnet: Session


@dataclass(frozen=True, slots=True)
class Utterance:
    """One sentence, ready to decode.

    durations (T,) in frames per symbol. memory (S, d_mem) per step. ahead (S + band + 1, layers, 2,
    width): the memory's keys and values, with room to look past the end. frames: mel frames in all.
    """

    durations: npt.NDArray[np.int64]
    memory: Floats
    ahead: Floats
    band: int
    frames: int


class AcousticModel:
    """Text side of SAMBERT: everything that is known before the first decoder step."""

    def __init__(self, sizes: Acoustic, sessions: AcousticSessions, source: Source | None) -> None:
        self.sizes, self.sessions, self.source = sizes, sessions, source
        depth = np.arange(sizes.text)
        self._timescales = 10000.0 ** (2 * (depth // 2) / sizes.text)

    def prepare(self, ids: npt.NDArray[np.int64], controls: Controls) -> Utterance:
        """Encode symbols (T, 6), predict prosody and durations, lay out the decoder's memory.

        Raises:
            TextError: text_too_long, the sentence has more symbols than the voice can place.
            VoiceError: voice_broken, the graphs or their weights are of no use.
        """
        if len(ids) > self.sizes.max_symbols:
            raise TextError(
                "text_too_long",
                f"one sentence has {len(ids)} symbols, this voice takes {self.sizes.max_symbols}; "
                "add punctuation",
            )
        out = self._encode(ids, 1.0, 1.0, 0.0)
        durations = self._durations(out["cond"][0], controls.speed)
        prosody = (controls.pitch, controls.pitch_range, controls.energy)
        if prosody != (1.0, 1.0, 0.0):
            out = self._encode(ids, *prosody)
        memory = self._memory(out["text"][0], out["cond"][0], durations)
        kv = self.sessions.memory.run({"memory": memory[None]})["memory_kv"]
        band = self.sizes.band or int(durations.max() / self.sizes.frames_per_step + 0.5)
        ahead = np.concatenate([kv, np.zeros((band + 1, *kv.shape[1:]), np.float32)])
        return Utterance(durations, memory, ahead, band, int(durations.sum()))

    def _encode(
        self, ids: npt.NDArray[np.int64], pitch: float, pitch_range: float, energy: float
    ) -> dict[str, Array]:
        """The encoder under a prosody; durations come from the plain one, so pitch keeps the pace.

        Predicted pitch is (Hz - mean) / std: a factor on Hz is a factor and a shift on that.
        """
        shift = 0.0
        if self.source is not None:
            shift = (pitch - 1.0) * self.source.f0_mean / self.source.f0_std
        feeds: dict[str, Array] = {
            "ids": ids[None],
            "pitch_scale": np.array([pitch * pitch_range], np.float32),
            "pitch_shift": np.array([shift], np.float32),
            "energy_shift": np.array([energy], np.float32),
        }
        return self.sessions.encoder.run(feeds)

    def _durations(self, cond: Floats, speed: float) -> npt.NDArray[np.int64]:
        """Frames per symbol, autoregressively; speed is applied after the prediction."""
        session = self.sessions.duration_step
        state, last = zero_state(session), np.zeros((1, 1), np.float32)
        logs = np.empty(len(cond), np.float32)
        for i in range(len(cond)):
            out = session.run({"last": last, "cond": cond[i : i + 1], "state": state})
            last, state = out["log_duration"], out["next_state"]
            logs[i] = last[0, 0]
        if not np.isfinite(logs).all():
            raise VoiceError("voice_broken", "the voice predicts no durations; export it again")
        frames = np.minimum(np.exp(logs) - 1.0, LONGEST_SYMBOL) / speed
        whole = np.floor(frames + 0.5).astype(np.int64)
        if whole.sum() == 0:
            whole[0] = 1
        return whole

    def _memory(self, text: Floats, cond: Floats, durations: npt.NDArray[np.int64]) -> Floats:
        """Hidden states repeated per frame, `frames_per_step` frames side by side: (S, d_mem)."""
        r, d_text = self.sizes.frames_per_step, self.sizes.text
        owner = np.repeat(np.arange(len(durations)), durations)
        steps = -(-len(owner) // r)
        starts = np.repeat(np.cumsum(durations) - durations, durations)
        position = np.zeros(steps * r)
        position[: len(owner)] = np.arange(len(owner)) - starts + 1
        angle = position[:, None] / self._timescales
        frames = np.where(np.arange(d_text) % 2 == 0, np.sin(angle), np.cos(angle)).astype(
            np.float32
        )
        frames[: len(owner)] += text[owner]
        rest = cond[owner[::r], d_text:]
        return np.concatenate([frames.reshape(steps, r * d_text), rest], axis=1)


class MelStream:
    """The decoder running over one utterance: each call of `step` is one PNCA step."""

    def __init__(self, model: AcousticModel, utterance: Utterance) -> None:
        self._session, self._sizes, self.utterance = (
            model.sessions.decoder_step,
            model.sizes,
            utterance,
        )
        self.steps = len(utterance.memory)
        self.position = 0
        window = utterance.band + 1
        kv = (self._sizes.layers, 2, self._sizes.width)
        self._past = np.zeros((utterance.band + self.steps, *kv), np.float32)
        self._frame = np.zeros((1, self._sizes.mels), np.float32)
        index = np.arange(window)
        self._past_keep = (index >= window - 1 - np.arange(window)[:, None]).astype(np.float32)
        self._ahead_keep = (index <= np.arange(window)[:, None]).astype(np.float32)

    @property
    def done(self) -> bool:
        """Whether every step has run."""
        return self.position == self.steps

    def step(self) -> Floats:
        """The next `frames_per_step` frames (r, mels); fewer at the end of the utterance."""
        i, u, window = self.position, self.utterance, self.utterance.band + 1
        out = self._session.run(
            {
                "frame": self._frame,
                "memory": u.memory[i : i + 1],
                "past": self._past[None, i : i + u.band],
                "ahead": u.ahead[None, i : i + window],
                "past_keep": self._past_keep[None, min(i, u.band)],
                "ahead_keep": self._ahead_keep[None, min(self.steps - 1 - i, u.band)],
            }
        )
        self._past[i + u.band] = out["kv"][0]
        frames: Floats = out["frames"].reshape(-1, self._sizes.mels)
        self._frame = frames[-1:]
        self.position += 1
        left = u.frames - i * self._sizes.frames_per_step
        return frames[:left]


class PostnetStream:
    """The postnet running behind the decoder: frames come out `lag` later than they went in."""

    def __init__(self, model: AcousticModel, frames: int) -> None:
        self._session, self._lag = model.sessions.postnet, model.sizes.postnet_lag
        self._mels, self._total = model.sizes.mels, frames
        self._state = zero_state(self._session)
        self._fed = 0

    def feed(self, frames: Floats) -> Floats:
        """Finished frames (n, mels) for decoder frames (m, mels); the last call flushes the lag."""
        if self._fed + len(frames) == self._total:
            tail = np.zeros((self._lag, self._mels), np.float32)
            frames = np.concatenate([frames, tail])
        index = np.arange(self._fed - self._lag, self._fed + len(frames))
        valid = ((index >= 0) & (index < self._total)).astype(np.float32)
        out = self._session.run(
            {"decoder_mel": frames[None], "valid": valid[None], "state": self._state}
        )
        self._state = out["next_state"]
        early = max(0, min(len(frames), self._lag - self._fed))
        self._fed += len(frames)
        done: Floats = out["mel"][0, early:]
        return done
