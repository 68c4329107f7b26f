"""A candidate graph judged by what a listener hears: whole texts, spoken with it in its place.

A decoder step that is a little off moves all steps after it, so no graph is judged by one call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Generic, TypeVar

import numpy as np
import onnx

from engines.ort_session import OrtSession
from engines.pack import VoicePack
from engines.session import Floats, Session
from engines.voice import RuntimeOptions, Voice
from trt_build.oracle import Oracle

V = TypeVar("V")
Judge = Callable[[Sequence[Floats], Sequence[Floats], int], V]


class ClosedLoop(Generic[V]):
    """Judges graphs of one voice; all others are the pack's own, in FP32."""

    def __init__(self, pack: VoicePack, texts: Sequence[str], judge: Judge[V]) -> None:
        """judge(reference, candidate, rate): compares waves, float32 and mono, text by text."""
        self._pack, self._texts, self._judge = pack, tuple(texts), judge
        self._options = RuntimeOptions(streams=1)
        self._own = {
            name: OrtSession(path, self._options.threads(name))
            for name, path in pack.graphs.items()
        }

    def __call__(self, graph: str, model: onnx.ModelProto) -> V:
        """The verdict on one graph.

        Raises:
            BuildError: graph_unreadable.
            EngineError: the candidate cannot speak at all.
        """
        return self.together({graph: model})

    def together(self, models: Mapping[str, onnx.ModelProto]) -> V:
        """The verdict on several graphs at once; raises the same."""
        threads = self._options.threads
        candidates = {name: Oracle(model, threads(name)) for name, model in models.items()}
        return self.heard(candidates)

    def heard(self, sessions: Mapping[str, Session]) -> V:
        """The verdict on graphs that are loaded already."""
        candidate = self._speak(sessions)
        return self._judge(self.reference, candidate, self._pack.file.sample_rate)

    @cached_property
    def reference(self) -> list[Floats]:
        """The texts as the pack's own graphs speak them."""
        return self._speak({})

    def _speak(self, sessions: Mapping[str, Session]) -> list[Floats]:
        with Voice(self._pack, self._options, {**self._own, **sessions}) as voice:
            return [
                np.concatenate([chunk.pcm for chunk in voice.stream(voice.plan(text))])
                for text in self._texts
            ]
