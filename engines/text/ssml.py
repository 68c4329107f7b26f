"""SSML, the part of W3C's Speech Synthesis Markup Language 1.1 that a small voice can follow.

Nothing in a document is fetched, expanded or run: a document type, an entity or a processing
instruction is refused, and so is what is large or deep, before it costs anything.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final
from xml.parsers import expat

from engines.errors import EngineError, TextError
from engines.text.characters import HAN
from engines.text.english_numbers import in_english
from engines.text.manner import Manner, break_s
from engines.text.normalize import PAUSES
from engines.text.pronunciation import from_symbols, syllables
from engines.text.say_as import say_as
from engines.text.script import Script, Writer
from engines.text.spans import Span

LONGEST_DOCUMENT: Final = 200_000  # characters
DEEPEST: Final = 32  # elements inside each other
_HELD: Final = ("phoneme", "sub", "say-as")  # what they hold is read as a whole
# Attributes, those that must be there with a "!".
_ELEMENTS: Final[Mapping[str, frozenset[str]]] = {
    name: frozenset(attributes.split())
    for name, attributes in {
        "speak": "version xml:lang",
        "p": "xml:lang",
        "s": "xml:lang",
        "lang": "xml:lang!",
        "break": "time strength",
        "mark": "name!",
        "voice": "name!",
        "emotion": "category! intensity",
        "emphasis": "level",
        "prosody": "rate pitch volume contour range duration",
        "phoneme": "ph! alphabet",
        "sub": "alias!",
        "say-as": "interpret-as! format",
    }.items()
}
_ENDS: Final = frozenset("。！？!?\n")


@dataclass(frozen=True, slots=True)
class Document:
    """A document as a script whose origin is the document, and what happens at its characters.

    manners: from which character on what is said how. pauses: seconds of silence before what
    follows that character. marks: names. All in the order of the document.
    """

    script: Script
    manners: Sequence[tuple[int, Manner]]
    pauses: Sequence[tuple[int, float]]
    marks: Sequence[tuple[int, str]]

    def manner(self, place: int) -> Manner:
        """How what stands at this character of the document is said."""
        return self.manners[bisect_right(self.manners, place, key=lambda m: m[0]) - 1][1]


def read_ssml(text: str) -> Document:
    """The document in a text, which is one <speak> element.

    Raises TextError: bad_ssml, not well-formed or with what is not understood (the message begins
    with line and column); ssml_refused, too large, too deep, or with a document type.
    """
    if len(text) > LONGEST_DOCUMENT:
        raise TextError(
            "ssml_refused",
            f"{len(text)} characters of SSML are more than {LONGEST_DOCUMENT}; send them in parts",
        )
    return _Reader(text).read()


@dataclass(frozen=True, slots=True)
class _Open:
    """An element that has begun at a character of the document."""

    name: str
    attributes: Mapping[str, str]
    manner: Manner
    english: bool
    start: int


class _Reader:
    """Follows the events of the parser."""

    def __init__(self, text: str) -> None:
        self._data = text.encode("utf-8", "replace")
        self._writer = Writer()
        self._open: list[_Open] = []
        self._held: list[tuple[str, Span]] = []
        self._last, self._blank = "", ""
        self._blank_at: Span = (0, 0)
        self._byte = self._place = 0
        self._manners: list[tuple[int, Manner]] = [(0, Manner())]
        self._pauses: list[tuple[int, float]] = []
        self._marks: list[tuple[int, str]] = []
        self._parser = expat.ParserCreate("utf-8")
        self._parser.buffer_text = False
        self._parser.StartElementHandler = self._begin
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self._parser.StartDoctypeDeclHandler = self._refuse_type
        self._parser.EntityDeclHandler = self._refuse_type
        self._parser.ProcessingInstructionHandler = self._refuse_instruction

    def read(self) -> Document:
        try:
            self._parser.Parse(self._data, True)
        except expat.ExpatError as error:
            raise TextError(
                "bad_ssml",
                f"line {error.lineno}, column {error.offset + 1}: this is not well-formed XML: "
                f"{expat.errors.messages.get(error.code, '') or expat.ErrorString(error.code)}",
            ) from error
        return Document(self._writer.script(), self._manners, self._pauses, self._marks)

    # Events

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        start = self._here()
        outer = self._open[-1] if self._open else None
        if len(self._open) >= DEEPEST:
            raise self._error(
                f"elements stand more than {DEEPEST} deep; close some", "ssml_refused"
            )
        given = self._checked(name, attributes, outer)
        manner = outer.manner if outer else Manner()
        english = outer.english if outer else False
        if "xml:lang" in given:
            english = self._is_english(given["xml:lang"])
        try:
            manner = _manner(name, given, manner)
            if name == "break":
                self._pause(start, break_s(given), given.get("strength") == "none")
        except ValueError as error:
            raise self._error(f"<{name}>: {error}") from error
        self._open.append(_Open(name, given, manner, english, start))
        if name == "mark":
            self._marks.append((start, given["name"]))
        elif name in ("p", "s"):
            self._boundary(name, start)
        self._turn(start)

    def _end(self, name: str) -> None:
        place = self._here()
        element = self._open.pop()
        if name in _HELD:
            try:
                self._say(element)
            except (ValueError, EngineError) as error:
                raise self._error(f"<{name}>: {error}", place=element.start) from error
            self._held = []
        elif name in ("p", "s"):
            self._boundary(name, place)
        self._turn(place)

    def _text(self, data: str) -> None:
        place = self._here()
        element = self._open[-1]
        if element.name in ("break", "mark"):
            if data.strip():
                raise self._error(f"<{element.name}> holds nothing; close it before the text")
            return
        if element.name in _HELD:
            self._held += [(c, (place + n, place + n + 1)) for n, c in enumerate(data)]
            return
        text = in_english(data) if element.english else [(data, (0, len(data)))]
        for piece, (first, last) in text:
            if last - first == len(piece):
                for index, character in enumerate(piece, place + first):
                    self._character(character, (index, index + 1))
            else:
                for character in piece:
                    self._character(character, (place + first, place + last))

    def _refuse_type(self, *_: object) -> None:
        raise self._error(
            "a document type or an entity is never read; leave it out", "ssml_refused"
        )

    def _refuse_instruction(self, *_: object) -> None:
        raise self._error("an instruction (<?...?>) is never followed; leave it out")

    # Elements

    def _checked(
        self, name: str, attributes: Mapping[str, str], outer: _Open | None
    ) -> Mapping[str, str]:
        """The attributes, if element and attributes may stand here."""
        known = _ELEMENTS.get(name)
        if known is None:
            have = ", ".join(_ELEMENTS)
            raise self._error(f"<{name}> is not understood, but: {have}")
        if (name == "speak") != (outer is None):
            raise self._error("the document is one <speak> element, and there is no other in it")
        if outer and outer.name in (*_HELD, "break", "mark"):
            raise self._error(f"<{outer.name}> holds no other element; close it before <{name}>")
        given = dict(attributes)
        if name == "speak":
            given = {k: v for k, v in given.items() if not k.startswith(("xmlns", "xsi:"))}
        wanted = {attribute.removesuffix("!") for attribute in known}
        for attribute in given:
            if attribute not in wanted:
                have = ", ".join(sorted(wanted)) or "none"
                raise self._error(f"<{name}> has no attribute {attribute!r}, but: {have}")
        for attribute in known:
            if attribute.endswith("!") and not given.get(attribute[:-1], "").strip():
                raise self._error(f"<{name}> needs the attribute {attribute[:-1]}")
        return given

    def _is_english(self, language: str) -> bool:
        main = language.lower().replace("_", "-").split("-")[0]
        if main not in ("zh", "cmn", "en"):
            raise self._error(f"xml:lang is {language!r}; this voice reads zh and en")
        return main == "en"

    def _say(self, element: _Open) -> None:
        """What an element says for the text it holds."""
        given = element.attributes
        text = "".join(character for character, _ in self._held)
        start = self._held[0][1][0] if self._held else element.start
        span = (start, self._held[-1][1][1] if self._held else start + 1)
        if element.name == "phoneme":
            self._phoneme(text, span, given)
            return
        if element.name == "sub":
            spoken = given["alias"]
        else:
            spoken = say_as(given["interpret-as"], text, given.get("format", ""))
        for character in spoken:
            self._character(character, span)

    def _phoneme(self, text: str, span: Span, given: Mapping[str, str]) -> None:
        alphabet = given.get("alphabet", "pinyin").removeprefix("x-")
        if alphabet not in ("pinyin", "arpabet", "kantts"):
            raise ValueError(f"alphabet is {alphabet!r}; write pinyin, arpabet or kantts")
        spoken = from_symbols(given["ph"]) if alphabet == "kantts" else syllables(given["ph"])
        held = [(c, s) for c, s in self._held if not c.isspace()]
        self._flush("")
        han = bool(held) and all(HAN.match(character) for character, _ in held)
        if han and len(held) == len(spoken) and not spoken[0][0].isupper():
            self._writer.read("".join(c for c, _ in held), [s for _, s in held], spoken)
        else:
            self._writer.unit(text.strip() or given["ph"], span, spoken)
        self._last = held[-1][0] if held else "㐀"

    # Writing

    def _character(self, character: str, span: Span) -> None:
        if character.isspace():
            if not self._blank:
                self._blank_at = span
            self._blank += character
            return
        self._flush(character)
        self._writer.say(character, span)
        self._last = character

    def _flush(self, following: str) -> None:
        """Write the blank that came before: none for a line break between Chinese characters."""
        if self._blank and self._last:
            broken = "\n" in self._blank and HAN.match(self._last)
            if not (broken and (not following or HAN.match(following))):
                self._writer.say(" ", self._blank_at)
        self._blank = ""

    def _boundary(self, name: str, place: int) -> None:
        """The end of a sentence, or of a paragraph."""
        self._blank = ""
        if self._last and (self._last not in _ENDS or (name == "p" and self._last != "\n")):
            self._last = "\n" if name == "p" else "。"
            self._writer.say(self._last, (place, place))

    def _pause(self, place: int, seconds: float, none: bool) -> None:
        if none and not seconds:
            return
        self._pauses.append((place, seconds))
        self._blank = ""
        if self._last and self._last not in PAUSES:
            self._writer.say("，", (place, place))
            self._last = "，"

    def _turn(self, place: int) -> None:
        """From here on the manner of the innermost element."""
        manner = self._open[-1].manner if self._open else Manner()
        if manner != self._manners[-1][1]:
            self._manners.append((place, manner))

    # Places

    def _here(self) -> int:
        """The character of the document the parser is at."""
        byte = self._parser.CurrentByteIndex
        self._place += len(self._data[self._byte : byte].decode("utf-8"))
        self._byte = byte
        return self._place

    def _error(self, message: str, code: str = "bad_ssml", place: int | None = None) -> TextError:
        if place is None:
            line, column = self._parser.CurrentLineNumber, self._parser.CurrentColumnNumber + 1
        else:
            before = self._data.decode("utf-8")[:place]
            line, column = before.count("\n") + 1, place - before.rfind("\n")
        return TextError(code, f"line {line}, column {column}: {message}")


def _manner(name: str, given: Mapping[str, str], manner: Manner) -> Manner:
    if name == "prosody":
        return manner.prosody(given)
    if name == "emphasis":
        return manner.emphasis(given.get("level", "moderate"))
    if name == "emotion":
        return manner.feeling(given["category"], given.get("intensity", "1"))
    if name == "voice":
        return replace(manner, speaker=given["name"])
    return manner
