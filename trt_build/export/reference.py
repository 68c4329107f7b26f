"""What each graph of a voice should give: the PyTorch models, in FP32 or FP64."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from engines.session import Floats
from trt_build.export.hifigan import Generator
from trt_build.export.sambert import Sambert

Ids = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.floating]


class Reference:
    """Both models of a voice in one precision. Inputs are FP32, outputs as precise as the models.

    ids: (T, 6), as everywhere.
    """

    def __init__(self, sambert: Sambert, generator: Generator) -> None:
        self._sambert, self._generator = sambert, generator
        self._dtype = sambert.emo_tokenizer.weight.dtype

    def exact(self) -> Reference:
        """The same in FP64; takes twice the memory of the models."""
        return Reference(deepcopy(self._sambert).double(), deepcopy(self._generator).double())

    def encoded(self, ids: Ids) -> Numbers:
        """(T, d_cond + 2): the condition of the duration predictor and memory, pitch, energy."""
        cond, pitch, energy = self._encoded(ids)
        out: Numbers = torch.cat([cond, pitch[..., None], energy[..., None]], -1)[0].numpy()
        return out

    def log_durations(self, cond: Floats) -> Numbers:
        """(T,) of cond (T, d_cond)."""
        logs = self._sambert.variance_adaptor.duration_predictor.infer(self._tensor(cond)[None])
        out: Numbers = logs[0].numpy()
        return out

    def memory(self, ids: Ids, durations: Ids) -> Numbers:
        """(S, d_mem) for durations (T,) in frames."""
        width = self._sambert.params["encoder_projection_units"]
        text = self._encoded(ids)[0][..., :width]
        out, _ = self._sambert.memory(text, *self._who(ids), self._tensor(durations)[None])
        memory: Numbers = out[0].numpy()
        return memory

    def decoded(self, memory: Floats, band: int, frames: int) -> Numbers:
        """Decoder frames (frames, mels) of memory (S, d_mem), each step fed by the one before."""
        mels = self._sambert.num_mels
        steps = self._sambert.mel_decoder.mel_dec.infer(self._tensor(memory)[None], band, mels)
        out: Numbers = steps.reshape(-1, mels)[:frames].numpy()
        return out

    def refined(self, frames: Floats) -> Numbers:
        """The mel (n, mels) that the postnet makes of decoder frames."""
        x = self._tensor(frames)[None]
        mel: Numbers = (self._sambert.mel_postnet(x) + x)[0].numpy()
        return mel

    def wave(self, mel: Floats, excitation: Floats | None) -> Numbers:
        """(n * hop,) of mel (n, in_channels) and, with NSF, excitation (n * hop,)."""
        source = None if excitation is None else self._tensor(excitation)[None, None]
        out: Numbers = self._generator(self._tensor(mel.T.copy())[None], source)[0, 0].numpy()
        return out

    def _tensor(self, value: npt.NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(value).to(self._dtype)

    def _who(self, ids: Ids) -> tuple[Tensor, Tensor]:
        columns = torch.from_numpy(ids)[None]
        model = self._sambert
        return model.speaker_hidden(columns[..., 5]), model.emo_tokenizer(columns[..., 4])

    def _encoded(self, ids: Ids) -> tuple[Tensor, Tensor, Tensor]:
        """Condition (1, T, d_cond), pitch and energy (1, T)."""
        adaptor, who = self._sambert.variance_adaptor, self._who(ids)
        text = self._sambert.text_encoder(torch.from_numpy(ids)[None, :, :4])
        joined = torch.cat([text, *who], -1)
        pitch, energy = adaptor.pitch_predictor(joined), adaptor.energy_predictor(joined)
        return torch.cat([adaptor.coloured(text, pitch, energy), *who], -1), pitch, energy
