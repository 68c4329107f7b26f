"""How far a generator sees."""

from __future__ import annotations

from collections.abc import Iterable

from trt_build.export.hifigan import Conv, Generator, ResidualBlock

Span = tuple[int, int]  # first and last step


def vocoder_context(generator: Generator) -> int:
    """Mel frames, on each side of a frame, that the wave of that frame depends on.

    Follows the wave of frame 0 back through the layers, down to mel and excitation. 0 of a causal
    generator, which is run with its history as state instead.
    """
    c = generator.config
    if c.causal:
        return 0
    blocks = len(c.resblock_kernels)
    span = _before_conv((0, c.hop_length - 1), generator.conv_post)
    seen: list[Span] = []
    for i in reversed(range(len(c.upsample_scales))):
        stage = generator.conv_blocks[i * blocks : (i + 1) * blocks]
        span = _widest(_before_block(span, block) for block in stage)
        if c.source is not None:
            first, last = _before_conv(span, generator.source_downs[i])
            seen.append((first // c.hop_length, last // c.hop_length))
        span = _before_upsampling(span, generator, i)
    first, last = _widest([*seen, _before_conv(span, generator.conv_pre)])
    return max(-first, last)


def _widest(spans: Iterable[Span]) -> Span:
    firsts, lasts = zip(*spans, strict=True)
    return min(firsts), max(lasts)


def _before_conv(span: Span, conv: Conv) -> Span:
    """What a convolution reads to write a span."""
    inner = conv.conv1d
    stride, left = inner.stride[0], conv.left + int(inner.padding[0])
    reach = (inner.kernel_size[0] - 1) * inner.dilation[0]
    return span[0] * stride - left, span[1] * stride - left + reach


def _before_block(span: Span, block: ResidualBlock) -> Span:
    pairs = zip(block.convs1, block.convs2, strict=True)
    for first, second in reversed(list(pairs)):
        span = _widest([span, _before_conv(_before_conv(span, second), first)])
    return span


def _before_upsampling(span: Span, generator: Generator, i: int) -> Span:
    scale = generator.config.upsample_scales[i]
    repeat, transposed = generator.repeat_upsamples[i].conv, generator.transpose_upsamples[i].conv
    first, last = _before_conv(span, repeat)
    skipped, kernel = int(transposed.deconv.padding[0]), transposed.deconv.kernel_size[0]
    return _widest(
        [
            (first // scale, last // scale),
            (-((kernel - 1 - skipped - span[0]) // scale), (span[1] + skipped) // scale),
        ]
    )
