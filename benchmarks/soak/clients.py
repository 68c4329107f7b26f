"""The clients of the soak: each a thread with a connection, doing at random what its role may."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_args

import msgpack  # type: ignore[import-untyped]
import zmq
from sambertd_client import Client, Utterance
from sambertd_client import protocol as wire

from benchmarks.sentences import SENTENCES
from benchmarks.soak.account import Account
from benchmarks.soak.texts import Text, any_text

TIMEOUT_S = 30.0
LATE = frozenset({"deadline_passed"})
OVER = frozenset({wire.NOT_OPEN})  # what was appended to has ended: it gave way, say


@dataclass(slots=True)
class Desk:
    """What a client works with."""

    endpoint: str
    chance: random.Random
    account: Account
    stopped: threading.Event
    speaker: bool  # whether there is one

    def nap(self, most_s: float) -> None:
        """Do nothing for a while; not longer than the soak lasts."""
        self.stopped.wait(self.chance.uniform(0, most_s))


class Talker:
    """Says things to itself and to nobody, in any manner; cancels, pauses, appends, leaves."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.chance, self.account = desk, desk.chance, desk.account
        self.client = Client(desk.endpoint, timeout=TIMEOUT_S)

    def run(self) -> None:
        """Until the soak is over."""
        while not self.desk.stopped.is_set():
            self.act(self.chance.choice(self.deeds()))
        self.client.close()

    def deeds(self) -> list[Callable[[], None]]:
        """What this role does, by likelihood."""
        return [
            *[self.listen] * 4,
            *[self.cancel, self.pause, self.append, self.repeat, self.hurry, self.reconnect] * 2,
            self.mark_up,
            self.cancel_all,
            self.look,
        ]

    def act(self, deed: Callable[[], None]) -> None:
        """Do it, and have a rest."""
        with self.account.booked(deed.__name__):
            deed()
        self.desk.nap(0.3)

    def say(self, kind: str, text: Text | None = None, **wishes: Any) -> Utterance | None:
        """Ask for it; None where it was refused, which is booked."""
        text = text or any_text(self.chance)
        self.account.begin(kind)
        with self.account.booked(kind, text.refusals):
            return self.client.say(text.text, **{**self.wishes(), **wishes})
        return None

    def wishes(self) -> dict[str, Any]:
        """A manner of speaking, now and then."""
        chance = self.chance
        if chance.random() < 0.6:
            return {"sink": chance.choice(["client", "client", "none"])}
        return {
            "speed": chance.uniform(0.6, 1.8),
            "pitch": chance.uniform(-3, 3),
            "volume": chance.uniform(0.2, 1.5),
            "rate": chance.choice([None, 8000, 24000, 48000]),
            "format": chance.choice(["pcm_s16le", "f32le"]),
            "priority": chance.choice(get_args(wire.Priority)),
            "queue": chance.choice(["append", "append", "replace", "drop"]),
            "credit": chance.choice([1, 8, 200]),
        }

    def hear(self, kind: str, spoken: Utterance | None, allowed: frozenset[str]) -> None:
        """To its end."""
        if spoken is not None:
            with self.account.booked(kind, allowed):
                spoken.wait()
            self.account.end(spoken, "client")

    def listen(self) -> None:
        """Say something and hear all of it."""
        text = any_text(self.chance)
        self.hear("say", self.say("say", text), text.refusals)

    def cancel(self) -> None:
        """Cut it short."""
        text = any_text(self.chance)
        spoken = self.say("cancelled", text)
        if spoken is not None:
            self.desk.nap(0.3)
            with self.account.booked("cancel", text.refusals):
                spoken.cancel()
                spoken.cancel()
            self.account.end(spoken, "client")

    def pause(self) -> None:
        """Hold it for a while."""
        spoken = self.say("paused", self.chance.choice([Text(one) for one in SENTENCES]))
        if spoken is not None:
            spoken.pause()
            self.desk.nap(0.5)
            spoken.resume()
            self.hear("paused", spoken, frozenset())

    def append(self) -> None:
        """Text in pieces, as from a language model."""
        spoken = self.say("appended", Text("".join(self.chance.choices(SENTENCES, k=2))), more=True)
        if spoken is not None:
            pieces = self.chance.choice(SENTENCES), "然后", "，再见。"
            with self.account.booked("append", OVER):
                for _ in spoken.stream(pieces):
                    pass
            self.hear("append", spoken, frozenset())

    def mark_up(self) -> None:
        """SSML, and the marks of all kinds with it; now and then SSML that is none."""
        inner = f'{self.chance.choice(SENTENCES)}<mark name="m"/><break time="200ms"/>再见。'
        if self.chance.random() < 0.3:
            text = Text(f"<speak>{inner}", frozenset({"bad_ssml"}))
        else:
            text = Text(f"<speak>{inner}</speak>")
        wishes: dict[str, Any] = {"markup": "ssml", "marks": get_args(wire.MarkKind)}
        self.hear("marked up", self.say("marked up", text, **wishes), text.refusals)

    def repeat(self) -> None:
        """The same `say` twice, as after a lost answer: the older gives way to the newer."""
        text, key = Text(self.chance.choice(SENTENCES)), f"{self.chance.getrandbits(64):x}"
        manner: dict[str, Any] = {"sink": "none", "format": wire.FORMAT, "rate": None}
        said = [self.say("keyed", text, **manner, queue="append", key=key) for _ in range(2)]
        self.account.repeated(None not in said)
        for spoken in said:
            self.hear("keyed", spoken, frozenset())

    def hurry(self) -> None:
        """Something that must be heard soon or not at all."""
        text = any_text(self.chance)
        spoken = self.say("hurried", text, deadline_s=self.chance.choice([0.05, 1.0]))
        self.hear("hurried", spoken, text.refusals | LATE)

    def reconnect(self) -> None:
        """Vanish in the midst of it, and come back as another."""
        for _ in range(self.chance.randint(0, 2)):
            spoken = self.say("left", queue="append")
            if spoken is not None:
                self.account.end(spoken, "")
        self.client.close()
        self.client = Client(self.desk.endpoint, timeout=TIMEOUT_S)

    def cancel_all(self) -> None:
        """Silence everybody."""
        self.client.cancel(scope=self.chance.choice(["mine", "mine", "all"]))

    def look(self) -> None:
        """All that can be asked."""
        self.client.hello(), self.client.voices(), self.client.engines(), self.client.stats()


class Announcer(Talker):
    """Speaks on the speaker, with all priorities; interrupts itself and others."""

    def deeds(self) -> list[Callable[[], None]]:
        """More of it is heard than cut short: it is spoken in real time."""
        return [*[self.announce] * 4, self.cancel, self.pause, self.append]

    def wishes(self) -> dict[str, Any]:
        """The speaker, where there is one."""
        return {
            "sink": self.chance.choice(["speaker", "speaker", "both"])
            if self.desk.speaker
            else "none",
            "priority": self.chance.choice(get_args(wire.Priority)),
            "queue": self.chance.choice(["append", "append", "replace", "drop"]),
        }

    def announce(self) -> None:
        """One or two of them, one after the other."""
        told = [self.say("announced", Text(self.chance.choice(SENTENCES))) for _ in range(2)]
        for spoken in told:
            if spoken is not None:
                with self.account.booked("announced"):
                    spoken.wait()
                self.account.end(spoken, "speaker")


class SlowReader(Talker):
    """Takes a piece now and then, and always comes to the end."""

    def deeds(self) -> list[Callable[[], None]]:
        """Nothing else."""
        return [self.sip]

    def sip(self) -> None:
        """A piece at a time."""
        text = Text("".join(self.chance.choices(SENTENCES, k=4)))
        spoken = self.say("sipped", text, sink="client", credit=1)
        if spoken is not None:
            with self.account.booked("sipped"):
                for _ in spoken:
                    self.desk.nap(0.4)
            self.account.end(spoken, "")


class Deaf(Talker):
    """Asks, never reads, and vanishes."""

    def deeds(self) -> list[Callable[[], None]]:
        """Nothing else."""
        return [self.ignore]

    def ignore(self) -> None:
        """Ask for more than a pipe holds, stay a while, and be gone without a word."""
        context = zmq.Context()
        link = context.socket(zmq.DEALER)
        for option, value in ((zmq.LINGER, 0), (zmq.RCVHWM, 1), (zmq.SNDTIMEO, 1000)):
            link.setsockopt(option, value)
        link.connect(self.desk.endpoint)
        text, own = "".join(SENTENCES) * 3, {"v": 1, "t": "say", "credit": 1024}
        for number in range(3):
            link.send(msgpack.packb({**own, "id": str(number), "text": text}))
        for number in range(200):
            link.send(msgpack.packb({"v": 1, "t": "status", "id": f"s{number}"}))
        self.account.said["to the deaf"] += 3
        self.desk.nap(8)
        context.destroy()
