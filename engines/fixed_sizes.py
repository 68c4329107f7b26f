"""Sizes that the engines feed a graph over and over, worth a CUDA graph of their own."""

from __future__ import annotations

from engines.acoustic import BLOCK
from engines.pack import VoiceFile
from engines.pipeline import chunk_frames


def fixed_sizes(graph: str, voice: VoiceFile) -> tuple[int, ...]:
    """How large the varying axes are, in utterances, decoder steps or mel frames.

    Of postnet and vocoder those of a long sentence's chunks but the last, which may have any. The
    encoder is run once or twice for a sentence, never at the same size for long.
    """
    if graph == "postnet":
        return _distinct(_fed(voice))
    if graph == "vocoder":
        return _distinct(_vocoded(voice))
    return {"duration_step": (1,), "memory": (BLOCK,), "decoder_step": (1,)}.get(graph, ())


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
