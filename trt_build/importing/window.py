"""How far the decoder of a voice looks, measured on what it is going to say."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from engines.acoustic import AcousticModel, AcousticSessions
from engines.errors import VoiceError
from engines.ort_session import OrtSession
from engines.pack import GRAPHS, VoicePack
from engines.voice import Voice

SMALLEST = 8  # decoder steps
MULTIPLE = 4
ROOM = 4  # a part in so many more than the widest band that was seen


def acoustic_model(pack: VoicePack) -> AcousticModel:
    """The acoustic model of a pack on ONNX Runtime."""
    sessions = {n: OrtSession(pack.graphs[n], 1) for n in GRAPHS if n != "vocoder"}
    return AcousticModel(pack.file.acoustic, AcousticSessions(**sessions), pack.file.source)


def sayable(folder: Path, texts: Iterable[str]) -> list[str]:
    """The texts that need no symbol the voice lacks.

    Raises:
        EngineError: the voice can say none of them, or the pack is broken.
    """
    able: list[str] = []
    lacking: VoiceError | None = None
    with Voice.load(folder) as voice:
        for text in texts:
            try:
                list(voice.plan(text).parts)
            except VoiceError as error:
                lacking = error
            else:
                able.append(text)
    if lacking and not able:
        raise lacking
    return able


def widest_band(folder: Path, texts: Iterable[str]) -> int:
    """The most decoder steps any of these texts makes the voice look back.

    Raises:
        EngineError: the pack is broken, or cannot say this.
    """
    model, widest = acoustic_model(VoicePack(folder)), 0
    with Voice.load(folder) as voice:
        for text in texts:
            plan = voice.plan(text)
            for part in plan.parts:
                widest = max(widest, model.prepare(part.ids, plan.controls).band)
    return widest


def window_for(band: int) -> int:
    """Steps to lay the decoder out for, this one included, with some room to spare.

    A sentence that needs more gets more, at the price of speed alone.
    """
    steps = band + 1 + -(-band // ROOM)
    return max(SMALLEST, -(-steps // MULTIPLE) * MULTIPLE)
