"""Text that arrives in pieces: cut into sentences, and spoken while it still comes."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sambertd_client import Client, RefusedError, SpeechError, cli

from daemon.config import SpeakerConfig
from daemon.job import Job, Text, TextFlow
from daemon.pcm import PcmForm
from daemon.scheduler import Scheduler
from daemon.stream import OUTBOX_CHUNKS
from daemon.worker import Exhausted, Spoken, Starved, step
from engines.style import Style
from engines.text.flow import LONG
from tests.daemon.live import Connect, LiveDaemon
from tests.daemon.quiet_card import QuietCard
from tests.daemon.tone import CHUNK, FAILS, SLOW, ToneVoice


@pytest.mark.parametrize(
    ("pieces", "sentences"),
    [
        (["今天", "天气好。明", "天呢？"], ["今天天气好。", "明天呢？"]),
        (["“好。”他说", "。"], ["“好。”", "他说。"]),
        (["圆周率是3", ".14", "159。"], ["圆周率是3.14159。"]),
        (["Hello. ", "World", ". Bye"], ["Hello.", " World.", " Bye"]),
        (["第一行\n第二行"], ["第一行\n", "第二行"]),
        (["等等……真的？！"], ["等等……", "真的？！"]),
        (["，" * 3, "  "], ["，，，  "]),
        (["长" * LONG + "，好"], ["长" * LONG + "，", "好"]),
        (["1,234,567元" + "长" * LONG], ["1,234,567元" + "长" * LONG]),
        (["", "\n", " "], []),
    ],
)
def test_sentences(pieces: list[str], sentences: list[str]) -> None:
    flow, found = TextFlow(), []
    for piece in pieces:
        found += flow.feed(piece)
    assert [sentence.text for sentence in found + flow.end()] == sentences
    assert len(flow) == 0


@given(st.lists(st.text("好a1。.，, \n”"), max_size=20))
def test_no_character_is_lost(pieces: list[str]) -> None:
    flow, found, whole = TextFlow(), list[Text](), "".join(pieces)
    for piece in pieces:
        found += flow.feed(piece)
    found += flow.end()
    blank = str.maketrans("", "", " \n")
    assert "".join(one.text for one in found).translate(blank) == whole.translate(blank)
    for text, start in found:
        assert whole[start : start + len(text)] == text


@pytest.fixture
def client(quiet_card: QuietCard, start_daemon: Callable[..., LiveDaemon]) -> Iterator[Client]:
    live = start_daemon(SpeakerConfig(), append_s=1.0, text_chars=100)
    with Client(live.endpoint) as client:
        yield client


def test_a_text_that_is_still_to_come_keeps_nobody_waiting_for_the_speaker(client: Client) -> None:
    empty = client.say("", more=True, sink="speaker")
    for _ in range(3):
        empty.append("好")  # no sentence yet
        assert client.say("快", sink="speaker").wait().why == "end"
    empty.append("了。")
    empty.end()
    assert empty.wait().why == "end"


def test_a_sentence_is_spoken_while_the_next_still_comes(client: Client) -> None:
    spoken = client.say("", more=True)
    spoken.append("好好。还没")
    first = next(iter(spoken))
    assert len(first) == 2 * CHUNK
    assert spoken.done is None
    spoken.append("完")
    spoken.end()
    assert len(first + spoken.read()) == 6 * 2 * CHUNK
    assert spoken.done is not None


def test_the_text_of_say_goes_first_and_sentences_are_counted(
    client: Client, raw_client: Connect
) -> None:
    raw = raw_client(client.endpoint)
    assert raw.ask("say", text="一。二", more=True, credit=99)["t"] == "accepted"
    raw.send("append", id="a", target="1", text="三。")
    raw.send("end", id="e", target="1")
    replies: list[Any] = []
    while not replies or replies[-1]["t"] != "done":
        replies.append(raw.receive()[0])
    audio = [reply for reply in replies if reply["t"] == "audio"]
    assert [reply["at"] for reply in audio] == [number * CHUNK for number in range(len(audio))]
    assert [reply["seq"] for reply in audio] == list(range(len(audio)))
    numbers = [reply["sentence"] for reply in audio]
    assert numbers == sorted(numbers)
    assert len(audio) == len("一。二三。")
    assert [reply["id"] for reply in replies if reply["t"] == "appended"] == ["a", "e"]


def test_a_stream_of_texts(client: Client, quiet_card: QuietCard) -> None:
    def model() -> Iterator[str]:
        for _ in range(5):
            time.sleep(0.05)
            yield "好好。"

    spoken = client.say("", more=True)
    assert len(b"".join(spoken.stream(model()))) == 15 * 2 * CHUNK
    aloud = client.say("", more=True, sink="speaker")
    assert list(aloud.stream(model())) == []
    assert aloud.done is not None
    assert (aloud.done.why, aloud.done.heard_samples) == ("end", 15 * CHUNK)


def test_more_text_than_may_wait_is_sent_when_there_is_room(client: Client) -> None:
    spoken = client.say("", more=True)
    with pytest.raises(RefusedError) as caught:
        spoken.append("好" * 101)
    assert caught.value.code == "text_too_long"
    pcm = b"".join(spoken.stream(["好" * 49 + "。"] * 8))
    assert len(pcm) == 400 * 2 * CHUNK


def test_text_that_stops_coming_ends_the_utterance(client: Client) -> None:
    spoken = client.say("好。", more=True)
    began = time.monotonic()
    with pytest.raises(SpeechError) as caught:
        spoken.read()
    assert caught.value.code == "text_stalled"
    assert 0.9 < time.monotonic() - began < 3
    assert caught.value.done.samples == 2 * CHUNK


def test_an_utterance_that_waits_for_text_holds_no_place(
    start_daemon: Callable[..., LiveDaemon],
) -> None:
    with Client(start_daemon(in_work=1, waiting=3).endpoint) as client:
        waiting = [client.say("好。", more=True) for _ in range(3)]
        assert len(client.say("好好").read()) == 2 * 2 * CHUNK
        for spoken in waiting:
            spoken.append("再好。")
            spoken.end()
            assert len(spoken.read()) == 5 * 2 * CHUNK


def test_only_a_live_open_utterance_of_this_client_takes_text(client: Client) -> None:
    whole, ended = client.say(SLOW * 20), client.say(SLOW * 20, more=True)
    ended.end()
    with Client(client.endpoint) as other:
        for asking, target in ((client, whole.id), (client, ended.id), (other, ended.id)):
            with pytest.raises(RefusedError) as caught:
                asking.append(target, "好")
            assert caught.value.code == "not_open"
    client.cancel()
    for spoken in (whole, ended):
        assert spoken.wait().why == "cancelled"
    assert list(ended.stream(["好"] * 2)) == []


def test_nothing_at_all_is_an_error_and_a_lone_mark_is_none(client: Client) -> None:
    spoken = client.say("", more=True)
    spoken.end()
    assert spoken.wait().samples == 0
    assert (
        len(b"".join(client.say("", more=True).stream(["好。", "”", "！", "好"]))) == 3 * 2 * CHUNK
    )
    faulty = client.say("好。", more=True)
    with pytest.raises(SpeechError, match="breaks"):
        list(faulty.stream([FAILS, "。"]))


def test_cancel_while_it_waits_for_text(client: Client) -> None:
    spoken = client.say("", more=True)
    spoken.cancel()
    assert spoken.done is not None
    assert spoken.done.why == "cancelled"


def test_the_engine_tells_that_it_lacks_text() -> None:
    voice = ToneVoice()
    job = Job(voice, deque(), Style(), PcmForm(16000), more=True)
    assert isinstance(step(job), Starved)
    job.append("好。")
    assert isinstance(step(job), Spoken)
    job.end()
    assert isinstance(step(job), Spoken)
    assert isinstance(step(job), Exhausted)
    assert job.unspoken == 0


def test_a_starved_stream_gets_no_turn_until_it_is_fed() -> None:
    scheduler = Scheduler(1, 5, 15.0, append_s=5.0)
    stream = scheduler.admit(b"c", "1", "client", 16000, 9, 0.0)
    assert scheduler.next_turn() is stream
    scheduler.starve(stream)
    assert scheduler.next_turn() is None
    scheduler.fed(stream, 2, ready=False)
    assert scheduler.next_turn() is None
    scheduler.fed(stream, 2, ready=True)
    assert scheduler.next_turn() is stream


def test_text_in_pieces_is_not_made_far_ahead_of_its_sink() -> None:
    """However much text comes, and whoever waits: what was made first has to go first."""
    scheduler = Scheduler(1, 3, 5.0)
    stream = scheduler.admit(b"c", "1", "speaker", 16000, 0, 0.0)
    for _ in range(3 * OUTBOX_CHUNKS):
        while (turn := scheduler.next_turn()) is not None:
            assert turn is stream
            scheduler.spoke(stream, (bytes(2),), 0, 0.1)
            scheduler.starve(stream)
        scheduler.fed(stream, 5, ready=True)
    assert len(stream.outbox) == OUTBOX_CHUNKS
    scheduler.taken(stream, 1.0)
    assert scheduler.next_turn() is stream


def test_the_command_line_speaks_lines_as_they_come(
    client: Client, tmp_path: object, capfd: pytest.CaptureFixture[str]
) -> None:
    arguments = ["say", "好好。好", "--follow", "--endpoint", client.endpoint]
    assert cli.main(arguments) == 0
    assert "played on quiet: 0.20 s" in capfd.readouterr().out
    assert cli.main([*arguments, "--out", f"{tmp_path}/a.wav"]) == 0
    assert "0.20 s" in capfd.readouterr().out
