"""The client for asyncio: what the blocking one does, with several utterances at a time."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import msgspec
import pytest
from sambertd_client import (
    AsyncClient,
    AsyncSubscription,
    AsyncUtterance,
    Client,
    NoDaemonError,
    RefusedError,
    ReplyError,
    SpeechError,
    Subscription,
    Utterance,
    Wishes,
)
from sambertd_client import protocol as wire

from daemon.config import SpeakerConfig
from tests.daemon.live import LiveDaemon
from tests.daemon.quiet_card import QuietCard
from tests.daemon.tone import CHUNK, FAILS

Talk = Callable[[AsyncClient], Awaitable[None]]


def run(endpoint: str, talk: Talk, timeout: float = 5.0) -> None:
    """Talk through a client of its own, in a loop of its own."""

    async def all_of_it() -> None:
        async with AsyncClient(endpoint, timeout=timeout) as voice:
            await asyncio.wait_for(talk(voice), 60)
            assert voice._line.inboxes == {}, "nobody waits for anything any more"
            assert voice._waiting == {}

    asyncio.run(all_of_it())


async def until_cancelled(voice: AsyncClient, count: int) -> None:
    while (status := await voice.status()).cancelled < count or status.in_work:
        await asyncio.sleep(0.02)


def test_half_a_character_is_told_at_once(daemon: LiveDaemon) -> None:
    async def talk(voice: AsyncClient) -> None:
        asks: list[Callable[[], Awaitable[object]]] = [
            lambda: voice.say("好\ud800"),
            lambda: voice.prefetch(["好", "\ud800"]),
        ]
        for ask in asks:
            with pytest.raises(RefusedError, match="half a character") as caught:
                await ask()
            assert caught.value.code == "bad_field"
        assert await (await voice.say("好")).read()

    run(daemon.endpoint, talk)


def public(kind: type) -> dict[str, list[str]]:
    """Names of a class's public members, and of what its methods take."""
    members = inspect.getmembers(
        kind, lambda it: inspect.isfunction(it) or isinstance(it, property)
    )
    return {
        name: list(inspect.signature(it).parameters) if inspect.isfunction(it) else []
        for name, it in members
        if not name.startswith("_")
    }


@pytest.mark.parametrize(
    ("blocking", "for_asyncio"),
    [(Client, AsyncClient), (Utterance, AsyncUtterance), (Subscription, AsyncSubscription)],
)
def test_both_have_the_same_methods(blocking: type, for_asyncio: type) -> None:
    assert public(blocking) == public(for_asyncio)
    for name in public(blocking):
        assert getattr(blocking, name).__doc__ or name == "close", name
        assert getattr(for_asyncio, name).__doc__ or name == "close", name


def test_every_request_has_a_method() -> None:
    other = {"credit", "unsubscribe"}  # sent by the clients themselves
    tags = {message.__struct_config__.tag for message in wire.Request.__args__}  # type: ignore[attr-defined]
    assert tags - other <= set(public(Client))


def test_wishes_are_the_fields_of_say() -> None:
    fields = {field.name for field in msgspec.structs.fields(wire.Say)}
    assert set(Wishes.__annotations__) == fields - {"id", "v", "text"}


def test_speech_arrives_piece_by_piece_with_its_account(daemon: LiveDaemon) -> None:
    async def talk(voice: AsyncClient) -> None:
        speech = await voice.say("慢好" * 10)
        pieces = [time.monotonic() async for _ in speech]
        assert speech.done is not None
        assert (speech.done.why, speech.done.samples, len(pieces)) == ("end", 16000, 20)
        assert pieces[-1] - pieces[0] > 0.3, "the first pieces come while the last are made"
        assert speech.ttfa_ms is not None
        assert speech.ttfa_ms > 50

    run(daemon.endpoint, talk)


def test_tasks_speak_side_by_side_over_one_connection(daemon: LiveDaemon) -> None:
    async def talk(voice: AsyncClient) -> None:
        async def one(syllables: int) -> int:
            return len(await (await voice.say("慢" * syllables)).read())

        began = time.monotonic()
        sizes = await asyncio.gather(*(one(number) for number in (4, 12, 5, 1)))
        assert sizes == [number * 2 * CHUNK for number in (4, 12, 5, 1)]
        assert time.monotonic() - began < 10

    run(daemon.endpoint, talk)


def test_every_question_is_answered(daemon: LiveDaemon) -> None:
    async def talk(voice: AsyncClient) -> None:
        answers = await asyncio.gather(
            voice.hello(), voice.voices(), voice.status(), voice.engines(), voice.stats()
        )
        assert [answer.__struct_config__.tag for answer in answers] == [
            "welcome",
            "voice_list",
            "status_report",
            "engine_report",
            "stats_report",
        ]
        with pytest.raises(RefusedError, match="choose of: tone") as refused:
            await voice.say("好", voice="nobody")
        assert refused.value.code == "unknown_voice"
        with pytest.raises(RefusedError, match="split the text"):
            await voice.say("好" * 30000)
        with pytest.raises(SpeechError) as failed:
            await (await voice.say(FAILS)).wait()
        assert failed.value.code == "voice_broken"

    run(daemon.endpoint, talk)


def test_a_cancelled_task_has_its_utterance_cancelled(daemon: LiveDaemon) -> None:
    async def talk(voice: AsyncClient) -> None:
        async def wait() -> None:
            await (await voice.say("慢" * 200)).wait()

        async def stream() -> None:
            async for _ in voice.stream("慢" * 200):
                pass

        for number, kind in enumerate((wait, stream), 1):
            task = asyncio.create_task(kind())
            await asyncio.sleep(0.3)
            assert (await voice.status()).in_work == 1
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await until_cancelled(voice, number)

    run(daemon.endpoint, talk)


def test_a_task_that_is_cancelled_before_the_answer_leaves_nothing(daemon: LiveDaemon) -> None:
    async def talk(voice: AsyncClient) -> None:
        await voice.hello()
        saying = asyncio.create_task(voice.say("慢" * 200))
        await asyncio.sleep(0)
        saying.cancel()
        with pytest.raises(asyncio.CancelledError):
            await saying
        await until_cancelled(voice, 1)

    run(daemon.endpoint, talk)


def test_leaving_early_cancels(daemon: LiveDaemon) -> None:
    async def talk(voice: AsyncClient) -> None:
        async with await voice.say("慢" * 100) as speech:
            async for _ in speech:
                break
        assert speech.done is not None
        assert speech.done.why == "cancelled"
        async for _ in voice.stream("慢" * 100):
            break
        await until_cancelled(voice, 2)

    run(daemon.endpoint, talk)


def test_another_task_cancels_what_one_listens_to(daemon: LiveDaemon) -> None:
    async def talk(voice: AsyncClient) -> None:
        speech = await voice.say("慢" * 100)
        listening = asyncio.create_task(speech.wait())
        await asyncio.sleep(0.2)
        await speech.cancel()
        assert (await listening).why == "cancelled"
        await speech.cancel()

    run(daemon.endpoint, talk)


def test_pause_and_resume(daemon: LiveDaemon) -> None:
    async def talk(voice: AsyncClient) -> None:
        speech = await voice.say("好" * 40)
        await speech.pause()
        reading = asyncio.create_task(speech.read())
        await asyncio.sleep(0.3)
        assert not reading.done()
        assert (await voice.status()).paused == 1
        await speech.resume()
        assert len(await reading) == 40 * 2 * CHUNK
        assert (await voice.pause()).ids == (await voice.resume()).ids == []

    run(daemon.endpoint, talk)


async def tokens(count: int) -> AsyncIterator[str]:
    for _ in range(count):
        await asyncio.sleep(0.01)
        yield "好好。"


def test_text_in_pieces_is_spoken_while_it_comes(daemon: LiveDaemon) -> None:
    async def talk(voice: AsyncClient) -> None:
        heard = 0
        first_at: float | None = None
        last_text_at = 0.0

        async def slow() -> AsyncIterator[str]:
            nonlocal last_text_at
            async for text in tokens(30):
                last_text_at = time.monotonic()
                yield text

        async for pcm in voice.stream(slow()):
            first_at = first_at or time.monotonic()
            heard += len(pcm)
        assert first_at is not None
        assert first_at < last_text_at, "it spoke while text still came"
        assert heard == 30 * 3 * 2 * CHUNK
        listed = [pcm async for pcm in voice.stream(["好好。", "好"])]
        assert len(b"".join(listed)) == 4 * 2 * CHUNK
        speech = await voice.say("", more=True)
        assert (await speech.append("好")).unspoken >= 0
        await speech.end()
        assert len(await speech.read()) == 2 * CHUNK

    run(daemon.endpoint, talk)


def test_more_text_than_there_is_room_for(start_daemon: Callable[..., LiveDaemon]) -> None:
    async def talk(voice: AsyncClient) -> None:
        text = ["好" * 19 + "。"] * 10
        pcm = [piece async for piece in voice.stream(text)]
        assert len(b"".join(pcm)) == 10 * 20 * 2 * CHUNK

    run(start_daemon(text_chars=50).endpoint, talk)


def test_a_failing_source_of_text_cancels_and_is_told(daemon: LiveDaemon) -> None:
    async def broken() -> AsyncIterator[str]:
        yield "好好。"
        raise ValueError("the model has failed")

    async def talk(voice: AsyncClient) -> None:
        with pytest.raises(ValueError, match="the model has failed"):
            async for _ in voice.stream(broken()):
                pass
        await until_cancelled(voice, 1)

    run(daemon.endpoint, talk)


def test_events(daemon: LiveDaemon) -> None:
    async def talk(voice: AsyncClient) -> None:
        async with AsyncClient(daemon.endpoint) as watcher:
            happening = await watcher.subscribe("done")
            assert await happening.next(0.1) is None
            await (await voice.say("好")).wait()
            event = await happening.next(5)
            assert event is not None
            assert (event.kind, event.why) == ("done", "end")
            await happening.close()

            async def watch() -> list[str]:
                seen: list[str] = []
                async for event in watcher.events():
                    seen.append(event.kind)
                    if len(seen) == 3:
                        break
                return seen

            watching = asyncio.create_task(watch())
            while (await voice.stats()).subscribers < 1:
                await asyncio.sleep(0.01)
            await (await voice.say("好")).wait()
            assert await watching == ["accepted", "started", "done"]

    run(daemon.endpoint, talk)


def test_events_of_a_restarted_daemon(start_daemon: Callable[..., LiveDaemon]) -> None:
    first = start_daemon()

    async def talk(voice: AsyncClient) -> None:
        happening = await voice.subscribe("state")
        await asyncio.to_thread(first.stop)
        events = aiter(happening)
        assert (await anext(events)).text == "stopping"
        await asyncio.to_thread(start_daemon)
        event = await anext(events)
        assert (event.seq, event.text) == (-1, "restarted")
        await happening.close()

    run(first.endpoint, talk, timeout=60)


def test_the_speaker(quiet_card: QuietCard, start_daemon: Callable[..., LiveDaemon]) -> None:
    async def talk(voice: AsyncClient) -> None:
        low = await voice.say("好" * 40, sink="speaker", priority="text")
        done = await (await voice.say("好" * 2, sink="speaker")).wait()
        assert (done.why, done.heard_samples) == ("end", 2 * CHUNK)
        assert (await low.wait()).why == "superseded"
        assert (await voice.cancel(scope="all")).ids == []

    run(start_daemon(SpeakerConfig()).endpoint, talk)


def test_no_daemon_and_a_bad_endpoint(folder: Path) -> None:
    async def talk(voice: AsyncClient) -> None:
        with pytest.raises(NoDaemonError, match="start the daemon with `sambertd`") as caught:
            await voice.hello()
        assert caught.value.code == "no_answer"
        with pytest.raises(NoDaemonError):
            await voice.say("好")

    run(f"ipc://{folder}/none.sock", talk, timeout=0.2)

    async def nowhere() -> None:
        AsyncClient("nowhere")

    with pytest.raises(NoDaemonError, match="is not an endpoint"):
        asyncio.run(nowhere())


def test_silence_is_no_failure_while_the_daemon_lives(daemon: LiveDaemon) -> None:
    async def talk(voice: AsyncClient) -> None:
        assert (await (await voice.say("慢" * 8, credit=1)).wait()).why == "end"

    run(daemon.endpoint, talk, timeout=0.05)


def test_an_answer_that_cannot_be_read_is_told_to_who_waits(folder: Path) -> None:
    import zmq

    endpoint = f"ipc://{folder}/odd.sock"

    async def talk(voice: AsyncClient) -> None:
        asking = asyncio.create_task(voice.hello())
        while not odd.poll(0):
            await asyncio.sleep(0.01)
        odd.send_multipart([odd.recv_multipart()[0], b"\xc1"])
        with pytest.raises(ReplyError):
            await asking

    with zmq.Context() as context, context.socket(zmq.ROUTER) as odd:
        odd.bind(endpoint)
        run(endpoint, talk)
