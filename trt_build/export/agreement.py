"""Whether a voice pack computes what its PyTorch models do, graph by graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch

from engines.acoustic import AcousticModel, MelStream, PostnetStream
from engines.pack import VoiceFile
from engines.session import Array, Floats, Session, zero_state
from engines.style import Controls
from engines.vocoder import F0_FLOOR, Excitation, VocoderStream
from trt_build.export.errors import ExportError
from trt_build.export.hifigan import Generator
from trt_build.export.reference import Reference
from trt_build.export.sambert import Sambert

LIMIT = 1e-4  # from PyTorch in FP32
CEILING = 1e-3  # from PyTorch in FP64, of a model that amplifies rounding beyond LIMIT
TIMES = 3.0  # as far from FP64 as PyTorch's own FP32 is, at most
CHUNK = 24  # mel frames the vocoder gets at once


@contextmanager
def _one_thread() -> Iterator[None]:
    """PyTorch's threads wait for each other on steps as small as a decoder's, in turn with ours."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class Agreement:
    """Worst absolute difference per graph, over all sentences that were compared.

    Every graph is fed what PyTorch computed before it, so a difference shows where it arises. The
    decoder runs freely over its own frames, together with the graph `memory` that prepares what it
    sees: that graph's own line is about what goes into it, which the host lays out.

    A graph agrees if it is within LIMIT of PyTorch in FP32. Some trained nets amplify the rounding
    of FP32 beyond that, so that PyTorch is itself as far from what the weights mean: then both are
    compared with the same model in FP64, and the graph must not be TIMES as far from it as PyTorch
    is, nor further than CEILING.

    worst: differences from PyTorch in FP32. rounding: how far that is from FP64, of those graphs
    where it had to be asked.
    """

    def __init__(
        self, sambert: Sambert, generator: Generator, acoustic: AcousticModel, vocoder: Session
    ) -> None:
        self._reference = Reference(sambert, generator)
        self._acoustic, self._vocoder = acoustic, vocoder
        self._far: set[str] = set()
        self.worst: dict[str, float] = {}
        self.rounding: dict[str, float] = {}

    @cached_property
    def _exact(self) -> Reference:
        return self._reference.exact()

    def compare(self, ids: npt.NDArray[np.int64], controls: Controls, file: VoiceFile) -> None:
        """Compare on one sentence of symbols (T, 6)."""
        with torch.no_grad(), _one_thread():
            self._compare(ids, controls, file)

    def _compare(self, ids: npt.NDArray[np.int64], controls: Controls, file: VoiceFile) -> None:
        self._durations(self._encoder(ids))
        utterance = self._acoustic.prepare(ids, controls)
        durations, band, total = utterance.durations, utterance.band, utterance.frames
        memory = self._note("memory", utterance.memory, lambda r: r.memory(ids, durations))
        stream = MelStream(self._acoustic, utterance)
        frames = np.concatenate([stream.step() for _ in range(stream.steps)])
        mel = self._note("decoder_step", frames, lambda r: r.decoded(memory, band, total))
        post = PostnetStream(self._acoustic, total).feed(mel)
        self._wave(self._note("postnet", post, lambda r: r.refined(mel)), file)

    def check(self) -> Mapping[str, float]:
        """The differences.

        Raises:
            ExportError: graph_differs.
        """
        if self._far:
            told = ", ".join(f"{name} by {self.worst[name]:.2g}" for name in sorted(self._far))
            raise ExportError(
                "graph_differs",
                f"exported graphs differ from the PyTorch model: {told} (at most {LIMIT:g} is "
                "allowed, or what rounding alone explains). Nothing was written; this is a fault "
                "of the exporter, please report it with the voice's config.yaml",
            )
        return self.worst

    def _note(self, name: str, got: Array, wanted: Callable[[Reference], Array]) -> Floats:
        """Compare with what PyTorch wants, which is returned for the next graph."""
        single: Floats = wanted(self._reference)
        distance = _distance(got, single)
        self.worst[name] = max(self.worst.get(name, 0.0), distance)
        if distance > LIMIT:
            exact = wanted(self._exact)
            rounding = _distance(single, exact)
            self.rounding[name] = max(self.rounding.get(name, 0.0), rounding)
            if _distance(got, exact) > min(TIMES * rounding, CEILING):
                self._far.add(name)
        return single

    def _encoder(self, ids: npt.NDArray[np.int64]) -> Floats:
        """Condition (T, d_cond) of PyTorch; compares the encoder."""
        out = self._acoustic.sessions.encoder.run(
            {
                "ids": ids[None],
                "pitch_scale": np.ones(1, np.float32),
                "pitch_shift": np.zeros(1, np.float32),
                "energy_shift": np.zeros(1, np.float32),
            }
        )
        got = np.concatenate([out["cond"][0], out["pitch"].T, out["energy"].T], 1)
        cond: Floats = self._note("encoder", got, lambda r: r.encoded(ids))[:, :-2]
        return np.ascontiguousarray(cond)

    def _durations(self, cond: Floats) -> None:
        session = self._acoustic.sessions.duration_step
        state, last = zero_state(session), np.zeros((1, 1), np.float32)
        logs = []
        for i, wanted in enumerate(self._reference.log_durations(cond)):
            out = session.run({"last": last, "cond": cond[i : i + 1], "state": state})
            state, last = out["next_state"], np.full((1, 1), wanted, np.float32)
            logs.append(out["log_duration"][0, 0])
        self._note("duration_step", np.stack(logs), lambda r: r.log_durations(cond))

    def _wave(self, mel: Floats, file: VoiceFile) -> None:
        stream = VocoderStream(self._vocoder, file, len(mel))
        cuts = range(CHUNK, len(mel), CHUNK)
        wave = np.concatenate([stream.feed(part) for part in np.split(mel, list(cuts))])
        excitation = None
        if file.source is not None:
            source = Excitation(file.source, file.sample_rate, file.hop_length)
            f0 = np.maximum(mel[:, -2] * file.source.f0_std + file.source.f0_mean, F0_FLOOR)
            voiced = (mel[:, -1] >= file.source.voicing_threshold).astype(np.float32)
            excitation = source.feed(f0, voiced)
            mel = mel[:, :-2]
        self._note("vocoder", wave, lambda r: r.wave(mel, excitation))


def _distance(got: Array, wanted: Array) -> float:
    """The largest; infinite where shapes differ or a number is none, which max() would lose."""
    if got.shape != wanted.shape:
        return np.inf
    with np.errstate(invalid="ignore"):
        distance = float(np.abs(got - wanted).max())
    return distance if np.isfinite(distance) else np.inf
