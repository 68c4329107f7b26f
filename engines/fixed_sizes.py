"""Sizes that the engines feed a graph over and over, worth a CUDA graph of their own."""

from __future__ import annotations

from engines.acoustic import BLOCK
from engines.pack import VoiceFile
from engines.pipeline import chunk_frames

FixedSize = dict[str, int]  # of the axis that varies, by input; 1 where not named


def fixed_sizes(graph: str, voice: VoiceFile) -> tuple[FixedSize, ...]:
    """Of postnet and vocoder those of a long sentence's chunks but the last, which may have any.

    Steps are of one utterance. The encoder is run once or twice for a sentence, at any size.
    """
    if graph == "postnet":
        lag = voice.acoustic.postnet_lag
        return tuple({"decoder_mel": n, "valid": n + lag} for n in _distinct(_fed(voice)))
    if graph == "vocoder":
        hop = voice.hop_length
        return tuple({"mel": n, "excitation": n * hop} for n in _distinct(_vocoded(voice)))
    if graph == "memory":
        return ({"memory": BLOCK},)
    return () if graph == "encoder" else ({},)


def _fed(voice: VoiceFile) -> list[int]:
    """Frames of each chunk until they no longer grow; see `Pipeline._sentence`."""
    size, largest = chunk_frames(voice.vocoder.context)
    fed = [_in_steps(size + voice.acoustic.postnet_lag + voice.vocoder.context, voice)]
    while size < largest:
        size = min(2 * size, largest)
        fed.append(_in_steps(size, voice))
    return fed


def _in_steps(frames: int, voice: VoiceFile) -> int:
    """The decoder gives whole steps."""
    step = voice.acoustic.frames_per_step
    return -(-frames // step) * step


def _vocoded(voice: VoiceFile) -> list[int]:
    """The same as the vocoder gets them, with the frames it is given again around them."""
    chunks, context = _fed(voice), voice.vocoder.context
    chunks[0] -= voice.acoustic.postnet_lag
    out, before = [], 0
    for frames in [*chunks, chunks[-1]]:  # once more: by then all that is around is there
        out.append(min(before, 2 * context) + frames)
        before += frames
    return out


def _distinct(sizes: list[int]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(sizes))
