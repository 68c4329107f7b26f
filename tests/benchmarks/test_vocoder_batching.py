"""A stream's samples in a batch of the vocoder are those it has alone; the figures tell."""

from __future__ import annotations

import numpy as np

from benchmarks.speed import BUILT_IN
from benchmarks.vocoder_batching import FRAMES, STREAMS, THREADS, inputs, measure, table
from engines.ort_session import OrtSession
from engines.pack import VoicePack


def test_every_kind_of_call_is_measured() -> None:
    rows = measure(BUILT_IN, 1)
    assert len(rows) == len(FRAMES) * len(STREAMS) * len(THREADS)
    assert all(row.ms > 0 for row in rows)
    assert max(row.apart for row in rows) < 1e-5
    assert table(rows).count("\n| ") == len(FRAMES) * len(THREADS)


def test_what_is_fed_makes_sound() -> None:
    pack = VoicePack(BUILT_IN)
    session = OrtSession(pack.graphs["vocoder"], 1)
    wave = session.run(inputs(session, pack, 12, 2))["wave"]
    assert wave.shape == (2, 12 * pack.file.hop_length)
    assert np.isfinite(wave).all()
    assert np.abs(wave[0] - wave[1]).max() > 1e-3, "two streams, not one twice"
