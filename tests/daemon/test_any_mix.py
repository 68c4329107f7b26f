"""Any mix of requests over real sockets: each accepted `say` gets its one `done`, in order."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from daemon.config import SpeakerConfig
from tests.daemon.live import Connect, LiveDaemon, RawClient
from tests.daemon.quiet_card import QuietCard
from tests.daemon.tone import FAILS

PRIORITIES = ["important", "message", "text", "notification", "progress"]


class Mixer:
    """One client that asks for anything, and keeps account of the answers."""

    def __init__(self, client: RawClient, chance: random.Random, name: str) -> None:
        self.client, self.chance, self.name = client, chance, name
        self.accepted: set[str] = set()
        self.done: Counter[str] = Counter()
        self.samples: Counter[str] = Counter()
        self.number = 0
        self.open: set[str] = set()

    def ask(self) -> None:
        chance, target = self.chance, f"{self.name}{self.chance.randint(0, self.number)}"
        kind = chance.choice(["say"] * 4 + ["append", "end", "pause", "resume", "cancel", "credit"])
        if kind == "say":
            self._say()
        elif kind in ("append", "end"):
            self.client.send(kind, id="-", target=target, text="好好。好")
        elif kind == "credit":
            self.client.send(kind, id=target, grant=9)
        else:
            scope = chance.choice(["mine", "mine", "all"])
            self.client.send(kind, id="-", target=chance.choice([target, None]), scope=scope)

    def _say(self) -> None:
        chance = self.chance
        self.number += 1
        wishes: dict[str, Any] = {
            "text": chance.choice(["好", "好好好", "好" * 20, f"好{FAILS}", "😀"]),
            "sink": chance.choice(["client", "client", "speaker", "both", "none"]),
            "priority": chance.choice(PRIORITIES),
            "queue": chance.choice(["append", "append", "replace", "drop"]),
            "more": chance.random() < 0.3,
            "key": chance.choice([None, None, "one", "two"]),
            "deadline_s": chance.choice([None, None, 0.2]),
            "credit": chance.choice([0, 2, 99]),
        }
        self.client.send("say", id=f"{self.name}{self.number}", **wishes)

    def read(self) -> None:
        """All that was answered to what was asked so far."""
        self.client.send("hello", id="-")
        welcome = False
        while not welcome or not self.client.silent(0):
            reply, pcm = self.client.receive()
            name = reply["id"]
            if reply["t"] == "welcome":
                welcome = True
            elif reply["t"] == "accepted":
                self.accepted.add(name)
            elif reply["t"] == "audio":
                assert reply["at"] * 2 == self.samples[name], "no gaps"
                assert name not in self.done
                self.samples[name] += len(pcm)
            elif reply["t"] == "done":
                self.done[name] += 1
            elif reply["t"] == "error":
                assert reply["code"] not in ("undecodable", "unknown_type", "internal"), reply


@pytest.mark.parametrize("seed", range(3))
def test_any_mix_of_requests(
    seed: int,
    quiet_card: QuietCard,
    start_daemon: Callable[..., LiveDaemon],
    raw_client: Connect,
) -> None:
    live = start_daemon(SpeakerConfig(), stall_s=1.0, append_s=1.0, pause_s=1.0, per_client=6)
    chance = random.Random(seed)
    mixers = [Mixer(raw_client(live.endpoint), chance, name) for name in "abc"]
    for _ in range(100):
        for mixer in mixers:
            mixer.ask()
            mixer.ask()
            mixer.read()
    deadline = time.monotonic() + 30
    while any(mixer.accepted - set(mixer.done) for mixer in mixers):
        mixers[0].client.send("resume", id="-", scope="all")
        for mixer in mixers:
            mixer.read()
        time.sleep(0.02)
        assert time.monotonic() < deadline, [m.accepted - set(m.done) for m in mixers]
    for mixer in mixers:
        mixer.read()
        assert set(mixer.done) == mixer.accepted
        assert set(mixer.done.values()) <= {1}
    assert sum(len(mixer.accepted) for mixer in mixers) > 50
    status = mixers[0].client.ask("status", id="-")
    assert (status["state"], status["in_work"], status["waiting"]) == ("ready", 0, 0)
