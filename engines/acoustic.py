"""SAMBERT at run time: symbols to mel frames, one decoder step at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engines.errors import TextError, VoiceError
from engines.pack import Acoustic, Source
from engines.session import Array, Floats, Session, zero_state
from engines.style import Controls
from engines.window import KvWindow

LONGEST_SYMBOL = 400  # mel frames
BLOCK = 64  # decoder steps whose memory is projected at once


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

    durations (T,) in frames per symbol. memory (S, d_mem) per step. band: steps a step sees back
    and ahead. frames: mel frames in all.
    """

    durations: npt.NDArray[np.int64]
    memory: Floats
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
            TextError: text_too_long, there are more symbols than the voice can place.
            VoiceError: voice_broken, the graphs or their weights are of no use.
        """
        if len(ids) > self.sizes.max_symbols:
            raise TextError(
                "text_too_long",
                f"a part of {len(ids)} symbols cannot be cut to the {self.sizes.max_symbols} this "
                "voice takes; put a space or punctuation into it",
            )
        out = self._encode(ids, 1.0, 1.0, 0.0)
        frames = self._frames(out["cond"][0], controls.speed)
        durations = _whole(frames)
        prosody = (controls.pitch, controls.pitch_range, controls.energy)
        if prosody != (1.0, 1.0, 0.0):
            out = self._encode(ids, *prosody)
        memory = self._memory(out["text"][0], out["cond"][0], durations)
        band = self.sizes.band or int(frames.max() / self.sizes.frames_per_step + 0.5)
        return Utterance(durations, memory, band, int(durations.sum()))

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

    def _frames(self, cond: Floats, speed: float) -> Floats:
        """Frames per symbol, not rounded, autoregressively; speed comes after the prediction."""
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
        return frames.astype(np.float32)

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


def _whole(frames: Floats) -> npt.NDArray[np.int64]:
    """Durations in whole frames, one at least in all."""
    whole: npt.NDArray[np.int64] = np.floor(frames + 0.5).astype(np.int64)
    if whole.sum() == 0:
        whole[0] = 1
    return whole


class Memory:
    """An utterance's memory as the decoder takes it, projected a block of steps at a time."""

    def __init__(self, session: Session, memory: Floats) -> None:
        self._session, self._memory = session, memory
        self._entries: deque[Floats] = deque()
        self._start = 0
        self._key_values = np.empty(0, np.float32)

    def key_value(self, step: int) -> Floats:
        """Keys and values (layers, heads, 2 * D) of a step; steps must be asked for in order."""
        if step - self._start == len(self._key_values):
            self._start = step
            out = self._session.run({"memory": self._memory[step : step + BLOCK]})
            self._key_values = out["memory_kv"]
            self._entries.extend(out["entry"])
        own: Floats = self._key_values[step - self._start]
        return own

    def entry(self) -> Floats:
        """The memory's part (width,) of the next step's input.

        As many calls as steps whose keys and values were asked for can be made, not more.
        """
        return self._entries.popleft()


class MelStream:
    """The decoder running over one utterance: each call of `step` is one PNCA step."""

    def __init__(self, model: AcousticModel, utterance: Utterance) -> None:
        sizes = model.sizes
        self._sizes, self.utterance = sizes, utterance
        self.session, self.steps = model.sessions.decoder_step, len(utterance.memory)
        self._memory = Memory(model.sessions.memory, utterance.memory)
        size = max(sizes.window, utterance.band + 1)
        self._window = KvWindow(sizes.key_value, size, utterance.band, self.steps)
        for column in range(min(size, self.steps)):
            self._window.place(column, self._memory.key_value(column))
        self._frame: Floats = np.zeros(sizes.mels, np.float32)
        self._entry = self._memory.entry()

    @property
    def done(self) -> bool:
        """Whether every step has run."""
        return self._window.step == self.steps

    @property
    def window(self) -> int:
        """Steps that the window holds; steps of the same size can be taken together."""
        return self._window.size

    @property
    def feeds(self) -> dict[str, Array]:
        """What the next step takes, without the batch axis."""
        return {"frame": self._frame, "entry": self._entry, **self._window.feeds}

    def step(self) -> Floats:
        """The next `frames_per_step` frames (r, mels); fewer at the end of the utterance."""
        out = self.session.run({name: value[None] for name, value in self.feeds.items()})
        return self.take(out["frames"][0], out["kv"][0])

    def take(self, values: Floats, own: Floats) -> Floats:
        """Go on with what a step gave this slot: values (r * mels,) and its keys and values.

        Returns what `step` does.
        """
        i, window = self._window.step, self._window
        window.advance(own)
        if i + window.size < self.steps:
            window.place(i + window.size, self._memory.key_value(i + window.size))
        frames: Floats = values.reshape(-1, self._sizes.mels)
        if not self.done:
            self._frame, self._entry = frames[-1], self._memory.entry()
        return frames[: self.utterance.frames - i * self._sizes.frames_per_step]


def step_together(streams: Sequence[MelStream]) -> list[Floats]:
    """One step of every stream in one batch; for each what its own `step` gives.

    The streams are of one model and one `window`, and none is done. Where the session fails, none
    of them has moved.
    """
    if len(streams) == 1:
        return [streams[0].step()]
    feeds = [stream.feeds for stream in streams]
    out = streams[0].session.run({name: np.stack([f[name] for f in feeds]) for name in feeds[0]})
    slots = zip(streams, out["frames"], out["kv"], strict=True)
    return [stream.take(values, own) for stream, values, own in slots]


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
