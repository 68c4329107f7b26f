"""What can go wrong in the engines, as a tree.

EngineError
├── TextError    the text cannot be spoken: text_empty, text_too_long, text_unreadable,
│                and of SSML bad_ssml (not well-formed, or not what is understood), ssml_refused
│                (too deep or too large, or it declares a document type), and of symbols
│                bad_symbols
├── LexiconError a lexicon cannot be used: lexicon_not_found, bad_lexicon
├── StyleError   the wish cannot be met: unknown_speaker, unknown_emotion, bad_style
├── VoiceError   the voice pack cannot be used: voice_not_found, voice_broken,
│                voice_hash_mismatch, voice_unsupported
├── StoreError   built engines cannot be used or kept: store_broken, store_locked, store_full,
│                store_unwritable, engine_corrupt, engine_stale
└── GpuError     the GPU cannot do it, ONNX Runtime on the processor still can: gpu_missing (no
                 driver, no card), gpu_not_installed (a package), gpu_memory, gpu_failed (CUDA says
                 so), gpu_closed, engine_broken, engine_shape (built for other shapes)

Every error carries a sentence for people, which names the cure, and a `code` for machines.
"""

from __future__ import annotations


class EngineError(Exception):
    """An error the caller can act on; the engines stay usable after it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class TextError(EngineError):
    """The text cannot be spoken."""


class LexiconError(EngineError):
    """A file of readings is missing, or a line of it is wrong."""


class StyleError(EngineError):
    """The speaker, emotion, speed, pitch or volume asked for cannot be had."""


class VoiceError(EngineError):
    """The voice pack is missing, damaged or of an unknown kind."""


class StoreError(EngineError):
    """Engines built for this box are damaged, foreign, or cannot be published."""


class GpuError(EngineError):
    """The GPU, its driver or an engine built for it is of no use for this."""
