from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import zip_longest
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.errors import TextError
from engines.text import cli
from engines.text.symbol_text import read_symbols
from engines.text.symbols import symbols
from engines.voice import Voice

TEXTS = [
    "今天天气真好，阳光洒在窗台上，我泡了一杯咖啡。",
    "共3.5元！请用WiFi，say hello。你好",
    "花儿开了，这儿有小孩儿；绿色的驴，女儿二十二岁。",
    "今天天气真好，阳光洒在窗台上，" * 12 + "再见。",
]


@pytest.fixture(scope="module")
def voice(nsf_pack: Path) -> Iterator[Voice]:
    with Voice.load(nsf_pack) as loaded:
        yield loaded


@pytest.mark.parametrize("text", TEXTS)
def test_what_sambertctl_prints_is_said_as_the_text_itself(
    voice: Voice, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([text, "--symbols", "--speaker", "nobody"]) == 0
    by_text = voice.plan(text).parts
    by_symbols = voice.plan(capsys.readouterr().out, markup="symbols").parts
    for one, other in zip_longest(by_text, by_symbols):
        np.testing.assert_array_equal(one.ids, other.ids)
        assert one.sentence == other.sentence


def test_pinyin_arpabet_and_breaks(voice: Voice) -> None:
    text = "ni3 hao3 #3 W AY1 . F AY0 #1 {b_c$tone4$s_begin} {ei_c$tone4$s_end}"
    (sentence,) = read_symbols(text)
    assert [[s.pinyin for s in word.syllables] for word in sentence.words] == [
        ["ni3", "hao3"],
        ["W AY1", "F AY0"],
        ["bei4"],
    ]
    assert [word.break_after for word in sentence.words] == [3, 1, 4]
    spans = [text[slice(*s.span)] for word in sentence.words for s in word.syllables]
    assert spans[:4] == ["ni3", "hao3", "W AY1", "F AY0"]
    assert spans[4] == "{b_c$tone4$s_begin} {ei_c$tone4$s_end}"
    assert sum(len(chunk.pcm) for chunk in voice.stream(voice.plan(text, markup="symbols"))) > 8000


def test_a_line_is_a_sentence_and_a_breath_inside_is_a_part(voice: Voice) -> None:
    text = "ni3 hao3 #4 ma5\n\n  zai4 jian4 #4\r\n"
    first, second = read_symbols(text)
    assert (first.text, second.text) == ("ni3 hao3 ma5", "zai4 jian4")
    assert text[slice(*second.words[0].span)] == "zai4 jian4"
    planned = list(voice.plan(text, markup="symbols").parts)
    assert [part.sentence for part in planned] == [0, 0, 1]
    assert [part.pause_s for part in planned] == [0.1, 0.28, 0.28]
    assert [part.said and part.said.text for part in planned] == ["ni3 hao3 ma5", "", "zai4 jian4"]


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("ni3 hao3\nni3 hau3", "line 2, column 5", "neither a symbol nor a syllable"),
        ("你好", "line 1, column 1", "'你好' is neither"),
        ("#1 ni3", "line 1, column 1", "no word is before it"),
        ("ni3 #2 #3", "line 1, column 8", "no word is before it"),
        ("{n_c$tone3$s_begin} ni3", "line 1, column 21", "has no end"),
        ("{n_c$tone3$s_begin}", "line 1, column 1", "has no end"),
        ("{i_c$tone3$s_end}", "line 1, column 1", "no syllable has begun"),
        ("{n_c$tone3}", "line 1, column 1", "is no symbol"),
        ("{n_c$tone3$s_both$word_odd}", "line 1, column 1", "is no symbol"),
        ("{q_c$tone3$s_begin} {ua_c$tone3$s_end}", "line 1, column 21", "is no syllable"),
        ("QQ1", "line 1, column 1", "neither"),
    ],
)
def test_an_error_names_the_place(text: str, place: str, words: str) -> None:
    with pytest.raises(TextError) as caught:
        read_symbols(text)
    assert caught.value.code == "bad_symbols"
    assert str(caught.value).startswith(place)
    assert words in str(caught.value)


def test_no_symbols_at_all() -> None:
    for text in ("", " \n \t"):
        with pytest.raises(TextError) as caught:
            read_symbols(text)
        assert caught.value.code == "text_empty"


_TOKENS = st.sampled_from(
    [
        *("ni3", "hao3", "#1", "#4", "\n", " ", ".", "W", "AY1", "x", "{", "}", "$", "{#1$}"),
        *("{n_c$tone3$s_begin}", "{i_c$tone3$s_end}", "{b$tone1$s_both}", "{a$b$c$d$e$f$g}"),
    ]
)


@settings(max_examples=300, deadline=None, database=None)
@given(st.lists(st.one_of(_TOKENS, st.text(max_size=3)), max_size=12).map(" ".join))
def test_anything_is_read_or_refused(text: str) -> None:
    with suppress(TextError):
        for sentence in read_symbols(text):
            assert sentence.words[-1].break_after == 4
            assert symbols(sentence)
            for word in sentence.words:
                assert text[slice(*word.span)].strip()
