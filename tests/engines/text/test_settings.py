from __future__ import annotations

import pytest

from engines.text.emoji import name_emoji
from engines.text.frontend import FrontEnd
from engines.text.normalize import Normalizer
from engines.text.settings import TextSettings

NAMED = TextSettings(emoji="name", links="name")


@pytest.fixture(scope="module")
def normalizer() -> Normalizer:
    return Normalizer()


def _said(normalizer: Normalizer, text: str, settings: TextSettings) -> str:
    return "".join(sentence.text for sentence in normalizer.sentences(text, settings))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("你好😀世界", "你好，嘿嘿，世界"),
        ("👍🏻很棒", "拇指向上，很棒"),
        ("我❤️你", "我，红心，你"),
        ("👨\u200d👩\u200d👧一家", "家庭，一家"),
        ("加油🇨🇳！", "加油，中国旗！"),
        ("👩🏽\u200d💻在写代码", "女程序员，在写代码"),
        ("1️⃣号", "一号"),
    ],
)
def test_emoji_are_named(normalizer: Normalizer, text: str, said: str) -> None:
    assert _said(normalizer, text, NAMED) == said


def test_an_emoji_without_a_name_stays_and_a_joined_one_goes_by_its_first() -> None:
    assert name_emoji("\U0001f0a1") == "\U0001f0a1"
    assert name_emoji("\U0001faff") == "\U0001faff"
    assert name_emoji("😀\u200d🎂") == "，嘿嘿"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("发邮件到service@example.com。", "发邮件到邮箱地址。"),
        ("请访问www.example.com/a?b=1，谢谢", "请访问网址，谢谢"),
        ("网址：https://a.cn/b", "网址"),
        ("请点击链接http://x.cn/a", "请点击链接"),
        ("邮箱是a@qq.com", "邮箱"),
        ("登录gov.cn查询", "登录网址查询"),
        ("版本2.0.1", "版本二点零点一"),
    ],
)
def test_links_are_named(normalizer: Normalizer, text: str, said: str) -> None:
    assert _said(normalizer, text, NAMED) == said


def test_what_is_not_set_stays_as_it_was(normalizer: Normalizer) -> None:
    assert _said(normalizer, "😀访问a.cn", TextSettings()) == "访问 a点cn"
    assert TextSettings() == TextSettings(emoji="drop", links="spell")


def test_a_wrong_value_names_those_that_are_known() -> None:
    with pytest.raises(ValueError, match="emoji is one of drop, name, not 'say'"):
        TextSettings(emoji="say")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="links is one of spell, name, not ''"):
        TextSettings(links="")  # type: ignore[arg-type]


def test_the_settings_of_a_front_end_may_be_replaced(front_end: FrontEnd) -> None:
    front_end.settings = NAMED
    try:
        (sentence,) = front_end.read("你好😀")
    finally:
        front_end.settings = TextSettings()
    assert [(word.text, word.span) for word in sentence.words] == [
        ("你好", (0, 2)),
        ("嘿嘿", (2, 3)),
    ]
    (sentence,) = front_end.read("你好😀")
    assert [word.text for word in sentence.words] == ["你好"]
