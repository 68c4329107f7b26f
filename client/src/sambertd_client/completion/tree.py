"""What can be typed after `sambertctl`, read from its parsers: the one source of every shell's."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Optional

from ..argument import List, Name, Word, file_name, pack_name

Kind = Literal["free", "word", "list", "file", "folder", "pack", "name"]
Parsers = Mapping[str, Optional[argparse.ArgumentParser]]


@dataclass(frozen=True)
class Value:
    """What an option takes, or a command: anything, a word of `words`, several of them apart by
    commas, a file, a folder, a voice pack's folder, or a name the daemon knows, of which `words`
    has the sort."""

    kind: Kind
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Option:
    names: tuple[str, ...]
    help: str
    value: Value | None  # None: it takes none


@dataclass(frozen=True)
class Command:
    """A command, or an action of one: `path` is what leads there, "keys allow"."""

    path: str
    help: str
    options: tuple[Option, ...]
    value: Value | None = None  # of its arguments
    repeats: bool = False  # whether it takes several
    commands: tuple[Command, ...] = ()

    @property
    def name(self) -> str:
        return self.path.rpartition(" ")[2]

    def all(self) -> Iterator[Command]:
        """It, and all below it."""
        yield self
        for command in self.commands:
            yield from command.all()


def tree(parser: argparse.ArgumentParser, more: Parsers) -> Command:
    """The whole of `sambertctl`. more: the parsers of other packages' commands, None: unknown."""
    root = _command("", "", parser)
    added = [
        _command(name, _lower(found), found)
        if found
        else Command(name, "", (), Value("file"), True)
        for name, found in more.items()
    ]
    return Command("", "", root.options, commands=(*root.commands, *added))


def _command(path: str, words: str, parser: argparse.ArgumentParser) -> Command:
    options, commands = [], list[Command]()
    value, repeats = None, False
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            commands = list(_below(path, action))
        elif action.option_strings:
            help_text = _first(action.help)
            options.append(Option(tuple(action.option_strings), help_text, _value(action)))
        elif value is None:  # no command has two
            value, repeats = _value(action), action.nargs in ("*", "+")
    return Command(
        path, words or _first(parser.description), tuple(options), value, repeats, tuple(commands)
    )


def _lower(parser: argparse.ArgumentParser) -> str:
    """What a command says of itself, as the help of ours begins."""
    words = _first(parser.description)
    return words[:1].lower() + words[1:]


def _below(
    path: str, action: argparse._SubParsersAction[argparse.ArgumentParser]
) -> Iterator[Command]:
    words = {choice.dest: _first(choice.help) for choice in action._get_subactions()}
    for name, parser in action.choices.items():
        yield _command(f"{path} {name}".lstrip(), words.get(name, ""), parser)


def _value(action: argparse.Action) -> Value | None:
    if action.nargs == 0:
        return None
    if action.choices is not None:
        return Value("word", tuple(map(str, action.choices)))
    found: object = action.type
    if isinstance(found, Name):
        return Value("name", (found.of,))
    if isinstance(found, List):
        return Value("list", found.known)
    if isinstance(found, Word):
        return Value("word", found.known)
    if found is pack_name:
        return Value("pack")
    if found in (Path, file_name):
        return Value("folder" if _metavar(action) == "DIR" else "file")
    return Value("free")


def _metavar(action: argparse.Action) -> str:
    return action.metavar if isinstance(action.metavar, str) else ""


def _first(text: str | None) -> str:
    """The first sentence or clause, in one line, without its default."""
    line = " ".join((text or "").split()).replace("%%", "%")
    line = re.sub(r" \(default:? [^)]*\)", "", line)
    return line.partition("; ")[0].partition(". ")[0].rstrip(".")
