from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.config import SpeakerConfig
from daemon.playback import Speaker
from daemon.ring import Ring, Samples

FADE = 128


def noise(count: int, seed: int = 1) -> Samples:
    samples = np.random.default_rng(seed).integers(-20000, 20000, count).astype(np.int16)
    samples[samples == 0] = 1
    return samples


def drain(ring: Ring, count: int, block: int) -> Samples:
    blocks = []
    for _ in range(0, count, block):
        out = np.full(block, -1, np.int16)
        ring.fill(out)
        blocks.append(out)
    return np.concatenate(blocks)


@given(
    writes=st.lists(st.integers(0, 300), max_size=20),
    blocks=st.lists(st.integers(1, 200), max_size=60),
)
def test_every_sample_comes_out_once_and_in_order(writes: list[int], blocks: list[int]) -> None:
    ring, data = Ring(512, FADE), noise(8000)
    given, heard = 0, []
    for index, block in enumerate(blocks):
        if index < len(writes) and ring.write(data[given : given + writes[index]]):
            given += writes[index]
        out = np.full(block, -1, np.int16)
        count = ring.fill(out)
        assert not out[count:].any()
        heard.append(out[:count])
    got = np.concatenate(heard) if heard else np.zeros(0, np.int16)
    np.testing.assert_array_equal(got, data[: len(got)])
    assert len(got) == ring.read <= ring.written == given


def test_a_write_without_space_takes_nothing() -> None:
    ring = Ring(16, 4)
    assert ring.write(noise(10))
    assert not ring.write(noise(7))
    assert (ring.written, ring.space) == (10, 6)


def test_capacity_is_a_power_of_two() -> None:
    with pytest.raises(ValueError, match="power of two"):
        Ring(100, 4)


@pytest.mark.parametrize("block", [1, 7, 64, 128, 1000])
@pytest.mark.parametrize("rest", [0, 5, 100, 128, 3000])
def test_a_drop_fades_without_a_step_whatever_the_block(block: int, rest: int) -> None:
    """A constant shows every step: the fade's own steepest is pi/2 of level/length."""
    ring = Ring(8192, FADE)
    level, before = 16000, 2 * block
    ring.write(np.full(before + rest, level, np.int16))
    loud = drain(ring, before, block)
    ring.drop()
    after = drain(ring, FADE + 2 * block, block)
    whole = np.concatenate([loud, after]).astype(int)
    if rest:
        assert np.abs(np.diff(whole)).max() <= np.pi / 2 * level / FADE + 2
    assert whole[-1] == 0
    assert (ring.read, ring.space) == (ring.written, 8192)


@pytest.mark.parametrize("rest", [0, 20, 300])
def test_a_drop_while_a_fade_is_under_way_lets_nothing_of_the_next_be_heard(rest: int) -> None:
    """Cancelled twice within 8 ms: what came between must not step into the fade."""
    ring, level = Ring(8192, FADE), 16000
    ring.write(np.full(100 + 32 + rest, level, np.int16))
    loud = drain(ring, 100, 50)
    ring.drop()
    first = drain(ring, 32, 16)
    ring.write(np.full(1000, -level, np.int16))
    ring.drop()
    whole = np.concatenate([loud, first, drain(ring, 2 * FADE, 16)]).astype(int)
    assert np.abs(np.diff(whole)).max() <= np.pi / 2 * level / FADE + 2
    assert (whole >= 0).all()
    assert (whole[-1], ring.read) == (0, ring.written)


def test_what_is_written_after_a_drop_is_heard_whole() -> None:
    ring, new = Ring(8192, FADE), noise(500, seed=2)
    ring.write(np.full(4000, 9000, np.int16))
    drain(ring, 100, 50)
    ring.drop()
    ring.write(new)
    out = drain(ring, 1000, 50)
    assert out.tobytes().find(new.tobytes()) == 2 * FADE


def test_a_drop_while_silent_does_nothing() -> None:
    ring, new = Ring(8192, FADE), noise(500)
    ring.drop()
    ring.write(new)
    np.testing.assert_array_equal(drain(ring, 500, 100), new)


@pytest.mark.parametrize("more", [0, 50])
def test_each_gap_in_an_utterance_is_one_underrun(more: int) -> None:
    """Whether it begins with a block of the card or within one, and however long it is."""
    speaker = Speaker(SpeakerConfig(), lambda: None)
    speaker.prepare(16000)
    fine, block = SimpleNamespace(output_underflow=False), bytearray(320)

    def play(blocks: int) -> int:
        for _ in range(blocks):
            speaker.fill(block, 160, None, fine)
        return speaker.underruns

    assert play(2) == 0, "nobody speaks"
    speaker.begin(16000)
    assert play(2) == 0, "nothing has come yet"
    for gap in (1, 2):
        speaker.write(bytes(2 * (320 + more)))
        assert play(5) == gap
    speaker.write(bytes(2 * (320 + more)))
    speaker.rest()
    assert play(5) == 2, "its text is still to come"
    speaker.write(bytes(640))
    speaker.end()
    assert play(5) == 2, "that was the end"
