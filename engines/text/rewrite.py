"""What the number grammars misread, rewritten before they see it: codes, versions, links, units."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from types import MappingProxyType
from typing import Final

from engines.text.codes import CODES
from engines.text.dates import DATES
from engines.text.formulas import FORMULAS
from engines.text.links import LINKS, NAMED_LINKS, SPELLED_LINKS
from engines.text.measures import AMOUNTS, MEASURES
from engines.text.rules import Rule
from engines.text.settings import Links
from engines.text.spoken import cardinal, code, digits

__all__ = ["cardinal", "code", "digits", "rewrite"]

# Order matters: what is told by its words first, what is told by its form alone last.
_RULES: Final[tuple[Rule, ...]] = (*LINKS, *AMOUNTS, *CODES, *DATES, *MEASURES, *FORMULAS)


_LINKS: Final[Mapping[Links, tuple[Rule, ...]]] = MappingProxyType(
    {"spell": SPELLED_LINKS, "name": NAMED_LINKS}
)


def rewrite(text: str, links: Links = "spell") -> str:
    """The text with every rule applied once, in order."""
    for pattern, replacement in chain(_LINKS[links], _RULES):
        text = pattern.sub(replacement, text)
    return text
