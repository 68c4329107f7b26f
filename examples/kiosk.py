"""A kiosk announces each line of standard input: "important 请注意脚下。", or a phrase by its name.

    echo welcome | python kiosk.py

Priorities decide what gives way to what. Fixed phrases are made once at the start, and kept by the
daemon. Where it is away for more than two seconds the screen shows what cannot be said.
"""

from __future__ import annotations

import sys
from typing import get_args

from sambertd_client import Client, SambertdError, Utterance
from sambertd_client import protocol as wire

PHRASES = {"welcome": "您好，欢迎光临。", "take": "请取走您的卡片。", "bye": "谢谢，再见。"}


def main() -> None:
    with Client(timeout=2) as client:
        try:
            client.prefetch(list(PHRASES.values()))  # from now on they are heard at once
        except SambertdError as error:
            print(f"nothing is made ahead: {error}", flush=True)
        said = [announce(client, *read(line)) for line in sys.stdin]
        for speech in filter(None, said):
            print(f"[{speech.wait().why}]", flush=True)


def read(line: str) -> tuple[str, wire.Priority]:
    """What a line says, and how much it matters."""
    first, _, rest = line.strip().partition(" ")
    for priority in get_args(wire.Priority):
        if first == priority:
            return PHRASES.get(rest, rest), priority
    return PHRASES.get(line.strip(), line.strip()), "message"


def announce(client: Client, text: str, priority: wire.Priority) -> Utterance | None:
    """Have it said, not later than in 20 s; returns at once."""
    try:
        return client.say(text, sink="speaker", priority=priority, retry_s=2, deadline_s=20)
    except SambertdError as error:
        print(f"on the screen: {text} ({error})", flush=True)
        return None


if __name__ == "__main__":
    main()
