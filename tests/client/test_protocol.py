from __future__ import annotations

from typing import Any, Union, get_args

import msgpack  # type: ignore[import-untyped]
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sambertd_client import protocol as wire

EVERY_REPLY: list[wire.Message] = [
    wire.Welcome(
        id="1",
        server="sambertd",
        server_version="1",
        instance="i",
        protocol=(1, 1),
        state="ready",
        formats=[wire.FORMAT],
        sinks=["client"],
        limits=wire.Limits(
            text_chars=1, in_work=1, waiting=1, frame_bytes=1, credit=1, stall_s=1.0
        ),
        live=["a"],
    ),
    wire.Accepted(id="1", voice="v", rate=16000, position=0, instance="i"),
    wire.Audio(id="1", seq=3, at=2400, sentence=1),
    wire.Playing(id="1", ttfa_ms=12.5),
    wire.Held(id="1", why="paused", at=800),
    wire.Done(id="1", why="error", code="internal", text="it broke"),
    wire.Cancelled(id="1", ids=["a", "b"]),
    wire.Done(id="1", why="superseded", samples=800, heard_samples=200),
    wire.Appended(id="1", unspoken=7),
    wire.Paused(id="1", ids=["a"]),
    wire.Resumed(id="1", ids=[]),
    wire.Subscribed(id="1", next_seq=0),
    wire.Event(id="1", seq=3, kind="done", at_s=1.5, utterance="a", sink="both", priority="text"),
    wire.Event(id="1", seq=4, kind="state", at_s=2.5, text="ready"),
    wire.Error(id="", code="undecodable", text="not a map"),
    wire.VoiceList(id="1", voices=[], broken=[wire.BrokenVoice(path="p", code="c", text="t")]),
]
EVERY_REQUEST: list[wire.Message] = [
    wire.Hello(id="1"),
    wire.Say(id="1", text="你好", voice="v", speed=1.5, credit=8),
    wire.Credit(id="1", grant=2),
    wire.Cancel(id="1", target="2", scope="all"),
    wire.Voices(id="1"),
    wire.Status(id="1"),
    wire.Say(
        id="1",
        text="",
        sink="both",
        priority="progress",
        queue="replace",
        more=True,
        key="k",
        deadline_s=2.5,
    ),
    wire.Say(id="1", text="好", format="f32le", rate=22050),
    wire.Append(id="1", target="2", text="好"),
    wire.End(id="1", target="2"),
    wire.Pause(id="1", target="2", scope="all"),
    wire.Resume(id="1"),
    wire.Stats(id="1"),
    wire.Subscribe(id="1", kinds=["done", "speaker"]),
    wire.Unsubscribe(id="1"),
]


@pytest.mark.parametrize("message", EVERY_REQUEST)
def test_requests_survive_the_wire(message: wire.Message) -> None:
    assert wire.decode_request([wire.encode(message)]) == message


@pytest.mark.parametrize("message", EVERY_REPLY)
def test_replies_survive_the_wire(message: wire.Message) -> None:
    assert wire.decode_reply([wire.encode(message), b"pcm"]) == (message, b"pcm")


@pytest.mark.parametrize("union", [wire.Request, wire.Reply])
def test_every_message_type_is_known_to_its_decoder(union: Any) -> None:
    for kind in get_args(Union[union]):  # noqa: UP007 - flattens an alias
        tag = kind.__struct_config__.tag
        decode: Any = wire.decode_request if union is wire.Request else wire.decode_reply
        with pytest.raises(wire.ProtocolError) as caught:
            decode([msgpack.packb({"v": 1, "t": tag, "id": 0})])
        assert caught.value.code == wire.BAD_FIELD


def test_a_header_is_small() -> None:
    assert len(wire.encode(wire.Audio(id="deadbeef-12", seq=300, at=2_400_000, sentence=4))) < 64


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_but_protocol_error(frame: bytes) -> None:
    for decode in (wire.decode_request, wire.decode_reply):
        try:
            decode([frame])
        except wire.ProtocolError as error:
            assert error.code  # noqa: PT017 - not raising at all is right as well


FIELDS = ["id", "text", "voice", "speaker", "emotion", "speed", "pitch", "volume", "sink"]
FIELDS += ["credit", "grant", "target", "scope", "later", "priority", "queue", "format", "rate"]
FIELDS += ["more", "key", "deadline_s", "kinds"]
KINDS = [kind.__struct_config__.tag for kind in get_args(wire.Request)]
short_text = st.text(max_size=9)
scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | short_text
json_like = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(short_text, inner, max_size=3),
    max_leaves=8,
)


@given(
    kind=st.sampled_from(KINDS),
    fields=st.dictionaries(
        st.sampled_from(FIELDS),
        json_like,
    ),
)
def test_any_fields_make_a_valid_message_or_a_protocol_error(
    kind: str, fields: dict[str, Any]
) -> None:
    frame = msgpack.packb({**fields, "v": 1, "t": kind})
    try:
        message = wire.decode_request([frame])
    except wire.ProtocolError as error:
        code = error.code
        assert code == wire.BAD_FIELD
    else:
        assert msgspec.convert(msgspec.to_builtins(message), type(message)) == message


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"sink": "moon"}, "sink`; choose of client, speaker, both, none"),
        ({"marks": ["word", "zz"]}, "; choose of sentence, user, word, "),
        ({"markup": "html"}, "markup`; choose of text, ssml, symbols"),
    ],
)
def test_a_word_that_is_none_of_several_is_told_with_those(
    fields: dict[str, object], words: str
) -> None:
    said = {"v": 1, "t": "say", "id": "1", "text": "好", **fields}
    with pytest.raises(wire.ProtocolError, match=words) as refused:
        wire.decode_request([msgpack.packb(said)])
    assert refused.value.code == wire.BAD_FIELD


def test_what_is_of_the_wrong_type_is_told_without_words() -> None:
    with pytest.raises(wire.ProtocolError) as refused:
        wire.decode_request([msgpack.packb({"v": 1, "t": "say", "id": "1", "text": 7})])
    assert "choose" not in str(refused.value)
