"""What the daemon answers, seen from a bare socket."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import msgpack  # type: ignore[import-untyped]
import numpy as np
import pytest
from sambertd_client import Client, RefusedError, SpeechError

from tests.daemon.live import Connect, LiveDaemon
from tests.daemon.tone import CRASHES, FAILS, NOT_A_NUMBER, SLOW, tone


def test_say_streams_every_sample_in_order_and_ends_once(
    daemon: LiveDaemon, raw_client: Connect
) -> None:
    client = raw_client(daemon.endpoint)
    accepted = client.ask("say", text="今天好", credit=8)
    assert accepted["t"] == "accepted"
    assert (accepted["rate"], accepted["channels"], accepted["format"]) == (16000, 1, "pcm_s16le")
    expected_at = 0
    for seq in range(3):
        header, pcm = client.receive()
        assert (header["t"], header["seq"], header["at"]) == ("audio", seq, expected_at)
        np.testing.assert_allclose(np.frombuffer(pcm, "<i2") / 32767, tone(seq), atol=2e-5)
        expected_at += len(pcm) // 2
    done, _ = client.receive()
    assert (done["t"], done["why"], done["samples"]) == ("done", "end", expected_at)
    assert client.silent()


def test_wishes_reach_the_voice(daemon: LiveDaemon) -> None:
    with Client(daemon.endpoint) as client:
        client.say("好", speaker="F7", emotion="happy", speed=1.5, pitch=-2, volume=0.5).read()
    wish = daemon.voice.plans[0]
    assert (wish.speaker, wish.emotion, wish.speed, wish.pitch, wish.volume) == (
        "F7",
        "happy",
        1.5,
        -2,
        0.5,
    )


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"text": ""}, "text_empty"),
        ({"text": " \n\t　"}, "text_empty"),
        ({"text": "好" * 5000}, "text_too_long"),
        ({"text": "好", "voice": "nobody"}, "unknown_voice"),
        ({"text": "好", "speaker": "F9"}, "unknown_speaker"),
        ({"text": "好", "emotion": "bored"}, "unknown_emotion"),
        ({"text": "好", "speed": 9.0}, "bad_field"),
        ({"text": "好", "speed": float("nan")}, "bad_field"),
        ({"text": "好", "pitch": "high"}, "bad_field"),
        ({"text": "好", "credit": -1}, "bad_field"),
        ({"text": "好", "sink": "ceiling"}, "bad_field"),
        ({"text": 7}, "bad_field"),
        ({}, "bad_field"),
        ({"text": "好", "id": ""}, "bad_field"),
        ({"text": "好", "id": "x" * 65}, "bad_field"),
        ({"text": "好", "sink": "speaker"}, "speaker_unavailable"),
        ({"text": "好", "v": 2}, "unsupported_version"),
        ({"text": "好", "v": "1"}, "bad_field"),
        ({"text": "好", "t": "sing"}, "unknown_type"),
        ({"text": "好", "t": None}, "unknown_type"),
    ],
)
def test_a_bad_request_gets_one_error_with_a_code(
    daemon: LiveDaemon, raw_client: Connect, fields: dict[str, Any], code: str
) -> None:
    client = raw_client(daemon.endpoint)
    kind = fields.pop("t", "say")
    reply = client.ask(kind, **fields)
    assert (reply["t"], reply["code"]) == ("error", code)
    assert len(reply["text"]) > 10
    assert client.silent(0.05)
    assert client.ask("hello", id="2")["t"] == "welcome"


def test_unknown_fields_are_ignored(daemon: LiveDaemon, raw_client: Connect) -> None:
    client = raw_client(daemon.endpoint)
    assert client.ask("hello", future={"deep": [1, 2]})["t"] == "welcome"


def test_an_error_that_shows_late_ends_only_that_utterance(daemon: LiveDaemon) -> None:
    with Client(daemon.endpoint) as client:
        for text, code, samples in (
            ("😀😀", "text_empty", 0),
            (f"好{FAILS}", "voice_broken", 800),
            (f"{NOT_A_NUMBER}", "internal", 0),
        ):
            with pytest.raises(SpeechError) as caught:
                client.say(text).read()
            assert caught.value.code == code
            assert caught.value.done.samples <= samples
        assert len(client.say("好").read()) == 1600


def test_a_crash_of_the_engine_is_told_and_ends_the_daemon(
    start_daemon: Callable[..., LiveDaemon],
) -> None:
    daemon = start_daemon()
    with Client(daemon.endpoint) as one, Client(daemon.endpoint) as two:
        bystander = two.say(SLOW * 20, credit=1)
        victim = one.say(f"好{CRASHES}")
        with pytest.raises(SpeechError) as caught:
            victim.read()
        assert caught.value.code == "internal"
        with pytest.raises(SpeechError):
            bystander.read()
    assert daemon.join() == 70
    daemon.voice.open_streams = 0  # the engine thread is dead: its streams die with the process


def test_duplicate_id_of_a_live_request_is_refused(daemon: LiveDaemon, raw_client: Connect) -> None:
    client, other = raw_client(daemon.endpoint), raw_client(daemon.endpoint)
    assert client.ask("say", text="好")["t"] == "accepted"
    assert client.ask("say", text="好")["code"] == "duplicate_id"
    assert other.ask("say", text="好")["t"] == "accepted"
    client.send("credit")
    assert [client.receive()[0]["t"] for _ in range(2)] == ["audio", "done"]
    assert client.ask("say", text="好")["t"] == "accepted"


def test_the_queue_is_bounded_and_says_so(
    start_daemon: Callable[..., LiveDaemon], raw_client: Connect
) -> None:
    client = raw_client(start_daemon(in_work=1, waiting=2).endpoint)
    positions = [client.ask("say", id=str(i), text="好好")["position"] for i in range(3)]
    assert positions == [0, 1, 2]
    assert client.ask("say", id="x", text="好")["code"] == "busy"
    assert set(client.ask("cancel", id="c")["ids"]) == {"0", "1", "2"}
    ends = {client.receive()[0]["id"] for _ in range(3)}
    assert ends == {"0", "1", "2"}
    assert client.ask("say", id="x", text="好")["t"] == "accepted"


def test_cancel_ends_at_once_and_twice_is_no_error(daemon: LiveDaemon, raw_client: Connect) -> None:
    client = raw_client(daemon.endpoint)
    client.ask("say", text=SLOW * 200, credit=1000)
    assert client.receive()[0]["t"] == "audio"
    sent = time.monotonic()
    client.send("cancel", id="c", target="1")
    kinds = []
    while "done" not in kinds:
        reply, _ = client.receive()
        kinds.append(reply["t"])
    assert time.monotonic() - sent < 0.5
    assert (reply["why"], kinds.count("cancelled")) == ("cancelled", 1)
    assert client.ask("cancel", id="c", target="1")["ids"] == []
    assert client.silent()


def test_status_and_cancel_do_not_wait_for_synthesis(daemon: LiveDaemon) -> None:
    with Client(daemon.endpoint) as client:
        speech = client.say(SLOW * 100, credit=1000)
        began = time.monotonic()
        for _ in range(20):
            status = client.status()
        assert time.monotonic() - began < 0.5  # 20 engine steps take 1 s
        assert (status.in_work, status.requests) == (1, 1)
        speech.cancel()
        assert speech.wait().why == "cancelled"


def test_cancel_of_all_reaches_other_clients_only_when_asked(daemon: LiveDaemon) -> None:
    with Client(daemon.endpoint) as one, Client(daemon.endpoint) as two:
        speech = one.say(SLOW * 100)
        assert two.cancel().ids == []
        assert two.cancel(scope="all").ids == [speech.id]
        assert speech.wait().why == "cancelled"


def test_text_limit_is_in_hello_and_kept(start_daemon: Callable[..., LiveDaemon]) -> None:
    with Client(start_daemon(text_chars=5).endpoint) as client:
        assert client.hello().limits.text_chars == 5
        assert client.say("一二三四五").read()
        with pytest.raises(RefusedError, match="6 characters"):
            client.say("一二三四五六")


def test_voices_and_status_tell_what_there_is(daemon: LiveDaemon) -> None:
    with Client(daemon.endpoint) as client:
        client.say("好").read()
        (voice,) = client.voices().voices
        status = client.status()
    assert (voice.name, voice.default, voice.emotions) == ("tone", True, ["neutral", "happy"])
    assert (status.state, status.done, status.voices) == ("ready", 1, ["tone"])
    assert status.audio_s == pytest.approx(0.05)
    assert not status.speaker.available
    assert "switched off" in status.speaker.reason


def test_first_audio_of_a_newcomer_does_not_wait_for_a_long_text(daemon: LiveDaemon) -> None:
    with Client(daemon.endpoint) as one, Client(daemon.endpoint) as two:
        bulk = one.say(SLOW * 60, credit=1000)
        with two.say(f"{SLOW}好") as speech:
            speech.read()
        assert speech.ttfa_ms is not None
        assert speech.ttfa_ms < 500  # the bulk takes 3 s
        bulk.cancel()


def test_replies_are_plain_msgpack(daemon: LiveDaemon, raw_client: Connect) -> None:
    client = raw_client(daemon.endpoint)
    client.socket.send(msgpack.packb({"v": 1, "t": "hello", "id": "a"}))
    (frame,) = client.socket.recv_multipart()
    assert msgpack.unpackb(frame)["protocol"] == [1, 1]
