"""Completion for zsh: one function that is autoloaded by the name `_sambertctl`."""

from __future__ import annotations

from collections.abc import Iterator

from .tree import Command, Option, Value

HEAD = r"""#compdef sambertctl
# zsh completion of sambertctl, made by `sambertctl completion zsh`

_sambertctl_names() {  # SORT: what the daemon has, asked where the words say
  local -a reach names
  local i
  for ((i = 2; i < $#words; i++)); do
    case $words[i] in
      (--endpoint|--key-file|--server-key) reach+=("$words[i]" "${(Q)words[i+1]}") ;;
    esac
  done
  names=(${(f)"$(timeout 2 sambertctl completion --names $1 $reach 2>/dev/null </dev/null)"})
  compadd -a names
}

_sambertctl_packs() {  # folders that hold a voice pack or lead to one, and voices the daemon has
  if [[ $PREFIX == */* ]]; then _files -/
  else
    local -aU found=(*/voice.toml(N:h) */*/voice.toml(N:h:h))
    compadd -f -q -S / -a found
  fi
  _sambertctl_names voices
}
"""
TAIL = r"""
if [[ $funcstack[1] == _sambertctl ]]; then
  _sambertctl "$@"
else
  compdef _sambertctl sambertctl
fi
"""


def script(root: Command) -> str:
    """A function for each command, which calls those of the commands below it."""
    return HEAD + "\n" + "\n".join(map(_function, root.all())) + TAIL


def _name(command: Command) -> str:
    return "_sambertctl" + command.path.replace(" ", "_").join(("_", "")) * bool(command.path)


def _function(command: Command) -> str:
    if command.commands:
        return _chooser(command)
    specs = [spec for option in command.options for spec in _option(option)]
    if command.value is not None:
        many = "*" if command.repeats else "1"
        specs.append(_quoted(f"{many}:{command.name}:{_action(command.value)}"))
    return _body(command, ["_arguments -s -S", *specs])


def _chooser(command: Command) -> str:
    specs = [spec for option in command.options for spec in _option(option)]
    shown = " ".join(_quoted(f"{_plain(c.name)}:{_plain(c.help)}") for c in command.commands)
    cases = [f"      ({c.name}) {_name(c)} ;;" for c in command.commands]
    lines = [
        "local curcontext=$curcontext state line ret=1",
        f"local -a commands=({shown})",
        " \\\n    ".join(
            ["_arguments -C -A '-*'", *specs, "'1: :->command'", "'*:: :->rest' && ret=0"]
        ),
        "case $state in",
        "    (command) _describe -t commands command commands && ret=0 ;;",
        "    (rest)",
        "      case $line[1] in",
        *cases,
        "      esac && ret=0 ;;",
        "  esac",
        "return ret",
    ]
    return "\n  ".join([f"{_name(command)}() {{", *lines]) + "\n}\n"


def _body(command: Command, words: list[str]) -> str:
    return f"{_name(command)}() {{\n  " + " \\\n    ".join(words) + "\n}\n"


def _option(option: Option) -> Iterator[str]:
    shown = f"[{_plain(option.help)}]" if option.help else ""
    for name in option.names:
        if option.value is None:
            yield _quoted(f"{name}{shown}")
        else:
            equals = "=" if name.startswith("--") else "+"
            what = name.lstrip("-")
            yield _quoted(f"*{name}{equals}{shown}:{what}:{_action(option.value)}")


def _action(value: Value) -> str:
    words = " ".join(value.words)
    actions = {
        "word": f"({words})",
        "list": f"_values -s , kind {words}",
        "file": "_files",
        "folder": "_files -/",
        "pack": " _sambertctl_packs",
        "name": f" _sambertctl_names {words}",  # the space: without arguments for compadd
        "free": " ",
    }
    return actions[value.kind]


def _plain(text: str) -> str:
    """For the inside of a specification."""
    for sign in ("\\", "[", "]", ":"):
        text = text.replace(sign, f"\\{sign}")
    return text


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
