"""Marks on the wire: ahead of their audio, in the utterance's own samples and characters."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sambertd_client import Client, RefusedError, SpeechError, cli
from sambertd_client import protocol as wire

from daemon import marking
from daemon.config import SpeakerConfig
from daemon.job import Job, Text
from daemon.markup import spoken_chars
from daemon.pcm import PcmForm
from engines.marks import SpeechMark
from engines.style import Style
from engines.voice import Voice
from tests.daemon.live import Connect, LiveDaemon, RawClient, served
from tests.daemon.quiet_card import QuietCard
from tests.daemon.tone import CHUNK, SLOW, ToneVoice

VOICES = Path(__file__).resolve().parents[2] / "voices"
KINDS: list[wire.MarkKind] = ["sentence", "word", "syllable", "viseme"]


@pytest.fixture
def client(quiet_card: QuietCard, start_daemon: Callable[..., LiveDaemon]) -> Iterator[Client]:
    with Client(start_daemon(SpeakerConfig(), stall_s=1.0).endpoint) as client:
        yield client


def until_done(raw: RawClient) -> list[dict[str, Any]]:
    replies: list[dict[str, Any]] = []
    while not replies or replies[-1]["t"] != "done":
        replies.append(raw.receive()[0])
    return replies


@pytest.mark.parametrize("sink", ["client", "speaker", "both", "none"])
def test_marks_come_ahead_of_their_audio(client: Client, raw_client: Connect, sink: str) -> None:
    raw = raw_client(client.endpoint)
    raw.send("say", text="今天好", sink=sink, credit=99, marks=KINDS)
    replies = until_done(raw)
    marks = [mark for reply in replies if reply["t"] == "marks" for mark in reply["marks"]]
    assert [m["text"] for m in marks if m["kind"] == "word"] == ["今", "天", "好"]
    assert [m["at"] for m in marks if m["kind"] == "syllable"] == [0, CHUNK, 2 * CHUNK]
    assert [(m["at"], m["samples"]) for m in marks if m["kind"] == "viseme"] == [
        (half * CHUNK // 2, CHUNK // 2) for half in range(6)
    ]
    assert [(m["start"], m["end"]) for m in marks if m["kind"] == "word"] == [
        (0, 1),
        (1, 2),
        (2, 3),
    ]
    assert {m["start"] for m in marks if m["text"] == "sil"} == {None}
    known = 0
    for reply in replies:
        if reply["t"] == "marks":
            known = max(mark["at"] + mark["samples"] for mark in reply["marks"])
        assert reply["t"] != "audio" or reply["at"] < known
    kinds = [reply["t"] for reply in replies]
    assert kinds[:2] == ["accepted", "marks"]
    assert sink not in ("speaker", "both") or kinds.index("marks") < kinds.index("playing")


def test_only_the_kinds_that_are_wanted(client: Client, raw_client: Connect) -> None:
    raw = raw_client(client.endpoint)
    raw.send("say", text="今天好", credit=99)
    assert {reply["t"] for reply in until_done(raw)} == {"accepted", "audio", "done"}
    raw.send("say", text="今天好", credit=99, marks=["word", "user"])
    marks = [reply["marks"] for reply in until_done(raw) if reply["t"] == "marks"]
    assert {mark["kind"] for batch in marks for mark in batch} == {"word"}
    assert raw.ask("say", text="好", marks=["vowel"])["code"] == "bad_field"


@pytest.mark.parametrize("rate", [8000, 22050, 48000])
def test_at_another_rate_they_point_to_the_same_moment(client: Client, rate: int) -> None:
    spoken = client.say("好" * 9, rate=rate, marks=["word"])
    samples = len(spoken.read()) // 2
    at = [mark.at for mark in spoken.marks]
    assert at == [round(n * CHUNK * rate / 16000) for n in range(9)]
    last = spoken.marks[-1]
    assert abs(last.at + last.samples - samples) <= 1


def test_a_resampled_click_is_where_its_mark_says() -> None:
    """What comes out of the resampler has no delay: the click is at the scaled sample."""
    click = np.zeros(16000, np.float32)
    click[6400] = 1.0
    for rate in (8000, 24000, 44100, 48000):
        form = PcmForm(16000, rate, "f32le")
        made = [*form.pieces(click[:5000]), *form.pieces(click[5000:]), *form.tail()]
        out = np.frombuffer(b"".join(made), "<f4")
        assert abs(int(np.abs(out).argmax()) - form.at(6400)) <= 1


def test_text_in_pieces_counts_on(client: Client) -> None:
    texts = ["今天。  \n", "明", "天。好"]
    spoken = client.say("", more=True, marks=["word", "sentence"])
    assert len(b"".join(spoken.stream(texts))) == 2 * CHUNK * 7
    words = [mark for mark in spoken.marks if mark.kind == "word"]
    whole = "".join(texts)
    assert [whole[slice(mark.start, mark.end)] for mark in words] == [*"今天。明天。好"]
    assert [mark.at for mark in words] == [n * CHUNK for n in range(7)]
    assert [mark.sentence for mark in words] == sorted(mark.sentence for mark in words)
    assert len({mark.sentence for mark in spoken.marks if mark.kind == "sentence"}) == 7


def test_a_hostile_markup_is_counted_at_once(client: Client) -> None:
    """In the daemon's loop: everybody waits for it."""
    began = time.monotonic()
    hostile = [
        c * (60000 // len(c)) for c in ("<", "<a", "W ", "$s_begin", "a", "alias='", "<break ")
    ]
    hostile += ["alias" + " " * 60000, "<break time='" + "9" * 60000, "ph=" * 20000 + "'"]
    for text in hostile:
        for markup in ("ssml", "symbols"):
            spoken_chars(text, markup)
    assert time.monotonic() - began < 1


@pytest.mark.parametrize(
    ("text", "chars"),
    [
        ("<speak>今天<s>好</s></speak>", 3),
        ("<speak><sub alias='一二三四五六七'>x</sub></speak>", 16),
        ("<speak><break time='10s'/>好<break time=\"500ms\"/></speak>", 22),
        ("<speak>好<break/></speak>", 3),
        ("<speak>好<break time='..s'/></speak>", 21),
        ("<speak>好<break time='&#57;s'/></speak>", 21),
    ],
)
def test_what_ssml_says_elsewhere_counts_too(text: str, chars: int) -> None:
    assert spoken_chars(text, "ssml") == chars


def test_silence_is_bounded_like_text(client: Client) -> None:
    """An hour of it would be made and kept for a slow client."""
    with pytest.raises(RefusedError) as caught:
        client.say("<speak>好" + "<break time='10s'/>" * 360 + "</speak>", markup="ssml")
    assert caught.value.code == "text_too_long"


def test_a_client_that_takes_no_marks_is_waited_for(client: Client, raw_client: Connect) -> None:
    """Its audio waits with them, nobody else's does, and it ends as one that takes no audio."""
    raw = raw_client(client.endpoint, rcvhwm=1)
    for number in range(8):
        raw.send("say", id=str(number), text="好" * 1000, credit=1024, marks=KINDS)
    time.sleep(0.5)
    assert len(client.say("好").read()) == 2 * CHUNK
    deadline = time.monotonic() + 20
    while (status := client.status()).in_work + status.waiting:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_many_marks_come_in_several_messages(client: Client, raw_client: Connect) -> None:
    marks = [SpeechMark("user", 0, 0, f"m{n}", 0) for n in range(3 * marking.MOST)]
    job = Job(
        ToneVoice(), deque([Text("好", 0)]), Style(), PcmForm(16000), kinds=frozenset(["user"])
    )
    assert [mark.text for mark in marking.placed(marks, job)] == [mark.text for mark in marks]
    raw = raw_client(client.endpoint)
    text = "好" * 400
    raw.send("say", text=text, credit=1024, marks=KINDS)
    batches = [reply["marks"] for reply in until_done(raw) if reply["t"] == "marks"]
    assert max(map(len, batches)) <= marking.MOST
    assert sum(map(len, batches)) == 5 * len(text)


def test_ssml_and_symbols_are_said(client: Client) -> None:
    assert len(client.say("<speak>今<break/>天</speak>", markup="ssml").read()) > 2 * CHUNK
    assert len(client.say("jin1 tian1 #4", markup="symbols").read()) == 2 * 2 * CHUNK
    for text, markup, code, place in (
        ("<speak>今<x/></speak>", "ssml", "bad_ssml", "line 1, column 9"),
        ("<!DOCTYPE a><speak/>", "ssml", "ssml_refused", "line 1"),
        ("jin1 tian", "symbols", "bad_symbols", "line 1, column 6"),
    ):
        with pytest.raises(SpeechError, match=place) as caught:
            client.say(text, markup=markup).read()  # type: ignore[arg-type]
        assert caught.value.code == code
    with pytest.raises(RefusedError, match="plain text") as refused:
        client.say("", markup="ssml", more=True)
    assert refused.value.code == "bad_field"
    assert {"marks", "ssml", "symbols"} <= {*client.hello().capabilities}


def test_the_limit_counts_what_is_spoken(start_daemon: Callable[..., LiveDaemon]) -> None:
    with Client(start_daemon(text_chars=5).endpoint) as client:
        assert client.say("<speak><p>一二三四五</p></speak>", markup="ssml").read()
        symbols = "{n_c$tone3$s_begin} {i_c$tone3$s_end} hao3 W AY1 #1 ma5 ma5"
        assert client.say(symbols, markup="symbols").read()
        for text, markup in (
            ("<speak>一二三四五六</speak>", "ssml"),
            (symbols + " ma5", "symbols"),
        ):
            with pytest.raises(RefusedError, match="6 characters"):
                client.say(text, markup=markup)  # type: ignore[arg-type]


def test_the_built_in_voice_tells_the_same_on_the_wire(folder: Path) -> None:
    content = "<mark name='a'/>今天3.5元，<mark name='b'/>say hello。"
    text = f"<speak>{content}</speak>"
    with Voice.load(VOICES / "yue") as voice:
        chunks = list(voice.stream(voice.plan(text, markup="ssml")))
    expected = [
        (mark.kind, mark.start, mark.end - mark.start, mark.text, mark.span or (None, None))
        for chunk in chunks
        for mark in chunk.marks
    ]
    with served(VOICES, folder) as endpoint, Client(endpoint, timeout=20) as client:
        spoken = client.say(text, markup="ssml", marks=[*KINDS, "user"])
        again = client.say(text, markup="ssml", marks=[*KINDS, "user"])
        assert len(spoken.read()) == 2 * sum(len(chunk.pcm) for chunk in chunks)
        assert len(again.read()) == 2 * sum(len(chunk.pcm) for chunk in chunks)
        third = client.say(text, markup="ssml", marks=[*KINDS, "user"])
        assert third.wait().cached == 1, "it was kept"
    assert again.marks == third.marks == spoken.marks
    assert [(m.kind, m.at, m.samples, m.text, (m.start, m.end)) for m in spoken.marks] == expected
    assert [m.text for m in spoken.marks if m.kind == "user"] == ["a", "b"]
    assert {text[slice(m.start, m.end)] for m in spoken.marks if m.text == "wu3"} == {"3.5"}


def test_the_command_line(
    client: Client, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    where = ["--endpoint", client.endpoint]
    assert cli.main(["say", "jin1 tian1", "--symbols", "--marks", "word,viseme", *where]) == 0
    lines = capfd.readouterr().out.splitlines()
    marks = [json.loads(line) for line in lines if line.startswith("{")]
    assert [m["at"] for m in marks if m["kind"] == "word"] == [0, CHUNK]
    out = f"{tmp_path}/a.wav"
    ssml = "<speak>今天</speak>"
    assert cli.main(["say", ssml, "--ssml", "--out", out, "--marks", "syllable", *where]) == 0
    assert capfd.readouterr().out.count('"syllable"') == 2
    assert cli.main(["say", "<speak>", "--ssml", *where]) == 2
    assert "line 1, column" in capfd.readouterr().err
    assert cli.main(["say", "-", "--follow", "--ssml", *where]) == 2
    with pytest.raises(SystemExit):
        cli.main(["say", "好", "--marks", "phone", *where])
    assert "no kind of mark" in capfd.readouterr().err


def test_on_reply_hears_of_marks_and_playing(client: Client) -> None:
    heard: list[str] = []
    spoken = client.say(SLOW * 3, sink="speaker", marks=["viseme"])
    spoken.on_reply = lambda reply: heard.append(type(reply).__name__)
    assert spoken.wait().why == "end"
    assert heard[0] == "Marks"
    assert heard[-1] == "Done"
    assert heard.count("Playing") == 1
    assert isinstance(spoken.marks[0], wire.Mark)
