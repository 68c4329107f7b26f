"""`say` with `tone`: a tone that takes the way of speech, to the client and to the speaker."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sambertd_client import Client, RefusedError

from daemon.pcm import pcm_s16le
from daemon.tone import tone
from tests.daemon.live import LiveDaemon, RawClient
from tests.daemon.sink import playing, sink_of, without_gaps
from tests.daemon.tone import RATE


def test_it_comes_as_speech_does(daemon: LiveDaemon) -> None:
    with Client(daemon.endpoint) as client:
        assert "tone" in client.hello().capabilities
        speech = client.say("", tone=True)
        assert speech.read() == pcm_s16le(tone(RATE))
        assert speech.done is not None
        assert (speech.done.why, speech.done.samples, speech.done.cached) == ("end", RATE, 0.0)
        assert client.say("好").wait().why == "end"
    assert daemon.voice.plans[0].volume == 1.0  # the voice was asked for the text alone
    assert len(daemon.voice.plans) == 1


def test_it_is_a_sine_at_every_rate_and_volume(daemon: LiveDaemon) -> None:
    with Client(daemon.endpoint) as client:
        for rate, volume in ((16000, 1.0), (48000, 0.5)):
            pcm = client.say("", tone=True, rate=rate, volume=volume).read()
            heard = np.frombuffer(pcm, "<i2") / 32768
            assert len(heard) == pytest.approx(rate, abs=rate // 100)
            spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard))))
            assert float(spectrum.argmax()) * rate / len(heard) == pytest.approx(440, abs=2)
            assert np.abs(heard).max() == pytest.approx(0.1 * volume, rel=0.02)


@pytest.mark.parametrize("more", [{"text": "好"}, {"more": True}, {"markup": "ssml"}])
def test_it_takes_no_text(
    daemon: LiveDaemon, raw_client: Callable[..., RawClient], more: dict[str, object]
) -> None:
    client = raw_client(daemon.endpoint)
    reply = client.ask("say", **{"text": "", "tone": True, **more})
    assert (reply["t"], reply["code"]) == ("error", "bad_field")


def test_it_is_cancelled_like_speech(daemon: LiveDaemon) -> None:
    with Client(daemon.endpoint) as client:
        speech = client.say("", tone=True, credit=1)
        speech.cancel()
        assert speech.wait().why == "cancelled"


def test_an_empty_text_without_it_is_refused_as_ever(daemon: LiveDaemon) -> None:
    with Client(daemon.endpoint) as client, pytest.raises(RefusedError, match="no text"):
        client.say("")


@pytest.mark.audio
def test_it_is_played_in_turn_with_speech(folder: Path) -> None:
    for sink in sink_of(folder):
        with playing(sink, folder) as client, sink.record() as heard:
            first = client.say("", tone=True, sink="speaker", volume=0.5)
            second = client.say("", tone=True, sink="speaker")
            assert {first.wait().why, second.wait().why} == {"end"}
        both = pcm_s16le(tone(RATE, 0.5)) + pcm_s16le(tone(RATE))
        assert without_gaps(heard[0]) == without_gaps(both)
