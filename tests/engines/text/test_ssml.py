from __future__ import annotations

import time
from contextlib import suppress

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engines.errors import TextError
from engines.text.frontend import FrontEnd
from engines.text.manner import Manner
from engines.text.ssml import DEEPEST, LONGEST_DOCUMENT, Document, read_ssml
from engines.text.symbols import symbols


def speak(content: str) -> str:
    return f"<speak>{content}</speak>"


def spoken(front_end: FrontEnd, document: Document) -> str:
    return " ".join(
        syllable.pinyin
        for sentence in front_end.read(document.script)
        for word in sentence.words
        for syllable in word.syllables
    )


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("你好", "ni2 hao3"),
        ("银<phoneme alphabet='pinyin' ph='xing2'>行</phoneme>", "yin2 xing2"),
        ("<phoneme ph='yi1'>一</phoneme>杯", "yi1 bei1"),
        ("<phoneme ph='wei4 fei1'>WiFi</phoneme>", "wei4 fei1"),
        ("用<phoneme alphabet='x-arpabet' ph='W AY1 . F AY0'>WIFI</phoneme>", "yong4 W AY1 F AY0"),
        (
            "<phoneme alphabet='kantts' ph='{h_c$tone2$s_begin$word_begin$emotion_none$F7} "
            "{ang_c$tone2$s_end$word_end$emotion_none$F7} {#1$tone_none$s_none}'>行</phoneme>",
            "hang2",
        ),
        ("<sub alias='世界卫生组织'>WHO</sub>", "shi4 jie4 wei4 sheng1 zu3 zhi1"),
        ("<say-as interpret-as='digits'>110</say-as>", "yi1 yi1 ling2"),
        ("<say-as interpret-as='telephone'>110</say-as>", "yao1 yao1 ling2"),
        ("<say-as interpret-as='characters'>A1b</say-as>", "EY1 yao1 B IY1"),
        ("<say-as interpret-as='ordinal'>2</say-as>名", "di4 er4 ming2"),
        ("你<break/>好", "ni3 hao3"),
        ("<p>你</p><p>好</p>", "ni3 hao3"),
        ("<s>你</s>好", "ni3 hao3"),
        ("你<mark name='a'/>好", "ni2 hao3"),
        ("<prosody rate='slow'>你</prosody>好", "ni2 hao3"),
        ("你&lt;好&#x4E16;<![CDATA[界]]><!-- no -->", "ni2 xiao3 yu2 hao3 shi4 jie4"),
        ("今天\n    天气\n  很好", "jin1 tian1 tian1 qi4 hen2 hao3"),
        ("<lang xml:lang='en'>room 42</lang>", "R UW1 M F AO1 R T IY0 T UW1"),
        ("房间 42", "fang2 jian1 si4 shi2 er4"),
        ("🙂<emphasis level='strong'>好</emphasis>", "hao3"),
    ],
)
def test_a_document_is_read(front_end: FrontEnd, content: str, expected: str) -> None:
    assert spoken(front_end, read_ssml(speak(content))) == expected


def test_spans_point_into_the_document(front_end: FrontEnd) -> None:
    head = "<?xml version='1.0' encoding='gbk'?>\n<speak>"
    text = head + "𠮷你&amp;<sub alias='一百'>💯</sub>\r\n好</speak>"
    (sentence,) = front_end.read(read_ssml(text).script)
    found = {w.text: text[slice(*w.span)] for w in sentence.words}
    assert found["一百"] == "💯"
    assert text[slice(*sentence.words[-1].syllables[-1].span)] == "好"
    assert text[slice(*sentence.words[0].syllables[-1].span)] == "你"


def test_manners_pauses_and_marks_are_where_they_were_written() -> None:
    text = speak(
        "一<prosody rate='80%' pitch='+2st'>二<emphasis>三</emphasis>"
        "<prosody volume='-6dB' rate='fast'>四</prosody></prosody><break time='250ms'/>五"
        "<mark name='here'/><emotion category='happy' intensity='0.5'>六</emotion>"
        "<voice name='F2'>七</voice>"
    )
    document = read_ssml(text)
    manners = [document.manner(text.index(c)) for c in "一二三四五六七"]
    assert manners[0] == manners[4] == Manner()
    assert manners[1] == Manner(rate=0.8, pitch=2.0)
    assert manners[2] == Manner(rate=0.8 * 0.92, pitch=2.0, volume=1.15)
    assert manners[3].rate == pytest.approx(1.0)
    assert manners[3].volume == pytest.approx(0.501, abs=1e-3)
    assert manners[5] == Manner(emotion="happy", intensity=0.5)
    assert manners[6] == Manner(speaker="F2")
    assert document.pauses == [(text.index("<break"), 0.25)]
    assert document.marks == [(text.index("<mark"), "here")]


@pytest.mark.parametrize(
    ("attributes", "manner"),
    [
        ("rate='x-slow'", Manner(rate=0.6)),
        ("rate='1.5'", Manner(rate=1.5)),
        ("rate='+20%'", Manner(rate=1.2)),
        ("rate='-20%'", Manner(rate=0.8)),
        ("pitch='high'", Manner(pitch=2.0)),
        ("pitch='-3.5st'", Manner(pitch=-3.5)),
        ("pitch='+100%'", Manner(pitch=12.0)),
        ("volume='silent'", Manner(volume=0.0)),
        ("volume='+20dB'", Manner(volume=10.0)),
        ("volume='50%'", Manner(volume=0.5)),
        ("volume='default'", Manner()),
    ],
)
def test_prosody(attributes: str, manner: Manner) -> None:
    text = speak(f"<prosody {attributes}>好</prosody>")
    assert read_ssml(text).manner(text.index("好")) == manner


@pytest.mark.parametrize(
    ("text", "line", "column", "reason"),
    [
        (speak("好<audio src='http://a/b'/>"), 1, 9, "<audio> is not understood"),
        (speak("\n<b>好</b>"), 2, 1, "<b> is not understood"),
        ("<p>好</p>", 1, 1, "one <speak> element"),
        (speak("<speak>好</speak>"), 1, 8, "one <speak> element"),
        (speak("<p mood='x'>好</p>"), 1, 8, "no attribute 'mood'"),
        (speak("<phoneme>好</phoneme>"), 1, 8, "needs the attribute ph"),
        (speak("<phoneme ph='hoa3'>好</phoneme>"), 1, 8, "not a syllable"),
        (speak("<phoneme ph='x' alphabet='ipa'>好</phoneme>"), 1, 8, "alphabet is 'ipa'"),
        (
            speak("<phoneme ph='{h_c$tone2}' alphabet='kantts'>好</phoneme>"),
            1,
            8,
            "KAN-TTS symbols",
        ),
        (speak("<phoneme ph='hao3'><s>好</s></phoneme>"), 1, 27, "holds no other element"),
        (speak("<sub>好</sub>"), 1, 8, "needs the attribute alias"),
        (speak("<say-as interpret-as='x'>好</say-as>"), 1, 8, "interpret-as is 'x'"),
        (speak("\n\n好<say-as interpret-as='date'>2026-13-01</say-as>"), 3, 2, "is not a date"),
        (speak("<prosody contour='(0%,+20Hz)'>好</prosody>"), 1, 8, "contour cannot"),
        (speak("<prosody rate='-100%'>好</prosody>"), 1, 8, "rate must leave something"),
        (speak("<prosody pitch='200Hz'>好</prosody>"), 1, 8, "none in Hz"),
        (speak("<prosody>好</prosody>"), 1, 8, "it changes nothing"),
        (speak("<emphasis level='big'>好</emphasis>"), 1, 8, "level is 'big'"),
        (speak("<break time='1m'/>好"), 1, 8, "time is '1m'"),
        (speak("<break time='11s'/>好"), 1, 8, "too long"),
        (speak("<break>好</break>"), 1, 15, "<break> holds nothing"),
        (speak("<emotion category='sad' intensity='3'>好</emotion>"), 1, 8, "from 0 to 2"),
        (speak("<lang xml:lang='ja'>好</lang>"), 1, 8, "reads zh and en"),
        (speak("好<?php run ?>"), 1, 9, "never followed"),
        (speak("<p>好"), 1, 14, "not well-formed"),
        (speak("好&nbsp;"), 1, 9, "not well-formed"),
        (speak("\ud800</p>"), 1, 11, "not well-formed"),
        ("", 1, 1, "not well-formed"),
        ("你好", 1, 1, "not well-formed"),
    ],
)
def test_errors_name_the_place(text: str, line: int, column: int, reason: str) -> None:
    with pytest.raises(TextError) as caught:
        read_ssml(text)
    assert caught.value.code == "bad_ssml"
    assert str(caught.value).startswith(f"line {line}, column {column}: ")
    assert reason in str(caught.value)


LAUGHS = "".join(f"<!ENTITY l{n} '{f'&l{n - 1};' * 10}'>" for n in range(1, 30))


@pytest.mark.parametrize(
    "text",
    [
        f"<!DOCTYPE speak [<!ENTITY l0 'ha'>{LAUGHS}]><speak>&l29;</speak>",
        "<!DOCTYPE speak SYSTEM 'http://localhost/a.dtd'><speak>好</speak>",
        "<!DOCTYPE speak [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><speak>&a;</speak>",
        "<!DOCTYPE speak [<!ENTITY % a SYSTEM 'file:///etc/passwd'> %a;]><speak>好</speak>",
        "<speak>" + "<p>" * 10_000 + "好" + "</p>" * 10_000 + "</speak>",
        "<speak>" + "<prosody rate='slow'>" * DEEPEST,
        speak("好" * LONGEST_DOCUMENT),
        "<speak a='" + "x" * 10_000_000 + "'/>",
    ],
)
def test_bombs_and_deep_nests_are_refused_at_once(text: str) -> None:
    start = time.process_time()
    with pytest.raises(TextError) as caught:
        read_ssml(text)
    assert caught.value.code == "ssml_refused"
    assert time.process_time() - start < 0.5


def test_a_large_document_is_read_in_time_that_grows_with_its_length() -> None:
    text = speak("<s>今天<emphasis>天气</emphasis>很好</s>" * 4000)
    start = time.process_time()
    document = read_ssml(text)
    assert len(document.script.text) == 4000 * 7
    assert time.process_time() - start < 3.0


def test_a_document_without_words_is_empty(front_end: FrontEnd) -> None:
    for content in ("", "<break/>", "<p> </p>", "<sub alias='😀'>好</sub>"):
        with pytest.raises(TextError) as caught:
            front_end.read(read_ssml(speak(content)).script)
        assert caught.value.code == "text_empty"


_TAGS = st.sampled_from(
    [
        *("<p>", "</p>", "<s>", "</s>", "<break/>", "<break time='5ms'/>", "<mark name='m'/>"),
        *(
            "<prosody rate='fast'>",
            "</prosody>",
            "<emphasis>",
            "</emphasis>",
            "<lang xml:lang='en'>",
        ),
        *("</lang>", "<sub alias='好 3'>", "</sub>", "<phoneme ph='hao3'>", "</phoneme>", "&amp;"),
        *(
            "<say-as interpret-as='digits'>",
            "</say-as>",
            "你好",
            "3.5",
            "\n",
            " ",
            "A",
            "。",
            "<",
            "㐀",
        ),
        *(
            "<phoneme ph='yi1 er4 san1 si4 wu3'>x</phoneme>",
            "<sub alias='五'>5</sub>",
            "😀",
            "\r\n",
        ),
        *(
            "<emotion category='sad'>好</emotion>",
            "<s>好</s>",
            "<p>1</p>",
            "<![CDATA[<]]>",
            "<!--",
            "-->",
        ),
    ]
)


@settings(max_examples=200, deadline=None, database=None)
@example(["<phoneme ph='yi1 er4 san1 si4 wu3'>x</phoneme>", "你好"])
@given(st.one_of(st.lists(_TAGS, max_size=20), st.lists(st.text(max_size=20), max_size=3)))
def test_any_document_is_read_or_refused(front_end: FrontEnd, pieces: list[str]) -> None:
    text = speak("".join(pieces))
    with suppress(TextError):
        document = read_ssml(text)
        sentences = front_end.read(document.script)
        spans = [s.span for x in sentences for w in x.words for s in w.syllables]
        assert all(0 <= start < end <= len(text) for start, end in spans)
        assert all(symbols(sentence) for sentence in sentences)
        places = [place for place, _ in document.manners]
        assert places == sorted(places)


@settings(max_examples=100, deadline=None, database=None)
@given(st.text(max_size=60))
def test_any_text_as_a_document_is_refused_or_read(text: str) -> None:
    with suppress(TextError):
        read_ssml(text)
