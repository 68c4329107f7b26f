"""A sound card that comes back as another: the daemon with a card made of Python below it.

test_speaker.py plays on a real PulseAudio, whose sinks take every rate and never fail to start.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from sambertd_client import Client, RefusedError, SpeechError
from sambertd_client import protocol as wire

from daemon.config import SpeakerConfig
from daemon.device import NoPortAudioError, SpeakerError, portaudio
from daemon.playback import Speaker
from tests.daemon.live import LiveDaemon

BLOCK_S = 0.01
CARD, USB, SERVER = "card (hw:0,0)", "usb (hw:1,0)", "pulse"


class CardError(Exception):
    pass


class CardStream:
    """Calls for samples in real time until it is closed or its card is pulled."""

    latency = 0.02

    def __init__(self, card: Card, settings: dict[str, Any]) -> None:
        self._card, self._settings, self._closed = card, settings, False
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        self._thread.start()

    def _run(self) -> None:
        frames = int(self._settings["samplerate"] * BLOCK_S)
        block, status = bytearray(2 * frames), SimpleNamespace(output_underflow=False)
        while self._card.present and not self._closed:
            if self._card.frozen:
                time.sleep(BLOCK_S)
                continue
            self._settings["callback"](block, frames, None, status)
            self._card.heard += block
            time.sleep(BLOCK_S)
        if self._card.tells:
            self._settings["finished_callback"]()

    def abort(self, ignore_errors: bool) -> None:
        self._closed = True

    def close(self, ignore_errors: bool) -> None:
        self._thread.join(5)


class Card:
    """What daemon/device.py and outputs.py use of the module sounddevice."""

    PortAudioError = CardError

    def __init__(self, rate: int) -> None:
        self.rate, self.present, self.starts_to_fail = rate, True, 0
        self.name = CARD
        self.frozen, self.opened = False, 0  # it opens, and takes no samples; streams so far
        self.tells = True  # when it is pulled; PortAudio 19.6 does not tell of a USB card
        self.heard = bytearray()
        self._initialized = self._listed = True
        self.usb = self._usb_listed = False  # a better one, that may be plugged in later

    def query_devices(self, kind: str = "") -> Any:
        if not self._initialized or not self._listed or not self.present:
            raise CardError("no device")
        facts: dict[str, Any] = {"index": 0, "name": self.name, "max_output_channels": 1}
        facts["default_samplerate"] = float(self.rate)
        return facts if kind else [facts, {**facts, "name": USB}][: 1 + self._usb_listed]

    def check_output_settings(self, index: int, channels: int, dtype: str, samplerate: int) -> None:
        if samplerate != self.rate:
            raise CardError("invalid sample rate")

    def RawOutputStream(self, **settings: Any) -> CardStream:  # noqa: N802 - sounddevice's name
        self.opened += 1
        return CardStream(self, settings)

    def _terminate(self) -> None:
        if not self._initialized:
            raise CardError("not initialized")
        self._initialized = False

    def _initialize(self) -> None:
        if self.starts_to_fail:
            self.starts_to_fail -= 1
            raise CardError("host error")
        self._initialized = True
        self._listed, self._usb_listed = self.present, self.usb  # it looks for devices only here


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Card:
    card = Card(16000)
    monkeypatch.setitem(sys.modules, "sounddevice", card)
    return card


def wait_until(happened: Callable[[], bool], seconds: float = 10) -> None:
    until = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.02)


def lose(card: Card, client: Client) -> None:
    """Pull the card once half a second of speech has sounded; the daemon has noticed."""
    wait_until(lambda: len(card.heard) > 16000)
    card.present = False
    wait_until(lambda: not client.status().speaker.available)


def test_an_utterance_all_handed_over_ends_when_the_card_comes_back_at_another_rate(
    card: Card, start_daemon: Callable[..., LiveDaemon]
) -> None:
    daemon = start_daemon(SpeakerConfig())
    with Client(daemon.endpoint) as client:
        speech = client.say("好" * 60, sink="speaker")  # 3 s, which the ring holds
        lose(card, client)
        card.rate, card.present = 48000, True
        wait_until(lambda: client.status().failed == 1)
        with pytest.raises(SpeechError, match="another rate") as caught:
            speech.wait()
        assert caught.value.code == "speaker_unavailable"
        assert client.say("好", sink="speaker").wait().why == "end"
        speaker = client.status().speaker
        assert (speaker.rate, speaker.reopened) == (48000, 1)


def test_an_utterance_all_handed_over_goes_on_when_the_card_comes_back_the_same(
    card: Card, start_daemon: Callable[..., LiveDaemon]
) -> None:
    daemon = start_daemon(SpeakerConfig())
    with Client(daemon.endpoint) as client:
        speech = client.say("好" * 20, sink="speaker")
        lose(card, client)
        card.present = True
        wait_until(lambda: client.status().done == 1)
        assert speech.wait().samples == 20 * 800


def test_what_a_lost_card_did_not_play_is_not_taken_for_heard(
    card: Card, start_daemon: Callable[..., LiveDaemon]
) -> None:
    """Held after its return, an utterance goes on no later than it was heard."""
    daemon = start_daemon(SpeakerConfig())
    replies: list[wire.Reply] = []
    with Client(daemon.endpoint) as client:
        speech = client.say("好" * 60, sink="speaker")
        speech.on_reply = replies.append
        lose(card, client)
        time.sleep(1)
        back = len(card.heard)
        card.present = True
        wait_until(lambda: len(card.heard) > back + 6400)
        speech.pause()
        time.sleep(0.2)
        heard = np.frombuffer(bytes(card.heard), "<i2")
        sounded = int(np.count_nonzero((heard != 0) | (np.roll(heard, 1) != 0)))
        speech.resume()
        assert speech.wait().heard_samples == 60 * 800
    *_, again = (reply for reply in replies if isinstance(reply, wire.Playing))
    assert 0 < again.at <= sounded


def test_its_client_is_told_that_the_card_is_lost_and_where_it_goes_on(
    card: Card, start_daemon: Callable[..., LiveDaemon]
) -> None:
    daemon = start_daemon(SpeakerConfig())
    replies: list[wire.Reply] = []
    with Client(daemon.endpoint) as client:
        speech = client.say("好" * 60, sink="speaker", marks=["viseme"])
        speech.on_reply = replies.append
        for _ in range(2):
            lose(card, client)
            card.heard.clear()
            card.present = True
        assert speech.wait().heard_samples == 60 * 800
    told = [one for one in replies if isinstance(one, (wire.Playing, wire.Held))]
    assert len(told) >= 5, "a busy machine may let it stand still once more"
    assert [type(one) for one in told[::2]] == [wire.Playing] * (len(told) // 2 + 1)
    assert {one.why for one in told[1::2] if isinstance(one, wire.Held)} == {"speaker_lost"}
    lost, back = [one.at for one in told[1::2]], [one.at for one in told[2::2]]
    assert lost == sorted(lost)
    assert 0 < lost[0] < lost[-1] < 60 * 800
    for held, playing in zip(lost, back, strict=True):
        assert held <= playing <= held + 1600, "it goes on where the lost card took the last"


def test_what_is_said_while_the_card_is_lost_waits_for_it(
    card: Card, start_daemon: Callable[..., LiveDaemon]
) -> None:
    daemon = start_daemon(SpeakerConfig())
    with Client(daemon.endpoint) as client:
        assert client.say("好", sink="speaker").wait().why == "end"
        card.present = False
        wait_until(lambda: not client.status().speaker.available)
        warning = client.say("好" * 3, sink="speaker", priority="important")
        card.present = True
        done = warning.wait()
        assert (done.why, done.heard_samples) == ("end", 3 * 800)


def test_a_card_that_stays_away_is_told_with_a_time_and_waited_for(
    card: Card, start_daemon: Callable[..., LiveDaemon], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("checks", "delivery"):
        monkeypatch.setattr(f"daemon.{module}.LOST_GRACE_S", 0.5)
    daemon = start_daemon(SpeakerConfig())
    with Client(daemon.endpoint) as client:
        card.present = False
        wait_until(lambda: not client.status().speaker.available)
        with pytest.raises(SpeechError):
            client.say("好", sink="speaker").wait()
        with pytest.raises(RefusedError) as refused:
            client.say("好", sink="speaker")
        assert refused.value.code == "speaker_unavailable"
        assert refused.value.retry_s is not None
        assert 0 < refused.value.retry_s < 11
        with pytest.raises(RefusedError):
            client.say("好", sink="speaker", retry_s=0.5)
        plugged = threading.Timer(1.0, setattr, (card, "present", True))
        plugged.start()
        assert client.say("好", sink="speaker", retry_s=30).wait().why == "end"


def test_a_speaker_that_is_switched_off_is_not_waited_for(
    start_daemon: Callable[..., LiveDaemon],
) -> None:
    daemon = start_daemon()
    with Client(daemon.endpoint) as client:
        with pytest.raises(RefusedError) as refused:
            client.say("好", sink="speaker", retry_s=30)
        assert (refused.value.code, refused.value.retry_s) == ("speaker_unavailable", None)
        assert client.status().refused == 1, "it was asked once"


def test_a_card_that_never_was_there_is_not_waited_for(
    card: Card, start_daemon: Callable[..., LiveDaemon]
) -> None:
    card.present = False
    daemon = start_daemon(SpeakerConfig())
    with Client(daemon.endpoint) as client:
        with pytest.raises(RefusedError) as refused:
            client.say("好", sink="speaker")
        assert refused.value.retry_s is not None


def test_what_is_held_goes_on_on_the_card_that_came_back_at_another_rate(
    card: Card, start_daemon: Callable[..., LiveDaemon]
) -> None:
    daemon = start_daemon(SpeakerConfig())
    replies: list[wire.Reply] = []
    with Client(daemon.endpoint) as client:
        speech = client.say("好" * 60, sink="speaker")
        speech.on_reply = replies.append
        wait_until(lambda: len(card.heard) > 16000)
        speech.pause()
        card.present = False
        wait_until(lambda: not client.status().speaker.available)
        card.heard.clear()
        card.rate, card.present = 48000, True
        wait_until(lambda: client.status().speaker.rate == 48000)
        speech.resume()
        done = speech.wait()
        assert (done.why, done.heard_samples) == ("end", 60 * 800)
    *_, again = (reply for reply in replies if isinstance(reply, wire.Playing))
    assert 0 < again.at < 60 * 800
    sounded = np.count_nonzero(np.frombuffer(bytes(card.heard), "<i2"))
    assert sounded > 0.95 * 3 * (60 * 800 - again.at)


def test_a_speaker_is_idle_although_another_card_came_after_the_last_word() -> None:
    """Else it is never closed, nor another device looked for, until somebody speaks."""
    speaker = Speaker(SpeakerConfig(), lambda: None)
    speaker.prepare(16000)
    speaker.begin(16000)
    speaker.write(bytes(3200))
    speaker.fill(bytearray(320), 160, None, SimpleNamespace(output_underflow=False))
    speaker.cancel()  # its card is lost: nobody takes what is left
    speaker.prepare(48000)
    speaker.fill(bytearray(960), 480, None, SimpleNamespace(output_underflow=False))
    assert speaker.idle_s(time.monotonic() + 5) >= 5


def test_a_card_that_goes_without_a_word_is_noticed_by_its_silence(
    card: Card, start_daemon: Callable[..., LiveDaemon]
) -> None:
    daemon = start_daemon(SpeakerConfig())
    card.tells = False
    with Client(daemon.endpoint) as client:
        assert client.say("好", sink="speaker").wait().why == "end"
        card.present = False
        wait_until(lambda: not client.status().speaker.available, 2)
        card.present = True
        wait_until(lambda: client.status().speaker.available)
        assert client.say("好", sink="speaker").wait().why == "end"
        assert client.status().speaker.reopened == 1


def test_a_starved_sound_server_is_waited_for(
    card: Card, start_daemon: Callable[..., LiveDaemon]
) -> None:
    """PulseAudio without a processor holds up to two seconds; opening it anew would not help."""
    card.name = SERVER
    daemon = start_daemon(SpeakerConfig())
    with Client(daemon.endpoint) as client:
        spoken = client.say("好" * 20, sink="speaker")
        wait_until(lambda: any(card.heard))
        card.frozen = True
        time.sleep(1.5)
        card.frozen = False
        assert spoken.wait().heard_samples == 20 * 800
        assert (card.opened, client.status().speaker.reopened) == (1, 0)
        card.frozen = True
        wait_until(lambda: not client.status().speaker.available)
        card.frozen = False


def test_another_device_waits_for_a_lost_one_to_come_back(
    card: Card, start_daemon: Callable[..., LiveDaemon]
) -> None:
    daemon = start_daemon(SpeakerConfig(fallback=("null",)))
    with Client(daemon.endpoint) as client:
        card.present = False
        wait_until(lambda: not client.status().speaker.available)
        card.present = True
        wait_until(lambda: client.status().speaker.available)
        assert client.status().speaker.device == CARD


def test_an_utterance_goes_on_in_the_fallback_at_the_rate_it_began_with(
    card: Card, start_daemon: Callable[..., LiveDaemon]
) -> None:
    card.rate = 48000  # of the voice: 16000
    daemon = start_daemon(SpeakerConfig(fallback=("null",)))
    with Client(daemon.endpoint) as client:
        speech = client.say("好" * 60, sink="speaker")
        wait_until(lambda: len(card.heard) > 48000)
        card.present = False
        assert speech.wait().why == "end"
        speaker = client.status().speaker
        assert (speaker.device, speaker.rate, speaker.reopened) == ("null", 48000, 1)
        card.present = True
        wait_until(lambda: client.status().speaker.device == CARD, 15)
        assert client.status().speaker.reopened == 1, "nothing was lost this time"


def test_the_wanted_card_is_found_although_its_fallback_is_closed_while_idle(
    card: Card, start_daemon: Callable[..., LiveDaemon]
) -> None:
    daemon = start_daemon(SpeakerConfig(device="usb", fallback=("",), idle_close_s=1.0))
    with Client(daemon.endpoint) as client:
        assert client.status().speaker.device == CARD
        time.sleep(1.5)
        card.usb = True
        assert client.say("好", sink="speaker").wait().why == "end"
        assert client.status().speaker.device == USB


def test_null_as_a_fallback_is_not_closed_for_it_looks_for_better(
    card: Card, start_daemon: Callable[..., LiveDaemon]
) -> None:
    daemon = start_daemon(SpeakerConfig(fallback=("null",), idle_close_s=1.0))
    with Client(daemon.endpoint) as client:
        card.present = False
        wait_until(lambda: client.status().speaker.device == "null")
        time.sleep(1.5)
        card.present = True
        wait_until(lambda: client.status().speaker.device == CARD)


def test_how_long_nothing_of_it_gave_a_sign_of_life(
    card: Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, initialize = threading.Event(), card._initialize
    monkeypatch.setattr(card, "_initialize", lambda: (go_on.wait(30), initialize()))
    speaker = Speaker(SpeakerConfig(), lambda: None)
    assert speaker.silent_s(time.monotonic()) == 0, "it was not started"
    speaker.start(16000)
    wait_until(lambda: speaker.state.available)
    time.sleep(0.3)
    assert speaker.silent_s(time.monotonic()) < 0.3
    card.present = False
    wait_until(lambda: speaker.silent_s(time.monotonic()) > 0.6)
    go_on.set()
    wait_until(lambda: speaker.silent_s(time.monotonic()) < 0.3)
    speaker.close()


def test_sound_returns_although_portaudio_once_failed_to_start_again(
    card: Card, start_daemon: Callable[..., LiveDaemon]
) -> None:
    daemon = start_daemon(SpeakerConfig())
    with Client(daemon.endpoint) as client:
        card.starts_to_fail = 2
        card.present = False
        wait_until(lambda: not client.status().speaker.available)
        card.present = True
        wait_until(lambda: client.status().speaker.available)
        assert card.starts_to_fail == 0
        assert client.say("好", sink="speaker").wait().why == "end"


def test_a_portaudio_that_does_not_start_now_is_no_lasting_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = "class PortAudioError(Exception): pass\nraise PortAudioError('host error')\n"
    (tmp_path / "sounddevice.py").write_text(module)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    with pytest.raises(SpeakerError, match="PortAudio does not start: host error") as caught:
        portaudio()
    assert not isinstance(caught.value, NoPortAudioError)
