"""Whether a voice pack computes what its PyTorch models do, graph by graph."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from engines.acoustic import AcousticModel, MelStream, PostnetStream
from engines.pack import VoiceFile
from engines.session import Array, Floats, Session, zero_state
from engines.style import Controls
from engines.vocoder import F0_FLOOR, Excitation, VocoderStream
from trt_build.export.errors import ExportError
from trt_build.export.hifigan import Generator
from trt_build.export.sambert import Sambert

LIMIT = 1e-3  # FP32 rounding alone comes to 2e-4 in the worst-conditioned vocoder that was tried
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
    """

    def __init__(
        self, sambert: Sambert, generator: Generator, acoustic: AcousticModel, vocoder: Session
    ) -> None:
        self._sambert, self._generator = sambert, generator
        self._acoustic, self._vocoder = acoustic, vocoder
        self.worst: dict[str, float] = {}

    def compare(self, ids: npt.NDArray[np.int64], controls: Controls, file: VoiceFile) -> None:
        """Compare on one sentence of symbols (T, 6)."""
        with torch.no_grad(), _one_thread():
            self._compare(ids, controls, file)

    def _compare(self, ids: npt.NDArray[np.int64], controls: Controls, file: VoiceFile) -> None:
        cond, logs = self._text_side(ids)
        self._durations(cond, logs)
        utterance = self._acoustic.prepare(ids, controls)
        memory, mel = self._decoder(ids, utterance.durations, utterance.band)
        self._note("memory", utterance.memory, memory)
        stream = MelStream(self._acoustic, utterance)
        frames = np.concatenate([stream.step() for _ in range(stream.steps)])
        self._note("decoder_step", frames, mel)
        post = PostnetStream(self._acoustic, utterance.frames).feed(mel)
        wanted = self._sambert.mel_postnet(torch.from_numpy(mel)[None])[0].numpy() + mel
        self._note("postnet", post, wanted)
        self._wave(wanted, file)

    def check(self) -> Mapping[str, float]:
        """The differences.

        Raises:
            ExportError: graph_differs.
        """
        far = {name: d for name, d in self.worst.items() if not d <= LIMIT}
        if far:
            told = ", ".join(f"{name} by {d:.2g}" for name, d in far.items())
            raise ExportError(
                "graph_differs",
                f"exported graphs differ from the PyTorch model: {told} (at most {LIMIT:g} is "
                "allowed). Nothing was written; this is a fault of the exporter, please report it "
                "with the voice's config.yaml",
            )
        return self.worst

    def _note(self, name: str, got: Array, wanted: Array) -> None:
        distance = float(np.abs(got - wanted).max()) if got.shape == wanted.shape else np.inf
        if not np.isfinite(distance):  # max() would lose a NaN
            distance = np.inf
        self.worst[name] = max(self.worst.get(name, 0.0), distance)

    def _text_side(self, ids: npt.NDArray[np.int64]) -> tuple[Floats, Floats]:
        """Condition (T, d) and log durations (T,) of PyTorch; compares the encoder."""
        cond, pitch, energy = self._encoded(ids)
        out = self._acoustic.sessions.encoder.run(
            {
                "ids": ids[None],
                "pitch_scale": np.ones(1, np.float32),
                "pitch_shift": np.zeros(1, np.float32),
                "energy_shift": np.zeros(1, np.float32),
            }
        )
        for name, value in (("cond", cond), ("pitch", pitch), ("energy", energy)):
            self._note("encoder", out[name], value.numpy())
        logs = self._sambert.variance_adaptor.duration_predictor.infer(cond)
        return cond[0].numpy(), logs[0].numpy()

    def _encoded(self, ids: npt.NDArray[np.int64]) -> tuple[Tensor, Tensor, Tensor]:
        model, columns = self._sambert, torch.from_numpy(ids)[None]
        adaptor = model.variance_adaptor
        text = model.text_encoder(columns[..., :4])
        others = [model.speaker_hidden(columns[..., 5]), model.emo_tokenizer(columns[..., 4])]
        joined = torch.cat([text, *others], -1)
        pitch, energy = adaptor.pitch_predictor(joined), adaptor.energy_predictor(joined)
        return torch.cat([adaptor.coloured(text, pitch, energy), *others], -1), pitch, energy

    def _durations(self, cond: Floats, logs: Floats) -> None:
        session = self._acoustic.sessions.duration_step
        state, last = zero_state(session), np.zeros((1, 1), np.float32)
        for i, wanted in enumerate(logs):
            out = session.run({"last": last, "cond": cond[i : i + 1], "state": state})
            state, last = out["next_state"], np.full((1, 1), wanted, np.float32)
            self._note("duration_step", out["log_duration"], last)

    def _decoder(
        self, ids: npt.NDArray[np.int64], durations: npt.NDArray[np.int64], band: int
    ) -> tuple[Floats, Floats]:
        """Memory (S, d_mem) and decoder frames (n, mels) of PyTorch for these durations."""
        model = self._sambert
        cond, _, _ = self._encoded(ids)
        width = model.params["encoder_projection_units"]
        speaker = model.speaker_hidden(torch.from_numpy(ids[None, :, 5]))
        emotion = model.emo_tokenizer(torch.from_numpy(ids[None, :, 4]))
        frames = torch.from_numpy(durations)[None].float()
        memory, _ = model.memory(cond[..., :width], speaker, emotion, frames)
        steps = model.mel_decoder.mel_dec.infer(memory, band, model.num_mels)
        mel = steps.reshape(-1, model.num_mels)[: int(durations.sum())]
        return memory[0].numpy(), mel.numpy()

    def _wave(self, mel: Floats, file: VoiceFile) -> None:
        stream = VocoderStream(self._vocoder, file, len(mel))
        cuts = range(CHUNK, len(mel), CHUNK)
        wave = np.concatenate([stream.feed(part) for part in np.split(mel, list(cuts))])
        excitation = None
        if file.source is not None:
            source = Excitation(file.source, file.sample_rate, file.hop_length)
            f0 = np.maximum(mel[:, -2] * file.source.f0_std + file.source.f0_mean, F0_FLOOR)
            voiced = (mel[:, -1] >= file.source.voicing_threshold).astype(np.float32)
            excitation = torch.from_numpy(source.feed(f0, voiced))[None, None]
            mel = mel[:, :-2]
        wanted = self._generator(torch.from_numpy(mel.T.copy())[None], excitation)
        self._note("vocoder", wave, wanted[0, 0].numpy())
