"""The whole chain with the built-in voice: `python -m daemon`, real engines, real text."""

from __future__ import annotations

import time
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sambertd_client import Client, SpeechError, cli

from tests.daemon.live import served

VOICES = Path(__file__).resolve().parents[2] / "voices"
LINE = "今天天气真好，阳光洒在窗台上，我泡了一杯咖啡，准备开始一天的工作。"


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    assert (VOICES / "yue" / "voice.toml").is_file(), "the built-in voice is missing"
    with served(VOICES, tmp_path_factory.mktemp("d")) as endpoint:
        yield endpoint


def samples(pcm: bytes) -> NDArray[np.float64]:
    return np.frombuffer(pcm, "<i2") / 32768


def test_a_sentence_is_spoken_while_it_is_made(endpoint: str) -> None:
    with Client(endpoint) as client:
        speech = client.say(LINE, credit=64)
        pieces = [(time.monotonic(), pcm) for pcm in speech]
    audio = samples(b"".join(pcm for _, pcm in pieces))
    seconds = len(audio) / speech.rate
    assert 4 < seconds < 15, "31 syllables"
    assert 0.01 < np.sqrt(np.mean(audio**2)) < 0.5
    assert np.abs(audio).max() < 1
    assert speech.done is not None
    assert speech.done.samples == len(audio)
    assert speech.ttfa_ms is not None
    assert pieces[-1][0] - pieces[0][0] > 0.5 * speech.done.synth_s, "the first piece came early"


def test_the_wishes_are_heard(endpoint: str) -> None:
    with Client(endpoint) as client:
        plain, fast = client.say("你好，世界。"), client.say("你好，世界。", speed=1.6)
        slow_pcm, fast_pcm = plain.read(), fast.read()
        loud, soft = client.say("你好。"), client.say("你好。", volume=0.25)
        loudness = [np.sqrt(np.mean(samples(s.read()) ** 2)) for s in (loud, soft)]
        for emotion in client.voices().voices[0].emotions:
            assert client.say("好。", emotion=emotion).read()
    assert len(fast_pcm) < 0.8 * len(slow_pcm)
    assert loudness[1] < 0.5 * loudness[0]


def test_several_at_once_all_come_whole(endpoint: str) -> None:
    with Client(endpoint, timeout=60) as client:
        alone = len(client.say("一二三四五。").read())
        together = [client.say("一二三四五。") for _ in range(4)]
        assert [len(speech.read()) for speech in together] == [alone] * 4


def test_a_slow_reader_holds_up_nobody(endpoint: str) -> None:
    with Client(endpoint, timeout=60) as slow, Client(endpoint, timeout=60) as other:
        stalled = slow.say(LINE * 3, credit=1)
        assert other.say("你好。").read()
        stalled.cancel()
        assert stalled.wait().why == "cancelled"


@pytest.mark.parametrize("text", ["😀😀", "……", "\u200b\u200d"])
def test_nothing_to_speak_is_told(endpoint: str, text: str) -> None:
    with Client(endpoint) as client:
        with pytest.raises(SpeechError) as caught:
            client.say(text).read()
        assert caught.value.code == "text_empty"


@pytest.mark.parametrize("text", ["Hello robot.", "a\x00b\ud7ff你好", "Здравствуй, 你好"])
def test_what_can_be_read_of_a_mixed_text_is_spoken(endpoint: str, text: str) -> None:
    with Client(endpoint, timeout=60) as client:
        assert client.say(text).read()


@pytest.mark.parametrize("text", ["Здравствуй, мир", "مرحبا"])
def test_other_scripts_are_told_and_the_daemon_lives_on(endpoint: str, text: str) -> None:
    with Client(endpoint, timeout=60) as client:
        with pytest.raises(SpeechError) as caught:
            client.say(text).read()
        assert caught.value.code == "text_unreadable"
        assert client.say("好。").read()


def test_cancel_mid_sentence(endpoint: str) -> None:
    with Client(endpoint) as client:
        speech = client.say(LINE * 10, credit=64)
        next(iter(speech))
        began = time.monotonic()
        speech.cancel()
        assert speech.wait().why == "cancelled"
        assert time.monotonic() - began < 2
        assert client.say("好。").read()


def test_sambertctl_writes_a_wav(endpoint: str, tmp_path: Path) -> None:
    out = tmp_path / "speech.wav"
    assert cli.main(["say", LINE, "--endpoint", endpoint, "--out", str(out)]) == 0
    with wave.open(str(out)) as wav:
        assert wav.getnframes() > 4 * wav.getframerate()
