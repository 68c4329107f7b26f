"""Completion for fish."""

from __future__ import annotations

from collections.abc import Iterator

from .tree import Command, Option, Value

HEAD = r"""# fish completion of sambertctl, made by `sambertctl completion fish`

function __sambertctl_at  # COMMAND [ACTION]: whether that is typed so far
    set -l typed (commandline -opc)
    set -e typed[1]
    test (count $typed) -ge (count $argv); or return 1
    for i in (seq (count $argv))
        test "$typed[$i]" = "$argv[$i]"; or return 1
    end
end

function __sambertctl_before  # [COMMAND]: whether its action, or the command, comes next
    __sambertctl_at $argv; and test (count (commandline -opc)) -eq (math (count $argv) + 1)
end

function __sambertctl_names  # SORT: what the daemon has, asked where the words say
    set -l typed (commandline -opc)
    set -l reach
    for i in (seq 2 (count $typed))
        if contains -- $typed[$i] --endpoint --key-file --server-key
            set -a reach $typed[$i..(math $i + 1)]
        end
    end
    timeout 2 sambertctl completion --names $argv[1] $reach 2>/dev/null </dev/null
end

function __sambertctl_list  # WORD...: those that are not typed yet, with what is before them
    set -l begun (string match -r '^(?:.*=)?(.*,)' -- (commandline -ct))[2]
    for word in $argv
        string match -q "*,$word,*" -- ",$begun"; or printf '%s\n' "$begun$word"
    end
end

function __sambertctl_packs  # folders that hold a voice pack or lead to one, and known voices
    set -l typed (commandline -ct)
    for folder in (__fish_complete_directories $typed | string replace -r '\t.*' '')
        if string match -q '*/*' -- $typed
            or test -e $folder/voice.toml
            or count $folder/*/voice.toml >/dev/null
            printf '%s\n' $folder
        end
    end
    __sambertctl_names voices
end

complete -c sambertctl -f
"""


def script(root: Command) -> str:
    """A line for each command, option and argument."""
    return "\n".join((HEAD.rstrip("\n"), *(line for one in root.all() for line in _lines(one)), ""))


def _lines(command: Command) -> Iterator[str]:
    before = _condition("before", command)
    for below in command.commands:
        yield f"complete -c sambertctl{before} -a {below.name} -d {_quoted(below.help)}"
    here = before if command.commands else _condition("at", command)
    for option in command.options:
        yield f"complete -c sambertctl{here} {_option(option)}"
    value = _value(command.value) if command.value else ""
    if value:
        yield f"complete -c sambertctl{here}{value}"


def _condition(function: str, command: Command) -> str:
    return f" -n {_quoted(f'__sambertctl_{function} {command.path}'.rstrip())}"


def _option(option: Option) -> str:
    names = [
        f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names
    ]
    needs = "" if option.value is None else " -r" + (_value(option.value) or " -f")
    return f"{' '.join(names)}{needs} -d {_quoted(option.help)}"


def _value(value: Value) -> str:
    words = " ".join(value.words)
    return {
        "word": f" -f -a {_quoted(words)}",
        "list": f" -f -a {_quoted(f'(__sambertctl_list {words})')}",
        "file": " -F",
        "folder": " -f -a '(__fish_complete_directories (commandline -ct))'",
        "pack": " -f -a '(__sambertctl_packs)'",
        "name": f" -f -a {_quoted(f'(__sambertctl_names {words})')}",
        "free": "",
    }[value.kind]


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
