"""Messages nobody should send: noise, valid requests with something wrong, nests, floods of parts.

The requests are those of the protocol as it is now: each type and each field is found by itself.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any, get_args

import msgpack  # type: ignore[import-untyped]
import msgspec
from sambertd_client import protocol as wire

Frames = list[bytes]

TYPES: tuple[type[Any], ...] = get_args(wire.Request)
NAMES = [one.__struct_config__.tag for one in TYPES]
SPEAKABLE = ["好", "你好，世界。", "hello", "3.14"]
WORDS = [*SPEAKABLE, "😀", "", " ", "\0", "\u202e反", "a" * 300, "啊" * 700]
NUMBERS = [0, -1, 1, 7, 2**31, 2**63 - 1, -(2**63), 2**64 - 1, 0.5, 1e308, -1e308, 5e-324]
ODD: list[Any] = [
    float("nan"),
    float("inf"),
    float("-inf"),
    None,
    True,
    False,
    [],
    {},
    [[]],
    {"a": {}},
]
CHOICES: dict[str, list[Any]] = {
    "sink": ["client", "speaker", "both", "none"],
    "priority": ["important", "message", "text", "notification", "progress"],
    "queue": ["append", "replace", "drop"],
    "scope": ["mine", "mine", "mine", "all"],
    "format": ["pcm_s16le", "f32le"],
    "emotion": ["neutral", "happy"],
    "credit": [0, 8, 1024],
    "texts": [["好"], ["你好，世界。", "好"]],
}
SLOTS = ["a", "b", "c", "d"]  # ids and targets meet each other


class Hostile:
    """An endless supply, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._kinds: list[Callable[[], Frames]] = [
            *[self.valid] * 2,
            *[self.wrong_fields] * 8,
            *[self.broken_bytes] * 4,
            *[self.noise] * 3,
            self.nested,
            self.many_parts,
            self.huge_claims,
        ]

    def __iter__(self) -> Iterator[Frames]:
        while True:
            yield self._chance.choice(self._kinds)()

    def valid(self) -> Frames:
        """A request that may well be granted, so that there is a state to harm."""
        return [msgpack.packb(self._request())]

    def wrong_fields(self) -> Frames:
        """A map of the protocol's fields, one to three of them wrong, missing or unknown."""
        fields = self._request()
        for _ in range(self._chance.randint(1, 3)):
            name = self._chance.choice([*fields, "extra", "v", "t", "id"])
            what = self._chance.random()
            if what < 0.15:
                fields.pop(name, None)
            elif what < 0.25:
                fields[self._chance.choice([name.upper(), name * 40, name + "\0"])] = 1
            else:
                fields[name] = self._anything()
        return [_packed(fields)]

    def broken_bytes(self) -> Frames:
        """A valid frame with bytes changed, cut off, put in or doubled."""
        chance, frame = self._chance, bytearray(msgpack.packb(self._request()))
        for _ in range(chance.randint(1, 6)):
            at, what = chance.randrange(len(frame) + 1), chance.random()
            if what < 0.5 and at < len(frame):
                frame[at] = chance.randrange(256)
            elif what < 0.7:
                del frame[at:]
            elif what < 0.9:
                frame[at:at] = chance.randbytes(chance.randint(1, 9))
            else:
                frame[at:at] = frame[:at]
        return [bytes(frame[: wire.MAX_FRAME_BYTES])]

    def noise(self) -> Frames:
        """Random bytes, mostly few."""
        most = self._chance.choice([4, 40, 400, 400, 4000])
        return [self._chance.randbytes(self._chance.randint(0, most))]

    def nested(self) -> Frames:
        """Maps or arrays in each other, hundreds or thousands deep, alone or as a field."""
        depth = self._chance.choice([20, 500, 1100, 20000])
        shell = self._chance.choice([b"\x91", b"\x81\xa1a", b"\xdd\0\0\0\1", b"\x81\x91"])
        nest = (shell * depth)[: wire.MAX_FRAME_BYTES - 100] + b"\xc0"
        if self._chance.random() < 0.5:
            return [nest]
        return [b"\x84\xa1v\x01\xa1t\xa3say\xa2id\xa1a\xa4text" + nest]

    def many_parts(self) -> Frames:
        """More parts than a request has, with or without a valid first one."""
        count = self._chance.choice([2, 3, 9, 60])
        part = self._chance.choice([b"", b"\xc0", msgpack.packb(self._request())])
        return [part] * count

    def huge_claims(self) -> Frames:
        """Lengths that are never made good: strings, binaries, arrays, maps, extensions of 4 GB."""
        head = self._chance.choice([b"\xdb", b"\xc6", b"\xdd", b"\xdf", b"\xc9"])
        size = self._chance.choice([b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\1\0\0"])
        return [head + size + self._chance.randbytes(self._chance.randint(0, 20))]

    def oversize(self) -> Frames:
        """More than a request may have: the daemon drops the connection."""
        return [bytes(wire.MAX_FRAME_BYTES + self._chance.randint(1, 2**20))]

    def _request(self) -> dict[str, Any]:
        kind = wire.Say if self._chance.random() < 0.25 else self._chance.choice(TYPES)
        fields = {"v": 1, "t": kind.__struct_config__.tag, "id": self._chance.choice(SLOTS)}
        for field in msgspec.structs.fields(kind):
            if field.name != "id" and (field.required or self._chance.random() < 0.4):
                fields[field.name] = self._likely(field)
        return fields

    def _likely(self, field: msgspec.structs.FieldInfo) -> Any:
        """A value that the field may take, more often than not."""
        name = field.name
        if name in CHOICES:
            return self._chance.choice(CHOICES[name])
        if name == "target":
            return self._chance.choice(SLOTS)
        if field.default is not msgspec.NODEFAULT and field.default is not None:
            return field.default
        likely: list[Any] = [*SPEAKABLE] if name == "text" else [None, 1, 2, "a", 8000, 0.5]
        return self._chance.choice(likely)

    def _anything(self) -> Any:
        pick = self._chance.choice
        kinds: list[list[Any]] = [WORDS, NUMBERS, ODD, NAMES, [b"\xff\xfe\xc3\x28"]]
        value = pick(pick(kinds))
        if self._chance.random() < 0.1:
            value = [value] * pick([1, 100, 5000])
        return value


def _packed(fields: dict[str, Any]) -> bytes:
    """msgpack; bytes become strings that are not UTF-8."""
    frame = msgpack.packb(fields, use_bin_type=False, unicode_errors="surrogatepass")
    return bytes(frame[: wire.MAX_FRAME_BYTES])
