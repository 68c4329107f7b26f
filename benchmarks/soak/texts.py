"""What is said: Chinese, English, numbers, emoji, long, empty, and what no voice can read."""

from __future__ import annotations

import random
from dataclasses import dataclass

from sambertd_client import protocol as wire

from benchmarks.sentences import SENTENCES


@dataclass(frozen=True, slots=True)
class Text:
    """A text, and the codes it may be refused with or end in; without any it must be spoken."""

    text: str
    refusals: frozenset[str] = frozenset()


NOTHING = frozenset({wire.TEXT_EMPTY})
PLAIN = tuple(Text(sentence) for sentence in SENTENCES)
OTHERS = (
    Text("Hello, please wait a moment."),
    Text("请打开 Wi-Fi，连接 robot-5G，密码是 8 个 8。"),
    Text("订单号20240315，共3,299.50元，15:30前送到3-502室。"),
    Text("气温-5℃，湿度60%，比分3:2，π≈3.14159。"),
    Text("好的😀👍，马上就来🚀！"),
    Text("繁體字也要會讀，臺灣、銀行、重慶。"),
    Text("，。！"[:1] + "嗯？！……好——吧。"),
    Text("一"),
    Text("哈" * 60),
    Text("".join(SENTENCES) * 2),
    Text("", NOTHING),
    Text("   \n", NOTHING),
    Text("😀🎉", NOTHING),
    Text("Привет", frozenset({"text_unreadable"})),
    Text("啊" * 5001, frozenset({wire.TEXT_TOO_LONG})),
)


def any_text(chance: random.Random) -> Text:
    """One of them; every second is a plain sentence."""
    return chance.choice(PLAIN if chance.random() < 0.5 else OTHERS)
