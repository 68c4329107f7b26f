"""How far an utterance is: told now and then, and dropped rather than in anybody's way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from sambertd_client import Client, cli
from sambertd_client import protocol as wire

from daemon.config import SpeakerConfig
from daemon.pace import Pace
from daemon.progress import PERIOD_S, SLOWER_AFTER, Progress
from daemon.stream import Stream, Wish
from daemon.transport import Delivery
from tests.daemon.live import Connect, LiveDaemon
from tests.daemon.quiet_card import QuietCard
from tests.daemon.tone import CHUNK, SLOW


@pytest.fixture
def client(quiet_card: QuietCard, start_daemon: Callable[..., LiveDaemon]) -> Iterator[Client]:
    with Client(start_daemon(SpeakerConfig()).endpoint) as client:
        yield client


def told(client: Client, text: str, sink: wire.Sink) -> list[wire.Progress]:
    replies: list[wire.Reply] = []
    spoken = client.say(text, sink=sink, progress=True)
    spoken.on_reply = replies.append
    assert spoken.wait().why == "end"
    return [reply for reply in replies if isinstance(reply, wire.Progress)]


@pytest.mark.parametrize("sink", ["client", "speaker", "none"])
def test_it_grows_to_the_end(client: Client, sink: wire.Sink) -> None:
    seen = told(client, SLOW * 30, sink)  # 1.5 s
    assert 3 <= len(seen) <= 1.5 / PERIOD_S + 4
    for one, other in pairwise(seen):
        assert one.made <= other.made <= 30 * CHUNK
        assert one.samples <= other.samples <= other.made
        assert one.sentence <= other.sentence < 30
    assert seen[-1].samples > 15 * CHUNK
    assert all((reply.heard_samples is None) == (sink != "speaker") for reply in seen[1:])
    assert all(reply.total_s is not None and reply.total_s > 0 for reply in seen)
    if sink == "speaker":
        assert seen[-1].made == 30 * CHUNK
        assert seen[-1].total_s == pytest.approx(1.5)
        assert 0 < (seen[-1].heard_samples or 0) <= seen[-1].samples


def test_only_who_asks_is_told(client: Client, raw_client: Connect) -> None:
    raw = raw_client(client.endpoint)
    raw.send("say", text=SLOW * 10, sink="none")
    assert [raw.receive()[0]["t"] for _ in range(2)] == ["accepted", "done"]
    assert "progress" in client.hello().capabilities


class Pipe:
    """A client's pipe: takes so many messages, then is full."""

    def __init__(self, room: int) -> None:
        self.room, self.taken, self.refused = room, list[list[bytes]](), 0

    def send(self, client: bytes, frames: list[bytes], /) -> Delivery:
        if len(self.taken) >= self.room:
            self.refused += 1
            return Delivery.FULL
        self.taken.append(frames)
        return Delivery.SENT


def run(pipe: Pipe, seconds: int) -> Stream:
    """An utterance of so long, looked at every 20 ms."""
    progress = Progress(pipe, Pace())
    stream = Stream(b"c", "1", "speaker", 16000, 0, 0.0, Wish(chars=10, progress=True), seq=1)
    for tick in range(50 * seconds):
        stream.samples += 320
        stream.made_bytes += 640
        progress.tell(stream, tick / 50)
    return stream


def test_a_full_pipe_is_no_matter() -> None:
    pipe = Pipe(10)
    stream = run(pipe, 20)
    assert len(pipe.taken) == 10
    assert 60 < pipe.refused <= 70
    assert stream.progress_told == 10 + pipe.refused


def test_a_long_utterance_is_told_of_less_often() -> None:
    pipe = Pipe(10**6)
    run(pipe, 3600)
    assert len(pipe.taken) < 8 * SLOWER_AFTER
    assert wire.decode_reply(pipe.taken[-1])[0].id == "1"


def test_a_client_that_reads_late_gets_its_done(client: Client, raw_client: Connect) -> None:
    raw = raw_client(client.endpoint, rcvhwm=1)
    raw.send("say", text="好" * 60, sink="speaker", progress=True)
    assert client.say("好", sink="speaker").wait().why == "end"
    kinds: list[str] = []
    while not kinds or kinds[-1] != "done":
        kinds.append(raw.receive()[0]["t"])
    assert kinds.count("progress") > 5


def test_the_command_line(
    client: Client, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    arguments = ["say", SLOW * 15, "--progress", "--endpoint", client.endpoint]
    for where in ([], ["--out", f"{tmp_path}/a.wav"]):
        assert cli.main([*arguments, *where]) == 0
        shown = capfd.readouterr().err
        assert " s of about " in shown
        assert "sentence " in shown
