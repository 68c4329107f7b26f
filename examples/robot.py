"""A robot speaks each line of standard input, and stops for the next one, as people do.

    (echo "happy: 您好，很高兴见到你。"; sleep 1; echo "请让一让。") | python robot.py

A line may begin with an emotion. Each word is shown when it is heard; with marks=["viseme"] they
would be the shapes of the lips.
"""

from __future__ import annotations

import asyncio
import sys

from sambertd_client import AsyncClient, AsyncUtterance
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

    After a pause `playing` comes again, and tells at which sample it goes on.
    """

    def __init__(self, speech: AsyncUtterance, latency_s: float) -> None:
        self.speech, self.latency_s = speech, latency_s
        self.began: float | None = None  # when its first sample is heard
        self.timers: list[asyncio.TimerHandle] = []
        speech.on_reply = self.follow

    def follow(self, reply: wire.Reply) -> None:
        loop, rate = asyncio.get_running_loop(), self.speech.rate
        if isinstance(reply, wire.Playing):
            self.rest()
            self.began = loop.time() + self.latency_s - reply.at / rate
            told = [mark for mark in self.speech.marks if mark.at >= reply.at]
        else:
            told = reply.marks if isinstance(reply, wire.Marks) else []
        if self.began is not None:
            for mark in told:
                self.timers.append(loop.call_at(self.began + mark.at / rate, print, mark.text))

    def rest(self) -> None:
        for timer in self.timers:
            timer.cancel()


if __name__ == "__main__":
    asyncio.run(main())
