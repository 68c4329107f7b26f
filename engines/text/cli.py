"""`sambertctl text`: what the front end makes of a text, without a daemon."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from itertools import chain
from pathlib import Path
from typing import NoReturn

from engines.errors import EngineError
from engines.text.clauses import LONGEST_FIRST, LONGEST_PART, parts
from engines.text.frontend import FrontEnd
from engines.text.lexicon import Lexicon
from engines.text.lexicon_file import read_lexicon
from engines.text.sentence import Sentence, Unread, Word
from engines.text.settings import EMOJI, LINKS, TextSettings
from engines.text.span_table import padded, rows, table, width
from engines.text.ssml import read_ssml
from engines.text.symbols import symbols

EXIT_CODES = """exit codes:
  0  done
  2  the command line or the settings are wrong, or a text: empty, too long, not to be read"""


def main(argv: Sequence[str] | None = None) -> int:
    """Print the reading of a text; 0, or 2 with the reason on stderr if it cannot be read."""
    words = sys.argv[1:] if argv is None else argv
    arguments = parser(as_json="--json" in words).parse_args(words)
    text = arguments.text
    if text == "-":
        text = sys.stdin.buffer.read().decode("utf-8", "replace")
    try:
        lexicon = _lexicon(arguments.lexicon)
        script = read_ssml(text).script if arguments.ssml else text
        settings, unread = TextSettings(arguments.emoji, arguments.links), list[Unread]()
        read = FrontEnd(lexicon, settings).read(script, unread=unread)
        sentences = [_as_spoken(sentence, first=n == 0) for n, sentence in enumerate(read)]
        shown = [
            symbols(s, emotion=f"emotion_{arguments.emotion}", speaker=arguments.speaker)
            for s in sentences
        ]
    except EngineError as error:
        if arguments.json:
            _tell(error.code, str(error))
        else:
            print(f"sambertctl text: {error} [{error.code}]", file=sys.stderr)
        return 2
    if arguments.json:
        told = _structure(text, sentences, shown, unread)
        print(json.dumps(told, ensure_ascii=False, indent=2))
    elif arguments.symbols:
        print("\n".join(" ".join(line) for line in shown))
    elif arguments.spans:
        print(table(text, sentences, unread))
    else:
        print("\n\n".join(_readable(text, *pair) for pair in zip(sentences, shown, strict=True)))
    return 0


class _Parser(argparse.ArgumentParser):
    """Tells a wrong command line in a line, or as JSON, as all of sambertctl does."""

    as_json = False

    def error(self, message: str) -> NoReturn:
        if self.as_json:
            _tell("usage", message)
        else:
            print(f"{self.prog}: {message}; see `{self.prog} --help`", file=sys.stderr)
        self.exit(2)


def _tell(code: str, text: str) -> None:
    print(json.dumps({"error": {"code": code, "text": text}}, ensure_ascii=False))


def parser(*, as_json: bool = False) -> argparse.ArgumentParser:
    """Of its command line; completion reads it too."""
    made = _Parser(
        prog="sambertctl text",
        description="Show how a text is read: normalised text, words and what they stand for, "
        "pinyin as spoken, breaks.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.as_json = as_json
    made.add_argument("text", metavar="TEXT", help="the text, or - to read it from stdin")
    made.add_argument(
        "--lexicon",
        metavar="FILE",
        type=Path,
        action="append",
        default=[],
        help="words with readings of their own, a .csv or .toml file; may be given again, and "
        "the last file that has a word settles it",
    )
    made.add_argument("--ssml", action="store_true", help="the text is a document of SSML")
    form = made.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON object")
    form.add_argument("--symbols", action="store_true", help="print only the KAN-TTS symbols")
    form.add_argument(
        "--spans",
        action="store_true",
        help="print a table: each span of the text, what it is read as, its pinyin and phones, and "
        "what is not read",
    )
    made.add_argument(
        "--emoji",
        choices=EMOJI,
        default="drop",
        help="leave emoji out, or name them (default: drop)",
    )
    made.add_argument(
        "--links",
        choices=LINKS,
        default="spell",
        help="spell links and mail addresses, or say 网址 and 邮箱地址 (default: spell)",
    )
    made.add_argument("--speaker", default="F7", help="speaker in the symbols (default: F7)")
    made.add_argument(
        "--emotion", default="neutral", help="emotion in the symbols (default: neutral)"
    )
    return made


def _lexicon(files: Sequence[Path]) -> Lexicon:
    result = Lexicon()
    for file in files:
        result = read_lexicon(file).over(result)
    return result


def _as_spoken(sentence: Sentence, *, first: bool) -> Sentence:
    """The sentence with #4 where it is cut because it is long, the first of a text earlier."""
    cut = parts(sentence.words, LONGEST_PART, LONGEST_FIRST if first else None)
    return replace(sentence, words=tuple(chain.from_iterable(cut)))


def _structure(
    text: str,
    sentences: Sequence[Sentence],
    shown: Sequence[Sequence[str]],
    unread: Sequence[Unread],
) -> dict[str, object]:
    return {
        "version": 1,
        "spans": [asdict(row) for row in rows(text, sentences)],
        "unread": [asdict(left) for left in unread],
        "sentences": [
            {
                "text": sentence.text,
                "words": [
                    {
                        "text": word.text,
                        "pinyin": [syllable.pinyin for syllable in word.syllables],
                        "break_after": word.break_after,
                        "span": list(word.span),
                        "spans": [list(syllable.span) for syllable in word.syllables],
                    }
                    for word in sentence.words
                ],
                "notes": list(sentence.notes),
                "symbols": list(line),
            }
            for sentence, line in zip(sentences, shown, strict=True)
        ],
    }


def _readable(text: str, sentence: Sentence, line: Sequence[str]) -> str:
    rows = [("text", sentence.text)]
    for words in _lines(text, sentence.words):
        texts, pinyins, sources = [], [], []
        for word in words:
            pinyin, source = _pinyin(word), _source(text, word)
            wide = max(width(word.text), width(pinyin), width(source))
            texts.append(padded(word.text, wide) + f" #{word.break_after}")
            pinyins.append(padded(pinyin, wide) + "   ")
            sources.append(padded(source, wide) + "   ")
        rows += [("words", " ".join(texts)), ("pinyin", " ".join(pinyins).rstrip())]
        if any(source.strip() for source in sources):
            rows.append(("from", " ".join(sources).rstrip()))
    rows.append(("symbols", " ".join(line)))
    rows += [("note", note) for note in sentence.notes]
    return "\n".join(f"{name:8} {content}" for name, content in rows)


def _lines(text: str, words: Sequence[Word], longest: int = 84) -> list[list[Word]]:
    """The words in lines that fit a terminal."""
    lines: list[list[Word]] = [[]]
    used = 0
    for word in words:
        needed = max(width(word.text), width(_pinyin(word)), width(_source(text, word))) + 4
        if used + needed > longest and lines[-1]:
            lines.append([])
            used = 0
        lines[-1].append(word)
        used += needed
    return lines


def _source(text: str, word: Word) -> str:
    """What the word stands for in the user's own text, "" if it is the same."""
    written = " ".join(text[slice(*word.span)].split())
    return "" if written == word.text else written


def _pinyin(word: Word) -> str:
    english = word.text.isascii()
    return (" . " if english else " ").join(syllable.pinyin for syllable in word.syllables)
