"""Links, mail addresses, lists and the marks of Markdown."""

from __future__ import annotations

import re
from typing import Final

from engines.text.characters import table
from engines.text.rules import LATIN, Rule, rule
from engines.text.spoken import digits

_SIGNS: Final = table(".点 /斜杠 -杠 _下划线 @艾特 :冒号 ?问号 =等于 &和 %百分号 #井号 +加 ~波浪号")
_DOMAINS: Final = "com|cn|org|net|edu|gov|io|ai|tv|cc|top|info"


def _link(match: re.Match[str]) -> str:
    address = re.sub(r"^[a-zA-Z]+://", "", match[0]).rstrip("/")
    tail = re.search(r"[.,:?~]*$", address)
    ending = tail[0] if tail else ""
    address = address.removesuffix(ending)
    spoken = "".join(_SIGNS.get(sign, sign) for sign in address)
    return f" {digits(spoken)} {ending}"


LINKS: Final[tuple[Rule, ...]] = (
    rule(r"(?<![A-Za-z0-9._+-])[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+", _link),
    rule(r"(?i:(?:https?|ftp)://[!-~]+|www\.[!-~]+)", _link),
    rule(
        rf"(?<![A-Za-z0-9.-])(?:[A-Za-z0-9-]+\.)+(?:{_DOMAINS})(?![A-Za-z0-9])(?:/[!-~]*)?",
        _link,
    ),
    rule(r"#(?:号键|键)", "井号键"),
    rule(r"[*](?:号键|键)", "星号键"),
    rule(r"^[ \t]*#{1,6}[ \t]+|\*\*|__|^[ \t]*[-*+][ \t]+", ""),
    rule(r"^[ \t]*(\d{1,2})[.)、][ \t]*(?=\D)", r"\1、"),
    rule(r"(?i:Wi-Fi)", "WiFi"),
    rule(LATIN + r"C\+\+", "C加加"),
    rule(LATIN + r"C#", "C井"),
)
