from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.errors import LexiconError, StyleError, TextError
from engines.pack import Preset, VoicePack
from engines.pipeline import Part
from engines.planner import Planner
from engines.session import Array
from engines.stretches import Marks, Stretches
from engines.style import controls
from engines.text.lexicon import Entry, Lexicon
from engines.text.nearest import TONES, nearest_phones
from engines.text.ssml import read_ssml
from engines.text.symbols import symbol_spans
from engines.voice import Style, Voice, front_end


@pytest.fixture(scope="module")
def plain(plain_pack: Path) -> Iterator[Voice]:
    with Voice.load(plain_pack) as voice:
        yield voice


@pytest.fixture(scope="module")
def nsf(nsf_pack: Path) -> Iterator[Voice]:
    with Voice.load(nsf_pack) as voice:
        yield voice


def speak(content: str) -> str:
    return f"<speak>{content}</speak>"


def planned(voice: Voice, content: str) -> list[Part]:
    return list(voice.plan(speak(content), markup="ssml").parts)


def audio(voice: Voice, text: str, *, ssml: bool = True, style: Style | None = None) -> Array:
    plan = voice.plan(speak(text), style, markup="ssml") if ssml else voice.plan(text, style)
    return np.concatenate([c.pcm for c in voice.stream(plan)])


def stretches(content: str) -> list[str]:
    document = read_ssml(speak(content))
    cut = Stretches(document)
    return [
        "".join(word.text for word in stretch.words)
        for sentence in front_end().sentences(document.script)
        for stretch in cut.of(sentence)
    ]


def test_a_document_without_tags_sounds_like_its_text(plain: Voice) -> None:
    text = "今天天气真好，阳光洒在窗台上。"
    assert np.array_equal(audio(plain, text), audio(plain, text, ssml=False))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("今天天气", ["今天天气"]),
        ("今天<break/>天气", ["今天", "天气"]),
        ("今<break/>天", ["今", "天"]),
        ("今天<prosody rate='fast'>天气</prosody>好", ["今天", "天气", "好"]),
        ("银<prosody rate='fast'>行</prosody>", ["银", "行"]),
        ("今天<mark name='a'/>天气", ["今天天气"]),
        ("今天<emphasis level='none'>天气</emphasis>", ["今天天气"]),
        ("好。<break/>好", ["好", "好"]),
    ],
)
def test_a_stretch_ends_at_a_pause_and_where_the_manner_changes(
    content: str, expected: list[str]
) -> None:
    assert stretches(content) == expected


_PIECES = st.sampled_from(
    [
        *("今天天气", "3.5元", "花儿", "WiFi", "。", "，", "<break/>", "<break time='5ms'/>"),
        *("<prosody rate='fast'>银行</prosody>", "<emphasis>2026</emphasis>", "<mark name='m'/>"),
        *("<sub alias='世界'>W</sub>", "<phoneme ph='yi1 er4 san1 si4 wu3'>x</phoneme>", "😀"),
        *("<p>好", "</p>", "<prosody volume='loud'>", "</prosody>", "<s>", "</s>"),
    ]
)


@settings(max_examples=150, deadline=None, database=None)
@given(st.lists(_PIECES, max_size=16).map("".join))
def test_nothing_is_lost_between_stretches(content: str) -> None:
    with suppress(TextError):
        document = read_ssml(speak(content))
        cut, marks = Stretches(document), Marks(document)
        due = 0.0
        names: list[str] = []
        for sentence in front_end().read(document.script):
            stretches = list(cut.of(sentence))
            words = [word for stretch in stretches for word in stretch.words]
            assert [s for word in words for s in word.syllables] == [
                s for word in sentence.words for s in word.syllables
            ]
            assert "".join(w.text for w in words) == "".join(w.text for w in sentence.words)
            for stretch in stretches:
                due += stretch.pause_s
                names += [name for _, name in marks.before(symbol_spans(stretch.words))]
                places = [s.span[0] for word in stretch.words for s in word.syllables]
                assert {document.manner(place) for place in places} == {stretch.manner}
        assert due <= sum(seconds for _, seconds in document.pauses) + 1e-9
        assert names == [name for _, name in document.marks]


def test_the_silence_asked_for_is_made(plain: Voice) -> None:
    for content in ("<break time='{}ms'/>今天", "今天<break time='{}ms'/>天气"):
        short, long = (len(audio(plain, content.format(ms))) for ms in (200, 1200))
        assert long - short == plain.info.sample_rate


def test_the_silence_asked_for_takes_the_place_of_the_full_stop(plain: Voice) -> None:
    dot, short = (len(audio(plain, t)) for t in ("好。好", "好。<break time='10ms'/>好"))
    long = len(audio(plain, "好。<break time='780ms'/>好"))
    assert short == dot
    assert long - dot == plain.info.sample_rate // 2


def test_long_silence_comes_in_pieces(plain: Voice) -> None:
    """Minutes of it take no more memory than seconds, and can be cancelled."""
    text = speak("好" + "<break time='10s'/>" * 30 + "<mark name='a'/>好")
    stream = plain.stream(plain.plan(text, markup="ssml"))
    chunks = list(stream)
    assert max(len(chunk.pcm) for chunk in chunks) <= 5 * plain.info.sample_rate
    whole = sum(len(chunk.pcm) for chunk in chunks)
    assert 300 < whole / plain.info.sample_rate < 302
    (mark,) = [m for chunk in chunks for m in chunk.marks if m.kind == "user"]
    told = next(n for n, chunk in enumerate(chunks) if mark in chunk.marks)
    assert not chunks[told].pcm.any(), "with the first piece of the silence"
    assert sum(len(chunk.pcm) for chunk in chunks[:told]) < mark.start


def test_silence_is_not_faster_in_fast_speech(plain: Voice) -> None:
    fast = Style(speed=2.0)
    short, long = (
        len(audio(plain, f"今天<break time='{ms}ms'/>天气", style=fast)) for ms in (200, 1200)
    )
    assert long - short == plain.info.sample_rate


def test_rate_volume_and_pitch_reach_the_models(plain: Voice, nsf: Voice) -> None:
    text = "今天天气真好。"
    for attribute, style in (
        ("rate='50%'", Style(speed=0.5)),
        ("volume='50%'", Style(volume=0.5)),
    ):
        told = audio(plain, f"<prosody {attribute}>{text}</prosody>")
        assert np.array_equal(told, audio(plain, text, ssml=False, style=style))
    (part,) = planned(nsf, f"<prosody pitch='+2st'>{text}</prosody>")
    assert part.controls is not None
    assert part.controls.pitch == pytest.approx(2 ** (2 / 12))


def test_only_what_is_inside_is_said_otherwise(plain: Voice) -> None:
    before, inside, after = planned(plain, "今天<prosody rate='slow'>天气</prosody>真好。")
    assert [p.controls and p.controls.speed for p in (before, inside, after)] == [1.0, 0.8, 1.0]
    assert before.pause_s == inside.pause_s == 0.0
    assert after.pause_s > 0.0


def test_the_callers_style_and_the_document_multiply(plain: Voice) -> None:
    plan = plain.plan(
        speak("<prosody rate='1.25'>好</prosody>"), Style(speed=1.2, volume=0.5), markup="ssml"
    )
    (part,) = plan.parts
    assert part.controls is not None
    assert part.controls.speed == pytest.approx(1.5)
    assert part.controls.volume == 0.5


def test_what_the_voice_cannot_do_is_told_before_anything_is_said(plain: Voice) -> None:
    for content, code in (
        ("好。" * 50 + "<prosody pitch='+2st'>好</prosody>", "bad_style"),
        ("好。" * 50 + "<prosody rate='5'>好</prosody>", "bad_style"),
        ("好。<voice name='nobody'>好</voice>", "unknown_speaker"),
        ("好。<emotion category='bored'>好</emotion>", "unknown_emotion"),
    ):
        with pytest.raises(StyleError) as caught:
            plain.plan(speak(content), markup="ssml")
        assert caught.value.code == code
    with pytest.raises(TextError, match="line 1, column 8"):
        plain.plan(speak("<x/>"), markup="ssml")


def test_symbols_and_marks_point_into_the_document(plain: Voice) -> None:
    content = (
        "<mark name='a'/>今天<mark name='b'/>3.5元<break/>好<mark name='c'/>。<mark name='d'/>"
    )
    text = speak(content)
    first, second = planned(plain, content)
    for part in (first, second):
        assert len(part.spans) == len(part.ids)
    assert text[slice(*first.spans[0])] == "今"
    assert [name for _, name in first.marks] == ["a", "b"]
    assert first.marks[0][0] == 0
    assert text[slice(*first.spans[first.marks[1][0]])].startswith("3.5")
    assert [name for _, name in second.marks] == ["c", "d"]
    ends = len(second.ids)
    assert [index for index, _ in second.marks] == [ends - 1, ends], "behind the word, and all"


@pytest.mark.parametrize(
    ("between", "place"),
    [
        ("<mark name='a'/>", "next"),
        ("<mark name='a'/><break time='2s'/>", "word"),
        ("<mark name='a'/>，<break time='2s'/>", "word"),
        ("，<mark name='a'/><break time='2s'/>", "silence"),
        ("，<break time='2s'/><mark name='a'/>", "next"),
        ("<break time='2s'/>，<mark name='a'/>", "next"),
        ("<break time='1s'/><mark name='a'/><break time='1s'/>", "next"),
        ("<mark name='a'/>，", "word"),
        (" <mark name='a'/> ，", "word"),
        ("，<mark name='a'/>", "next"),
        ("<mark name='a'/>。", "word"),
        ("。<mark name='a'/>", "next"),
        ("。<mark name='a'/><break time='2s'/>", "silence"),
    ],
)
def test_a_mark_is_told_where_it_stands(plain: Voice, between: str, place: str) -> None:
    chunks = list(plain.stream(plain.plan(speak(f"今天{between}很好。"), markup="ssml")))
    marks = [mark for chunk in chunks for mark in chunk.marks]
    (user,) = [mark for mark in marks if mark.kind == "user"]
    first, last = (mark for mark in marks if mark.kind == "word")
    assert (first.text, last.text) == ("今天", "很好")
    if place == "word":
        assert user.start == first.end
    elif place == "next":
        assert user.start == last.start
    else:
        assert first.end < user.start < last.start - plain.info.sample_rate
    assert marks == sorted(marks, key=lambda mark: mark.start)


def test_plain_text_has_spans_too(plain: Voice) -> None:
    text = "今天3.5元"
    (part,) = plain.plan(text).parts
    assert len(part.spans) == len(part.ids)
    assert text[slice(*part.spans[0])] == "今"
    assert part.spans[-1] == (len(text), len(text))


def test_intensity_scales_an_emotion_that_is_a_preset(nsf_pack: Path) -> None:
    file = msgspec.structs.replace(
        VoicePack(nsf_pack).file,
        presets={"neutral": Preset(), "happy": Preset(1.21, 2.0, 1.44, 0.2, 1.21)},
    )
    half = controls(Style(emotion="happy", intensity=0.5), file)
    assert (half.speed, half.pitch_range, half.volume) == pytest.approx((1.1, 1.2, 1.1))
    assert half.pitch == pytest.approx(2 ** (1 / 12))
    assert half.energy == pytest.approx(0.1)
    none = controls(Style(emotion="happy", intensity=0.0), file)
    assert none == controls(Style(), file)
    with pytest.raises(StyleError, match=r"intensity is 2\.5"):
        controls(Style(emotion="happy", intensity=2.5), file)


def test_lexicons_of_the_voice_and_of_the_request(plain_pack: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(plain_pack, tmp_path / "voice")
    (folder / "lexicon.csv").write_text("好,hao4\n天,di4\n", encoding="utf-8")
    entry = Entry.of("好", "ni2")
    with Voice.load(folder) as voice, Voice.load(plain_pack) as plain:
        (own,) = voice.plan("好天").parts
        (request,) = voice.plan("好天", lexicon=Lexicon({"好": entry})).parts
        for part, text in ((own, "好{hao4}天{di4}"), (request, "好{ni2}天{di4}")):
            (expected,) = plain.plan(text).parts
            assert np.array_equal(part.ids, expected.ids)
        (folder / "lexicon.csv").write_text("好,hao1\n", encoding="utf-8")
        assert voice.lexicon.look()
        (part,), (expected,) = voice.plan("好").parts, plain.plan("好{hao1}").parts
        assert np.array_equal(part.ids, expected.ids)
    (folder / "lexicon.csv").write_text("好\n", encoding="utf-8")
    with pytest.raises(LexiconError, match=r"lexicon\.csv:1: "):
        Voice.load(folder)


def test_a_voice_without_english_says_so_once(
    plain_pack: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = VoicePack(plain_pack).file
    fallback = {**nearest_phones(file.symbols.phones), **TONES}
    symbols = msgspec.structs.replace(file.symbols, fallback=fallback)
    planner = Planner(msgspec.structs.replace(file, symbols=symbols))
    with caplog.at_level(logging.WARNING):
        list(planner.plain(front_end(), "爱花儿", Style(), Lexicon()).parts)
        assert not caplog.records
        for text in ("打开WiFi", "USB"):
            list(planner.plain(front_end(), text, Style(), Lexicon()).parts)
    (record,) = caplog.records
    assert "was not trained on English" in record.getMessage()
