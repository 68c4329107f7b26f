"""Links, mail addresses, lists and the marks of Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from engines.text.characters import table
from engines.text.rules import LATIN, Rule, rule
from engines.text.spoken import digits

_SIGNS: Final = table(".点 /斜杠 -杠 _下划线 @艾特 :冒号 ?问号 =等于 &和 %百分号 #井号 +加 ~波浪号")
_TAIL: Final = re.compile(r"[.,:?~]*$")
_LATIN_SHORT: Final = {"e.g.": "例如", "i.e.": "即"}
_DOMAINS: Final = "com|cn|org|net|edu|gov|io|ai|tv|cc|top|info"


def _link(match: re.Match[str]) -> str:
    address = re.sub(r"^[a-zA-Z]+://", "", match[0]).rstrip("/")
    tail = _TAIL.search(address)
    ending = tail[0] if tail else ""
    address = address.removesuffix(ending)
    spoken = "".join(_SIGNS.get(sign, sign) for sign in address)
    return f" {digits(spoken)} {ending}"


def _initials(match: re.Match[str]) -> str:
    """U.S.A. -> USA; e.g. and i.e. in Chinese."""
    return _LATIN_SHORT.get(match[0].lower()) or match[0].replace(".", "").upper()


def _name(name: str, labels: str, link: str) -> Rule:
    """A rule that names a link, by the word before it if there is one: 链接：a.cn -> 链接."""

    def named(match: re.Match[str]) -> str:
        ending = _TAIL.search(match[0])
        return (match["label"] or name) + (ending[0] if ending else "")

    return rule(rf"(?:(?P<label>{labels})[是为:：\s]*)?{link}", named)


_MAIL = r"(?<![A-Za-z0-9._+-])[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+"
_ADDRESS = r"(?i:(?:https?|ftp)://[!-~]+|www\.[!-~]+)"
_HOST = rf"(?<![A-Za-z0-9.-])(?:[A-Za-z0-9-]+\.)+(?:{_DOMAINS})(?![A-Za-z0-9])(?:/[!-~]*)?"
_ANY: Final = re.compile(f"{_MAIL}|{_ADDRESS}|{_HOST}")


def named_signs(text: str, start: int, end: int) -> Iterator[int]:
    """Places in text[start:end] of the signs of links that are said by their names."""
    for link in _ANY.finditer(text, start, end):
        yield from (place for place in range(*link.span()) if text[place] in _SIGNS)


SPELLED_LINKS: Final[tuple[Rule, ...]] = tuple(
    rule(pattern, _link) for pattern in (_MAIL, _ADDRESS, _HOST)
)
NAMED_LINKS: Final[tuple[Rule, ...]] = (
    _name("邮箱地址", "邮箱地址|邮件地址|电子邮箱|邮箱", _MAIL),
    _name("网址", "网址|链接|官网", _ADDRESS),
    _name("网址", "网址|链接|官网", _HOST),
)
LINKS: Final[tuple[Rule, ...]] = (
    rule(r"#(?:号键|键)", "井号键"),
    rule(r"[*](?:号键|键)", "星号键"),
    rule(r"^[ \t]*#{1,6}[ \t]+|\*\*|__|^[ \t]*[-*+>][ \t]+", ""),
    rule(r"(?<![0-9A-Za-z])#([^#\s，。！？；]{1,40})#", r"\1"),
    rule(r"^[ \t]*(\d{1,2})[.)、][ \t]*(?=\D)", r"\1、"),
    rule(r"(?<=按)#", "井号"),
    rule(r"(?<=\w)\s*(?:[→➔➜⇒]|->)\s*(?=\w)", "到"),
    rule(r"(?i:Wi-Fi)", "WiFi"),
    rule(LATIN + r"C\+\+", "C加加"),
    rule(LATIN + r"(?![ap]\.m\.)(?:[A-Za-z]\.){2,}(?![A-Za-z])", _initials),
    rule(LATIN + r"(Dr|Mr|Mrs|Ms|Prof|St|Jr|Sr|vs)\.(?= )", r"\1"),
    rule(LATIN + r"([A-Z])\. (?=[A-Z])", r"\1 "),
    rule(LATIN + r"C#", "C井"),
)
