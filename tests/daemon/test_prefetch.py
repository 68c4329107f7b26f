"""Texts made ready ahead of their time: over real sockets, beside speech, and from the shell."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sambertd_client import AsyncClient, Client, RefusedError, cli
from sambertd_client import protocol as wire
from sambertd_client.ahead import ROOM, batches

from engines.pack import VoicePack
from engines.store import Store
from tests.daemon import slow_build
from tests.daemon.keeping import OTHER, TEXT, Start, kept, say
from tests.daemon.live import Connect, LiveDaemon, RawClient

TEXTS = [f"第{number}号请到窗口办理业务。" for number in range(6)]
MANY = [f"第{number}站就要到了，请您带好随身物品，从左边的车门下车。" for number in range(400)]


def last(raw: RawClient) -> tuple[dict[str, object], list[dict[str, object]]]:
    """The final reply, and those before it."""
    replies = [raw.receive()[0]]
    while replies[-1]["t"] in ("prefetching", "cancelled"):
        replies.append(raw.receive()[0])
    return replies[-1], replies[:-1]


def test_what_was_prefetched_is_said_from_the_cache(start_keeping: Start, endpoint: str) -> None:
    start_keeping()
    fresh = say(endpoint, TEXTS[2], cache="ignore")[0]
    told: list[wire.Prefetching] = []
    with Client(endpoint, timeout=30) as client:
        done = client.prefetch([*TEXTS, TEXTS[0]], told.append)
        assert (done.why, done.made, done.known, done.failures) == ("end", 6, 1, [])
        assert [one.done for one in told] == sorted(one.done for one in told)
        assert (told[0].done, told[0].texts) == (0, 7)
        assert client.prefetch(TEXTS).known == 6
        assert say(endpoint, TEXTS[2]) == (fresh, 1.0)
        known = client.say(TEXTS[3], speaker=client.voices().voices[0].speakers[0])
        assert known.position == 0
        known.read()
        assert client.prefetch([TEXTS[0]], speed=1.5).made == 1, "another manner is other audio"
        assert client.prefetch(["<speak>你好</speak>"], markup="ssml").made == 1
        assert client.prefetch([]).why == "end"
        words = {"窗口": "chuang1 kou5"}
        assert client.prefetch([TEXTS[0]], lexicon=words).made == 1
        assert client.say(TEXTS[0], lexicon=words).wait().cached == 1.0
    assert kept(endpoint).in_memory == 9


def test_texts_that_cannot_be_said_are_told_and_the_others_made(
    start_keeping: Start, endpoint: str
) -> None:
    start_keeping()
    with Client(endpoint, timeout=30) as client:
        done = client.prefetch(["。", TEXT, "好" * 3000, "", "Ж", OTHER])
    codes = {one.index: one.code for one in done.failures}
    assert codes == {0: "text_empty", 2: "text_too_long", 3: "text_empty", 4: "text_unreadable"}
    assert (done.why, done.made) == ("end", 2)


def test_one_final_reply_whatever_happens(
    start_keeping: Start, endpoint: str, raw_client: Connect
) -> None:
    server = start_keeping()
    raw = raw_client(endpoint)
    raw.send("prefetch", id="a", texts=MANY)
    assert raw.receive()[0]["t"] == "prefetching"
    assert raw.ask("hello", id="h")["live"] == ["a"]
    raw.send("cancel", id="c", target="a")
    final, before = last(raw)
    assert [one["ids"] for one in before if one["t"] == "cancelled"] == [["a"]]
    assert (final["t"], final["id"], final["why"]) == ("prefetched", "a", "cancelled")
    assert raw.ask("cancel", id="c", target="a")["ids"] == []
    raw.send("prefetch", id="b", texts=MANY)
    assert raw.receive()[0]["t"] == "prefetching"
    raw.send("cancel", id="c")  # of speech: this makes no sound
    server.stop()
    final, before = last(raw)
    assert [one["ids"] for one in before if one["t"] == "cancelled"] == [[]]
    assert (final["id"], final["why"], final["code"]) == ("b", "error", "shutting_down")


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"texts": []}, "bad_field"),
        ({"texts": ["好"] * 1001}, "bad_field"),
        ({"voice": "nobody"}, "unknown_voice"),
        ({"speaker": "nobody"}, "unknown_speaker"),
        ({"emotion": "wild"}, "unknown_emotion"),
        ({"speed": 9}, "bad_field"),
        ({"lexicon": {"窗口": "nonsense"}}, "bad_lexicon"),
    ],
)
def test_what_is_refused(
    start_keeping: Start, endpoint: str, raw_client: Connect, wrong: dict[str, object], code: str
) -> None:
    start_keeping()
    reply = raw_client(endpoint).ask("prefetch", **{"texts": ["好"], **wrong})
    assert (reply["t"], reply["code"]) == ("error", code)


def test_requests_are_bounded_and_ids_are_not_used_twice(
    start_keeping: Start, endpoint: str, raw_client: Connect
) -> None:
    start_keeping()
    raws = [raw_client(endpoint) for _ in range(5)]
    codes = []
    for raw in raws:  # one after the other, so that the first are the ones that are live
        for number in range(4):
            raw.send("prefetch", id=str(number), texts=MANY)
        for _ in range(4):
            reply = raw.receive()[0]
            while reply["t"] == "prefetching" and reply["done"]:
                reply = raw.receive()[0]
            codes.append(reply.get("code"))
    assert codes.count("busy") == 12, "of one user's 20 there are 8"
    first = raws[0]
    for kind, fields in (("prefetch", {"texts": ["好"]}), ("say", {"text": "好"})):
        first.send(kind, id="1", **fields)
        reply = first.receive()[0]
        while reply["t"] == "prefetching":
            reply = first.receive()[0]
        assert reply["code"] == "duplicate_id"
    first.send("prefetch", id="5", texts=["好"])
    reply = first.receive()[0]
    while reply["t"] == "prefetching":
        reply = first.receive()[0]
    assert (reply["id"], reply["code"]) == ("5", "busy")


def test_a_daemon_without_a_cache_says_so(daemon: LiveDaemon) -> None:
    with Client(daemon.endpoint) as client, pytest.raises(RefusedError, match="enabled") as refusal:
        client.prefetch([TEXT])
    assert refusal.value.code == "no_cache"


def test_speech_goes_before_and_the_prefetch_goes_on(start_keeping: Start, endpoint: str) -> None:
    start_keeping(in_work=1)
    alone = say(endpoint, OTHER * 3, cache="ignore")[0]
    with Client(endpoint, timeout=30) as client:
        told: list[int] = []
        ended = threading.Event()

        def fetch() -> None:
            with Client(endpoint, timeout=30) as other:
                assert other.prefetch(MANY[:60], lambda it: told.append(it.done)).made == 60
            ended.set()

        work = threading.Thread(target=fetch)
        work.start()
        for _ in range(5):
            speech = client.say(OTHER * 3, cache="ignore")
            assert speech.position == 0, "it waits for no prefetch"
            assert speech.read() == alone, "the same beside it"
            assert speech.done is not None
            assert speech.done.ttfa_ms is not None
            assert speech.done.ttfa_ms < 2000
        work.join(120)
        assert ended.is_set()
        assert told[-1] <= 60


def test_while_somebody_speaks_the_engine_is_theirs(
    start_keeping: Start, endpoint: str, raw_client: Connect
) -> None:
    """With somebody waiting for the engine all the time nothing is made ahead."""
    start_keeping(in_work=1)
    raw = raw_client(endpoint)
    with Client(endpoint, timeout=30) as client:
        speech = client.say(OTHER * 200, cache="ignore", credit=1000)
        next(iter(speech))
        raw.send("prefetch", texts=MANY[:3])
        assert raw.receive()[0]["done"] == 0
        client.say(OTHER, cache="ignore", sink="none")  # waits for the place: no pause is made
        assert raw.silent(0.3)
        speech.cancel()
    assert last(raw)[0]["why"] == "end"


def test_two_clients_with_the_same_texts(start_keeping: Start, endpoint: str) -> None:
    start_keeping()
    done: list[wire.Prefetched] = []

    def fetch() -> None:
        with Client(endpoint, timeout=30) as client:
            done.append(client.prefetch(TEXTS))

    both = [threading.Thread(target=fetch) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join(60)
    assert sum(one.made for one in done) == sum(one.known for one in done) == len(TEXTS)
    assert kept(endpoint).in_memory == len(TEXTS)


def test_a_client_that_has_gone_needs_nothing_more(start_keeping: Start, endpoint: str) -> None:
    start_keeping()
    with Client(endpoint, timeout=30) as gone:
        steps = gone.prefetch
        with pytest.raises(KeyboardInterrupt):
            steps(MANY, stop_at(1))
    deadline = time.monotonic() + 20
    with Client(endpoint, timeout=30) as client:
        assert client.prefetch([TEXT]).made == 1
        while (before := kept(endpoint).in_memory) and not settled(endpoint, before):
            assert time.monotonic() < deadline
    assert kept(endpoint).in_memory < 200


def settled(endpoint: str, count: int) -> bool:
    time.sleep(0.3)
    return kept(endpoint).in_memory == count


def stop_at(done: int) -> Callable[[wire.Prefetching], None]:
    def told(progress: wire.Prefetching) -> None:
        if progress.done >= done:
            raise KeyboardInterrupt

    return told


def test_engines_that_come_meanwhile_make_the_rest(
    start_keeping: Start, endpoint: str, folder: Path, tiny_voices: Path
) -> None:
    start_keeping()
    swapped = threading.Event()

    def told(progress: wire.Prefetching) -> None:
        if progress.done and not swapped.is_set():
            swapped.set()
            slow_build.good(VoicePack(tiny_voices / "one"), Store(folder / "engines"))

    with Client(endpoint, timeout=60) as client:
        assert client.prefetch(MANY[:200], told).made == 200
        deadline = time.monotonic() + 30
        while not all(graph.built for graph in client.engines().voices[0].graphs):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        again = client.prefetch(MANY[:200])
    assert again.made + again.known == 200
    assert say(endpoint, MANY[0])[1] == 1.0


def test_from_asyncio(start_keeping: Start, endpoint: str) -> None:
    start_keeping()

    async def fetch() -> wire.Prefetched:
        async with AsyncClient(endpoint, timeout=30) as client:
            return await client.prefetch(TEXTS, emotion="neutral")

    assert asyncio.run(fetch()).made == len(TEXTS)


def test_requests_hold_what_the_wire_carries() -> None:
    texts = ["好" * 1000] * 100 + ["a"] * 2500
    split = list(batches(texts))
    assert [text for batch in split for text in batch] == texts
    assert max(map(len, split)) == wire.PREFETCH_TEXTS
    for batch in split:
        frame = wire.encode(wire.Prefetch(id="1" * 64, texts=batch))
        assert len(frame) <= wire.MAX_FRAME_BYTES
    assert len(split[0]) == ROOM // 3005


def test_sambertctl_prefetches_a_file(
    start_keeping: Start,
    endpoint: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    start_keeping()
    file = tmp_path / "texts.txt"
    file.write_text(f"\ufeff{TEXT}\n\n。\r\n{OTHER}\n", "utf-8")
    where = ["--endpoint", endpoint]
    assert cli.main(["prefetch", str(file), *where]) == 1
    told = capsys.readouterr()
    assert told.out == "3 texts: 2 made, 0 there already, 1 failed\n"
    assert f"{file}, line 3: " in told.err
    assert "(text_empty)" in told.err
    assert say(endpoint, TEXT)[1] == 1.0
    assert cli.main(["prefetch", str(file), "--json", *where]) == 1
    facts = json.loads(capsys.readouterr().out)
    assert (facts["texts"], facts["made"], facts["known"], facts["why"]) == (3, 0, 2, "end")
    assert [(one["line"], one["said"]) for one in facts["failures"]] == [(3, "。")]
    file.write_bytes(OTHER.encode("gb18030"))
    assert cli.main(["prefetch", str(file), *where]) == 2
    assert "line 1: this is not UTF-8" in capsys.readouterr().err
    assert cli.main(["prefetch", str(tmp_path / "none"), *where]) == 1
    file.write_text(f"{OTHER}\n", "utf-8")
    assert cli.main(["prefetch", str(file), "--speed", "1.5", *where]) == 0
    assert capsys.readouterr().out == "1 texts: 1 made, 0 there already\n"
