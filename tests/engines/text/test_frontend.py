from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engines.errors import TextError
from engines.text.frontend import FrontEnd
from engines.text.lexicon import Entry, Lexicon
from engines.text.sentence import Sentence
from engines.text.symbols import SymbolTable, symbols

TABLE = SymbolTable.default()


def _rows(path: Path) -> list[list[str]]:
    return [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]


def _spoken(sentences: list[Sentence]) -> list[str]:
    return [
        syllable.pinyin.replace(" ", "_")
        for sentence in sentences
        for word in sentence.words
        for syllable in word.syllables
    ]


def _length(sentence: Sentence) -> int:
    return sum(len(word.syllables) for word in sentence.words)


def test_symbols_equal_those_of_ttsfrd(front_end: FrontEnd, data: Path) -> None:
    for text, expected in _rows(data / "ttsfrd_symbols.tsv"):
        (sentence,) = front_end.read(text)
        assert symbols(sentence) == expected.split()


def test_breaks_equal_those_of_ttsfrd(front_end: FrontEnd, data: Path) -> None:
    rows = _rows(data / "ttsfrd_breaks.tsv")
    assert len(rows) == 2
    for text, expected in rows:
        (sentence,) = front_end.read(text)
        assert "".join(f"{w.text}#{w.break_after}" for w in sentence.words) == expected


def test_everyday_sentences_are_read_right(front_end: FrontEnd, data: Path) -> None:
    wrong = {}
    for text, expected in _rows(data / "sentences.tsv"):
        spoken = _spoken(front_end.read(text))
        if spoken != expected.split():
            wrong[text] = " ".join(spoken)
    assert not wrong


PROMISE = "今天天气真好，阳光洒在窗台上，我泡了一杯咖啡，准备开始一天的工作。"


def test_the_first_promise_is_read_as_a_speaker_would(front_end: FrontEnd) -> None:
    (sentence,) = front_end.read(PROMISE)
    assert " ".join(_spoken([sentence])) == (
        "jin1 tian1 tian1 qi4 zhen1 hao3 yang2 guang1 sa3 zai4 chuang1 tai2 shang4 "
        "wo3 pao4 le5 yi4 bei1 ka1 fei1 zhun3 bei4 kai1 shi3 yi4 tian1 de5 gong1 zuo4"
    )
    assert "".join(f"{word.text}#{word.break_after}" for word in sentence.words) == (
        "今天#1天气#1真好#3阳光#1洒在#1窗台上#3我泡了#1一杯#1咖啡#3准备#1开始#1一天的#1工作#4"
    )


def test_every_pause_inside_a_sentence_is_3(front_end: FrontEnd) -> None:
    text = "我们有苹果、香蕉、葡萄和梨，价格：三元；欢迎（周末除外）选购……好吗？"
    (sentence,) = front_end.read(text)
    assert "".join(f"{word.text}#{word.break_after}" for word in sentence.words) == (
        "我们#1有#1苹果#3香蕉#3葡萄#1和梨#3价格#3三元#3欢迎#3周末#1除外#3选购#3好吗#4"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3号线往莘庄方向", "三号线#1往莘庄#1方向#4"),
        ("三号楼二单元", "三号楼#1二#1单元#4"),
        ("限高3米", "限高#1三米#4"),
    ],
)
def test_a_number_keeps_to_its_own_word(front_end: FrontEnd, text: str, expected: str) -> None:
    (sentence,) = front_end.read(text)
    assert "".join(f"{word.text}#{word.break_after}" for word in sentence.words) == expected


def test_who_wants_yi1_bei1_has_it_by_lexicon_or_inline(front_end: FrontEnd) -> None:
    lexicon = Lexicon({"一杯": Entry.of("一杯", "yi1 bei1")})
    for sentences in (
        front_end.read(PROMISE, lexicon),
        front_end.read(PROMISE.replace("一杯", "一{yi1}杯")),
    ):
        assert "pao4 le5 yi1 bei1 ka1 fei1" in " ".join(_spoken(sentences))


def test_sentences_end_at_full_stops_and_pauses_are_3(front_end: FrontEnd) -> None:
    first, second = front_end.read("你好，世界！今天；明天")
    assert first.text == "你好，世界！"
    assert [word.break_after for word in first.words] == [3, 4]
    assert [word.break_after for word in second.words] == [3, 4]


@pytest.mark.parametrize(
    "text", ["", "   \n\t", "😀🎉👍🏽", "。，！？……", "——（）《》", "\u200b\ufeff"]
)
def test_text_without_words_is_empty(front_end: FrontEnd, text: str) -> None:
    with pytest.raises(TextError, match="send") as caught:
        front_end.read(text)
    assert caught.value.code == "text_empty"


@pytest.mark.parametrize("text", ["Привет, мир", "안녕하세요", "こんにちは", "สวัสดี", "مرحبا"])
def test_text_of_other_scripts_is_unreadable(front_end: FrontEnd, text: str) -> None:
    with pytest.raises(TextError, match="write it in Chinese") as caught:
        front_end.read(text)
    assert caught.value.code == "text_unreadable"


def test_what_is_left_out_is_noted(front_end: FrontEnd) -> None:
    first, second = front_end.read("你好😀世界。Привет，再见！")
    assert first.text == "你好世界。"
    assert "😀 (U+1F600)" in first.notes[0]
    assert "П (U+041F)" in second.notes[0]
    assert [word.text for word in second.words] == ["再见"]


def test_what_is_left_out_of_a_wordless_sentence_is_noted_beside_it(front_end: FrontEnd) -> None:
    (before,) = front_end.read("🎉！你好")
    (after,) = front_end.read("你好！🎉")
    assert "🎉" in before.notes[0]
    assert "🎉" in after.notes[0]


def test_clean_text_has_no_notes(front_end: FrontEnd) -> None:
    assert all(not sentence.notes for sentence in front_end.read("你好，“世界”！（Wi-Fi）"))


def test_words_carry_the_punctuation_after_them(front_end: FrontEnd) -> None:
    marks = [
        [word.marks for word in sentence.words]
        for sentence in front_end.read("“你好”，（世界）！”\n  今天；好…「明天」——再见？！\n\n嗯")
    ]
    assert marks == [["，（", "）！\n"], ["；", "…", "——", "？！\n"], [""]]


def test_a_number_with_several_points_keeps_its_digits(front_end: FrontEnd) -> None:
    (sentence,) = front_end.read("3.53.5花儿")
    assert "".join(word.text for word in sentence.words) == "三点五三点五花儿"


def test_a_long_sentence_stays_whole(front_end: FrontEnd) -> None:
    (sentence,) = front_end.read("今天天气真好，" * 60)
    assert _length(sentence) == 6 * 60


def test_5000_characters_take_no_longer_than_a_breath(front_end: FrontEnd) -> None:
    text = ("今天是11月22日，天气真好，阳光洒在窗台上，我泡了一杯coffee。" * 150)[:5000]
    start = time.process_time()
    sentences = front_end.read(text)
    assert len(sentences) > 100
    assert time.process_time() - start < 3.0


# Whatever the text, the only refusal is a TextError, and all that is read can be encoded.
_PIECES = st.sampled_from(
    [
        *(
            "你好",
            "一",
            "不",
            "儿",
            "点",
            "行",
            "得",
            "了",
            "银行",
            "WiFi",
            "a",
            "'",
            "G1234",
            "C++",
        ),
        *("2026-11-22", "14:30", "99.8%", "¥", "-5℃", "1/3", "+86 138-1234-5678", "http://a.cn/b"),
        *(
            "，",
            "。",
            "！",
            "…",
            " ",
            "\n",
            "“",
            "（",
            "😀",
            "ж",
            "𠮷",
            "①",
            "②",
            "ü",
            "#",
            "\\",
            '"',
        ),
    ]
)


@settings(max_examples=150, deadline=None, database=None)
@example("好\ud800")
@given(st.one_of(st.text(max_size=60), st.lists(_PIECES, max_size=24).map("".join)))
def test_any_text_is_read_or_refused(front_end: FrontEnd, text: str) -> None:
    try:
        sentences = front_end.read(text)
    except TextError:
        return
    assert sentences
    for sentence in sentences:
        line = symbols(sentence)
        assert TABLE.encode(line).shape == (len(line), 6)
        assert _length(sentence) > 0
        assert [w.break_after for w in sentence.words][-1] == 4
        assert all(w.text and w.syllables and w.break_after in (1, 3) for w in sentence.words[:-1])


def test_every_character_of_gb2312_has_a_syllable(front_end: FrontEnd) -> None:
    codes = (bytes((high, low)) for high in range(0xB0, 0xF8) for low in range(0xA1, 0xFF))
    text = "，".join(code.decode("gb2312", "ignore") for code in codes)
    sentences = front_end.read(text)
    assert not [sentence.notes for sentence in sentences if sentence.notes]
    assert sum(map(_length, sentences)) == 6763
