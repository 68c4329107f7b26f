"""The streaming vocoder graph equals the PyTorch generator, however the mel is cut."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from tests.trt_build.models import (
    CLOSE,
    GENERATORS,
    Array,
    Runner,
    distance,
    noise,
    small_generator,
    stream_vocoder,
)
from trt_build.export.checkpoint import load_generator
from trt_build.export.errors import ExportError
from trt_build.export.hifigan import Conv, ConvTranspose, Generator
from trt_build.export.vocoder_graph import export_vocoder, merged_upsampling

KANTTS = Path(__file__).parents[1] / "data" / "kantts"
CHUNKS = st.lists(st.integers(1, 6), min_size=1, max_size=5)


@cache
def made(name: str) -> tuple[Generator, Runner]:
    generator = small_generator(GENERATORS[name])
    return generator, Runner(export_vocoder(generator))


def inputs(generator: Generator, batch: int, frames: int) -> tuple[Array, Array | None]:
    c = generator.config
    mel = noise(1, batch, c.in_channels, frames)
    return mel, noise(2, batch, 1, frames * c.hop_length) if c.source else None


def whole(generator: Generator, mel: Array, excitation: Array | None) -> Array:
    with torch.no_grad():
        source = None if excitation is None else torch.from_numpy(excitation)
        wave: Array = generator(torch.from_numpy(mel), source)[:, 0].numpy()
    return wave


@pytest.mark.parametrize("name", GENERATORS)
@settings(deadline=None, max_examples=6)
@given(chunks=CHUNKS)
def test_any_cut_gives_the_wave_of_the_whole_pass(name: str, chunks: list[int]) -> None:
    generator, run = made(name)
    mel, excitation = inputs(generator, 1, sum(chunks))
    wave = stream_vocoder(run, mel, excitation, chunks, generator.config.hop_length)
    assert distance(wave, whole(generator, mel, excitation)) < CLOSE


@pytest.mark.parametrize("name", GENERATORS)
def test_streams_in_one_batch_do_not_touch(name: str) -> None:
    generator, run = made(name)
    hop = generator.config.hop_length
    mel, excitation = inputs(generator, 2, 9)
    both = stream_vocoder(run, mel, excitation, [4, 1, 4], hop)
    for b in range(2):
        mine = None if excitation is None else excitation[b : b + 1]
        alone = stream_vocoder(run, mel[b : b + 1], mine, [4, 1, 4], hop)
        assert distance(both[b : b + 1], alone) < CLOSE
    assert np.abs(both[0] - both[1]).max() > 0.01


def test_a_kantts_checkpoint_streams_the_wave_of_the_reference() -> None:
    expected = np.load(KANTTS / "hifigan_v1_16k" / "expected.npz")
    generator = load_generator(KANTTS / "hifigan_v1_16k")
    mel, hop = expected["mel"], generator.config.hop_length
    chunks = [3, *[8] * (mel.shape[2] // 8 - 1)]
    chunks.append(mel.shape[2] - sum(chunks))
    wave = stream_vocoder(Runner(export_vocoder(generator)), mel, None, chunks, hop)
    assert distance(wave, expected["wav"][:, 0]) < CLOSE


@settings(deadline=None, max_examples=30)
@given(data=st.data())
def test_one_convolution_equals_both_upsampling_branches(data: st.DataObject) -> None:
    scale = data.draw(st.integers(1, 8), "scale")
    kernel = data.draw(st.integers(1, 9), "kernel")
    up_kernel = data.draw(st.integers(scale, 3 * scale + 1), "up_kernel")
    c_in, c_out, frames = 3, 2, 6
    repeat = nn.Sequential(
        nn.Upsample(scale_factor=scale), conv := Conv(c_in, c_out, kernel, causal=True)
    )
    transposed = ConvTranspose(c_in, c_out, up_kernel, scale, causal=True)
    x = torch.randn(1, c_in, frames)
    with torch.no_grad():
        wanted = repeat(x) + transposed(x)
        weight = merged_upsampling(conv.conv1d, transposed.deconv, scale)
        padded = nn.functional.pad(x, (weight.shape[-1] - 1, 0))
        low = nn.functional.conv1d(padded, weight).reshape(1, c_out, scale, frames)
        assert conv.conv1d.bias is not None
        assert transposed.deconv.bias is not None
        bias = conv.conv1d.bias + transposed.deconv.bias
        got = low.transpose(2, 3).reshape(1, c_out, -1) + bias[:, None]
    assert distance(got.numpy(), wanted.numpy()) < CLOSE


def test_a_vocoder_that_looks_ahead_is_refused() -> None:
    generator = small_generator(replace(GENERATORS["odd"], causal=False))
    with pytest.raises(ExportError, match="causal: true") as caught:
        export_vocoder(generator)
    assert caught.value.code == "not_causal"
