"""A robot speaks each line of standard input, and stops for the next one, as people do.

    (echo "happy: 您好，很高兴见到你。"; sleep 1; echo "请让一让。") | python robot.py

A line may begin with an emotion. Each word is shown when it is heard; with marks=["viseme"] they
would be the shapes of the lips.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable

from sambertd_client import AsyncClient, AsyncUtterance, SambertdError
from sambertd_client import protocol as wire


async def main() -> None:
    async with AsyncClient() as voice:
        talking = asyncio.create_task(asyncio.sleep(0))
        while line := await asyncio.to_thread(sys.stdin.readline):
            if line.strip():
                talking.cancel()  # the daemon cancels it too: it fades out within 8 ms
                talking = asyncio.create_task(speak(voice, line.strip()))
        await talking


async def speak(voice: AsyncClient, line: str) -> None:
    try:
        await follow(voice, line)
    except SambertdError as error:  # an emotion the voice does not have, say
        print(f"[{error}]", flush=True)


async def follow(voice: AsyncClient, line: str) -> None:
    emotion, _, text = line.rpartition(": ")
    latency_s = (await voice.status()).speaker.latency_ms / 1000
    speech = await voice.say(
        text, sink="speaker", emotion=emotion or "neutral", marks=["word"], retry_s=30
    )
    lips = Lips(speech, latency_s)
    try:
        print(f"[{(await speech.wait()).why}]", flush=True)
    finally:
        lips.rest()


class Lips:
    """Follows the words: they are told ahead of the sound, and `playing` when it begins.

    `held` tells that it stands still: somebody paused it, the sound card was lost, or it will be
    said again. Where it goes on `playing` comes again, and tells from which sample: what was told
    from there on is planned anew.
    """

    def __init__(self, speech: AsyncUtterance, latency_s: float) -> None:
        self.speech, self.latency_s = speech, latency_s
        self.began: float | None = None  # when its first sample is heard, while it sounds
        self.timers: list[tuple[int, asyncio.TimerHandle]] = []
        speech.on_reply = self.hear

    def hear(self, reply: wire.Reply) -> None:
        if isinstance(reply, wire.Playing):
            self.rest(reply.at)
            now = asyncio.get_running_loop().time()
            self.began = now + self.latency_s - reply.at / self.speech.rate
            self.plan(mark for mark in self.speech.marks if mark.at >= reply.at)
        elif isinstance(reply, wire.Held):
            self.rest(reply.at)  # what stands before that is on its way to the ear
            self.began = None
        elif isinstance(reply, wire.Marks):
            self.plan(reply.marks)

    def plan(self, marks: Iterable[wire.Mark]) -> None:
        if self.began is None:
            return
        for mark in marks:
            at = self.began + mark.at / self.speech.rate
            timer = asyncio.get_running_loop().call_at(at, self.show, mark)
            self.timers.append((mark.at, timer))

    def rest(self, start: int = 0) -> None:
        """From this sample on nothing is shown."""
        for at, timer in self.timers:
            if at >= start:
                timer.cancel()
        self.timers = [planned for planned in self.timers if not planned[1].cancelled()]

    def show(self, mark: wire.Mark) -> None:
        print(mark.text, flush=True)


if __name__ == "__main__":
    asyncio.run(main())
