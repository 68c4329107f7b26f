"""Small random models, and graphs of theirs run in ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import torch
from torch import nn

from engines.quiet_ort import ort
from engines.window import KvWindow
from trt_build.export.hifigan import Generator, GeneratorConfig, SourceConfig
from trt_build.export.sambert import Sambert, Vocabulary

Array = npt.NDArray[Any]
CLOSE = 1e-5
FROM_KANTTS = 1e-4  # whatever vector instructions its machine and this one have

GENERATORS = {
    "16k": GeneratorConfig(
        in_channels=8,
        channels=32,
        kernel_size=7,
        upsample_scales=(10, 5, 2, 2),
        upsample_kernels=(20, 10, 4, 4),
        resblock_kernels=(3, 7, 11),
        resblock_dilations=((1, 3, 5), (1, 3, 5), (1, 3, 5)),
        causal=True,
    ),
    "odd": GeneratorConfig(
        in_channels=5,
        channels=12,
        kernel_size=5,
        upsample_scales=(8, 5),
        upsample_kernels=(16, 11),
        resblock_kernels=(3, 5),
        resblock_dilations=((1, 3), (1, 2, 4)),
        causal=True,
        slope=0.2,
    ),
    "nsf": GeneratorConfig(
        in_channels=6,
        channels=16,
        kernel_size=3,
        upsample_scales=(5, 4, 2),
        upsample_kernels=(10, 8, 4),
        resblock_kernels=(3,),
        resblock_dilations=((1, 3, 5, 7),),
        causal=True,
        source=SourceConfig(harmonics=7, sample_rate=16000),
    ),
    "centred": GeneratorConfig(
        in_channels=5,
        channels=12,
        kernel_size=5,
        upsample_scales=(8, 5, 2),
        upsample_kernels=(16, 12, 3),
        resblock_kernels=(3, 5),
        resblock_dilations=((1, 3), (1, 2, 4)),
        causal=False,
        slope=0.2,
    ),
    "centred_nsf": GeneratorConfig(
        in_channels=6,
        channels=16,
        kernel_size=3,
        upsample_scales=(5, 4, 2),
        upsample_kernels=(10, 9, 4),
        resblock_kernels=(3,),
        resblock_dilations=((1, 3, 5, 7),),
        causal=False,
        source=SourceConfig(harmonics=7, sample_rate=16000),
    ),
}
VOCABULARY = Vocabulary(sy=20, tone=6, syllable_flag=4, word_segment=4, emotion=5, speaker=3)


def sambert_params(**changes: Any) -> dict[str, Any]:
    """KAN-TTS's parameters, small."""
    return {
        "max_len": 40,
        "embedding_dim": 16,
        "encoder_num_layers": 2,
        "encoder_num_heads": 2,
        "encoder_num_units": 12,
        "encoder_ffn_inner_dim": 20,
        "encoder_dropout": 0.1,
        "encoder_projection_units": 8,
        "speaker_units": 4,
        "emotion_units": 6,
        "predictor_filter_size": 7,
        "predictor_fsmn_num_layers": 2,
        "predictor_num_memory_units": 10,
        "predictor_ffn_inner_dim": 14,
        "predictor_dropout": 0.1,
        "predictor_shift": 0,
        "predictor_lstm_units": 6,
        "dur_pred_prenet_units": [7, 9],
        "dur_pred_lstm_units": 8,
        "decoder_prenet_units": [11, 13],
        "decoder_num_layers": 2,
        "decoder_num_heads": 3,
        "decoder_num_units": 12,
        "decoder_ffn_inner_dim": 18,
        "decoder_dropout": 0.1,
        "outputs_per_step": 3,
        "num_mels": 5,
        "postnet_filter_size": 9,
        "postnet_fsmn_num_layers": 3,
        "postnet_num_memory_units": 10,
        "postnet_ffn_inner_dim": 14,
        "postnet_dropout": 0.1,
        "postnet_shift": 3,
        "postnet_lstm_units": 6,
        **changes,
    }


def stirred(model: nn.Module) -> None:
    """Move what starts as ones and zeros, so that a forgotten bias or scale shows."""
    for parameter in model.parameters():
        if parameter.requires_grad and parameter.dim() == 1:
            parameter.data += 0.1 * torch.randn_like(parameter)


def small_generator(config: GeneratorConfig, seed: int = 0) -> Generator:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = Generator(config)
        stirred(model)
    return model.eval()


def small_sambert(seed: int = 0, **changes: Any) -> Sambert:
    """Random, but every symbol lasts a few frames."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = Sambert(sambert_params(**changes), VOCABULARY)
        stirred(model)
        model.variance_adaptor.duration_predictor.fc.bias.data.fill_(1.2)
    return model.eval()


def noise(seed: int, *shape: int) -> npt.NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def distance(got: Array, wanted: Array) -> float:
    """Largest difference; shapes must agree."""
    assert got.shape == wanted.shape
    return float(np.abs(got - wanted).max())


class Runner:
    """One graph in ONNX Runtime, on one thread."""

    def __init__(self, model: onnx.ModelProto) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        data = model.SerializeToString()
        self.session = ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        self.names = [out.name for out in self.session.get_outputs()]

    def __call__(self, **feeds: Array) -> dict[str, Array]:
        return dict(zip(self.names, self.session.run(self.names, feeds), strict=True))

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """As a Session of the engines."""
        return self(**feeds)

    @property
    def state_size(self) -> int:
        """Floats of state per stream."""
        return next((i.shape[1] for i in self.session.get_inputs() if i.name == "state"), 0)

    def start(self, batch: int = 1) -> npt.NDArray[np.float32]:
        """The state before the first call."""
        return np.zeros((batch, self.state_size), np.float32)


def stream_vocoder(
    run: Runner, mel: Array, excitation: Array | None, chunks: list[int], hop: int
) -> Array:
    """Wave (B, T * hop) of mel (B, C, T), chunk by chunk."""
    state, out, at = run.start(len(mel)), [], 0
    for size in chunks:
        feeds = {"mel": mel[:, :, at : at + size], "state": state}
        if excitation is not None:
            feeds["excitation"] = excitation[:, :, at * hop : (at + size) * hop]
        result = run(**feeds)
        assert result["wave"].shape == (len(mel), size * hop)
        state = result["next_state"]
        out.append(result["wave"])
        at += size
    assert at == mel.shape[2]
    return np.concatenate(out, 1)


def stream_postnet(
    run: Runner, frames: Array, lengths: list[int], chunks: list[int], lag: int
) -> Array:
    """mel (B, T, mels) of decoder frames (B, T, mels), of which the first `lengths` are valid.

    chunks must add up to T + lag at least.
    """
    state, out, at = run.start(len(frames)), [], 0
    ends = np.array(lengths)[:, None]
    padded = np.pad(frames, ((0, 0), (0, sum(chunks)), (0, 0)))
    for size in chunks:
        index = np.arange(at - lag, at + size)
        valid = ((index >= 0) & (index < ends)).astype(np.float32)
        result = run(decoder_mel=padded[:, at : at + size], valid=valid, state=state)
        state = result["next_state"]
        out.append(result["mel"])
        at += size
    return np.concatenate(out, 1)[:, lag : lag + frames.shape[1]]


class Slot:
    """One utterance in the decoder: memory (S, d_mem), its window, and its last frame."""

    def __init__(
        self, project: Runner, memory: Array, band: int, mels: int, window: int = 0
    ) -> None:
        out = project(memory=memory)
        self.key_values, self.entries = out["memory_kv"], out["entry"]
        size = window or band + 1
        self.window = KvWindow(self.key_values.shape[1:], size, band, len(memory))
        for column in range(min(size, len(memory))):
            self.window.place(column, self.key_values[column])
        self.frame = np.zeros(mels, np.float32)

    @property
    def done(self) -> bool:
        return self.window.step == self.window.steps

    def feeds(self) -> dict[str, Array]:
        w = self.window
        entry = self.entries[w.step]
        return {"frame": self.frame, "entry": entry, **w.feeds}

    def take(self, frames: Array, kv: Array) -> Array:
        """Go on with what the step gave; returns its frames (r, mels)."""
        w = self.window
        new = w.step + w.size
        w.advance(kv)
        if new < w.steps:
            w.place(new, self.key_values[new])
        shaped = frames.reshape(-1, len(self.frame))
        self.frame = shaped[-1]
        return shaped


def decode_together(run: Runner, slots: list[Slot]) -> list[Array]:
    """One step of every slot in one batch; the frames of each."""
    if not slots:
        return []
    feeds = [slot.feeds() for slot in slots]
    out = run(**{name: np.stack([f[name] for f in feeds]) for name in feeds[0]})
    return [s.take(f, kv) for s, f, kv in zip(slots, out["frames"], out["kv"], strict=True)]
