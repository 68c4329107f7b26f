from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engines.errors import TextError
from engines.pack import VoicePack
from engines.planner import Planner
from engines.style import Style
from engines.text.frontend import FrontEnd
from engines.text.lexicon import Lexicon
from engines.text.sentence import Unread
from engines.text.ssml import read_ssml

VOICE = Path(__file__).parents[3] / "voices" / "yue"
EMOJI, CHARACTER = "emoji_left_out", "character_unreadable"


def _unread(front_end: FrontEnd, text: str) -> list[tuple[str, str]]:
    found: list[Unread] = []
    front_end.read(text, unread=found)
    assert all(text[left.start : left.end] == left.text for left in found)
    return [(left.code, left.text) for left in found]


@pytest.mark.parametrize(
    ("text", "unread"),
    [
        ("你好😀世界。Привет，再见！", [(EMOJI, "😀"), (CHARACTER, "Привет")]),
        ("🎉！你好", [(EMOJI, "🎉")]),
        ("你好！👍🏻👨\u200d👩\u200d👧。好🇨🇳", [(EMOJI, "👍🏻👨\u200d👩\u200d👧"), (EMOJI, "🇨🇳")]),
        ("12😀世界", [(EMOJI, "😀")]),
        ("你\ud800好\udfff", [(CHARACTER, "\ud800"), (CHARACTER, "\udfff")]),
        ("東京タワーの駅", [(CHARACTER, "タワーの")]),
        ("好==好", [(CHARACTER, "==")]),
        ("a+b=c<d>", [(CHARACTER, ">")]),
        ("<提示>", [(CHARACTER, "<"), (CHARACTER, ">")]),
        ("行{hagn2}吗", [("pinyin_refused", "{hagn2}")]),
        ("𠮷野家", [(CHARACTER, "𠮷")]),
    ],
)
def test_what_is_left_out_is_reported_with_its_place(
    front_end: FrontEnd, text: str, unread: list[tuple[str, str]]
) -> None:
    assert _unread(front_end, text) == unread


@pytest.mark.parametrize(
    "text",
    [
        "“你好”，（世界）！【提示】《书》…… — ·~",
        "# 标题\n**重点**：__好__\n- 牛奶\n> 引用\n#春节#",
        "\u200b\ufeff\x00你\u202e好",
        "请访问 www.gov.cn、baidu.com 或 http://192.168.0.1:8080/a/b?x=1&y=2#top。",
        "均价12,500元/㎡，清朝（1644年—1912年），余额为0.00元，https://a.cn/b，1️⃣",
    ],
)
def test_signs_that_have_no_sound_are_not_reported(front_end: FrontEnd, text: str) -> None:
    assert _unread(front_end, text) == []


def test_own_cases_report_only_what_no_one_would_say(front_end: FrontEnd, data: Path) -> None:
    lines = (data / "cases.tsv").read_text(encoding="utf-8").splitlines()
    found: dict[str, list[tuple[str, str]]] = {}
    for line in lines:
        role, text, _ = line.split("\t")
        if role != "emoji" and text not in ("<提示>", "☎ 010-12345678"):
            found[text] = _unread(front_end, text)
    assert not {text: unread for text, unread in found.items() if unread}


_LOUD = st.sampled_from([*"好a1😀жの→♪§®", "你好", "好，", "好。", "2.5", "{ni9}", "{hao8}"])


@settings(max_examples=200, deadline=None, database=None)
@example(["😀", "好", "😀", "好", "好"])
@given(st.lists(_LOUD, min_size=1, max_size=16))
def test_every_character_is_said_or_reported(front_end: FrontEnd, pieces: list[str]) -> None:
    text = "".join(pieces)
    unread: list[Unread] = []
    try:
        sentences = front_end.read(text, unread=unread)
    except TextError:
        return
    told = {place for left in unread for place in range(left.start, left.end)}
    for sentence in sentences:
        for word in sentence.words:
            told.update(*(range(*syllable.span) for syllable in word.syllables))
    silent = [place for place, c in enumerate(text) if place not in told and c not in " ，。*{}"]
    assert not silent, [text[place] for place in silent]
    assert all(text[left.start : left.end] == left.text for left in unread)
    starts = [left.start for left in unread]
    assert starts == sorted(starts)


def test_places_are_those_of_the_document(front_end: FrontEnd) -> None:
    text = "<speak>去<sub alias='机场'>PVG</sub>😀吧</speak>"
    unread: list[Unread] = []
    front_end.read(read_ssml(text).script, unread=unread)
    assert [(text[left.start : left.end], left.code) for left in unread] == [("😀", EMOJI)]


def test_a_plan_gathers_them_as_its_parts_are_taken(front_end: FrontEnd) -> None:
    plan = Planner(VoicePack(VOICE).file).plain(front_end, "你好😀。再见。ж", Style(), Lexicon())
    assert [left.text for left in plan.unread] == ["😀"]
    assert len(list(plan.parts)) == 2
    assert [left.text for left in plan.unread] == ["😀", "ж"]
