"""Completion for bash; it needs nothing but bash 4, not the package bash-completion either."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator

from .tree import Command, Value

HEAD = r"""# bash completion of sambertctl, made by `sambertctl completion bash`

_sambertctl_names() {  # SORT: what the daemon has, asked where the words say
  local i reach=()
  for ((i = 1; i < ${#words[@]} - 1; i++)); do
    case ${words[i]} in
      --endpoint | --key-file | --server-key) reach+=("${words[@]:i:2}") ;;
    esac
  done
  timeout 2 "${words[0]}" completion --names "$1" "${reach[@]}" 2>/dev/null </dev/null
}

_sambertctl_offer() {  # KIND [WORD...]: what fits the word that is typed
  local kind=$1 begun= name left=()
  shift
  case $kind in
    word) mapfile -t COMPREPLY < <(compgen -W "$*" -- "$typed") ;;
    name)  # not by compgen, which would run what a name has in $( )
      while read -r name; do
        [[ $name != "$typed"* ]] || COMPREPLY+=("$(printf %q "$name")")
      done < <(_sambertctl_names "$1")
      ;;
    list)
      [[ $typed != *,* ]] || begun=${typed%,*},
      for name; do [[ ,$begun == *,"$name",* ]] || left+=("$name"); done
      compopt -o nospace
      mapfile -t COMPREPLY < <(compgen -P "$begun" -W "${left[*]}" -- "${typed##*,}")
      ;;
    pack)  # folders that hold a voice pack or lead to one, and voices the daemon has
      compopt -o filenames
      while read -r name; do
        if [[ $typed == */* || -e $name/voice.toml ]] ||
          compgen -G "$name/*/voice.toml" >/dev/null; then COMPREPLY+=("$name"); fi
      done < <(compgen -d -- "$typed")
      while read -r name; do
        [[ $name != "$typed"* ]] || COMPREPLY+=("$name")
      done < <(_sambertctl_names voices)
      ;;
    file | folder)
      compopt -o filenames
      if [[ $kind == file ]]; then mapfile -t COMPREPLY < <(compgen -f -- "$typed")
      else mapfile -t COMPREPLY < <(compgen -d -- "$typed"); fi
      ;;
  esac
}
"""
TAIL = r"""
_sambertctl() {
  local words=() typed=${COMP_WORDS[COMP_CWORD]} word joined= i
  COMPREPLY=()
  for ((i = 0; i <= COMP_CWORD; i++)); do  # bash cuts at ":" and "=", also within an endpoint
    word=${COMP_WORDS[i]}
    if [[ -n $joined || $word == [:=]* ]] && ((i > 1)); then words[-1]+=$word
    else words+=("$word"); fi
    joined=
    [[ $word != *[:=] ]] || joined=1
  done
  [[ $typed != [:=] ]] || typed=
  local last=$((${#words[@]} - 1)) path= wants= arguments=0 found current
  current=${words[last]}
  for ((i = 1; i < last; i++)); do
    word=${words[i]}
    if [[ -n $wants ]]; then wants=
    elif [[ $word == -- ]]; then return
    elif [[ $word == -* ]]; then
      found=$(_sambertctl_value "$path" "$word")
      [[ -z $found ]] || wants=$found
    elif [[ " $(_sambertctl_commands "$path") " == *" $word "* ]]; then path=${path:+$path }$word
    else ((arguments += 1)); fi
  done
  if [[ -n $wants ]]; then
    # shellcheck disable=SC2086  # several words
    _sambertctl_offer $wants
  elif [[ $current == --*=* ]]; then
    # shellcheck disable=SC2046
    _sambertctl_offer $(_sambertctl_value "$path" "${current%%=*}")
  elif [[ $current == -* ]]; then
    # shellcheck disable=SC2046
    _sambertctl_offer word $(_sambertctl_options "$path")
  else
    found=$(_sambertctl_commands "$path")
    [[ -z $found ]] || found="word $found"
    # shellcheck disable=SC2046
    _sambertctl_offer ${found:-$(_sambertctl_argument "$path" "$arguments")}
  fi
}
complete -F _sambertctl sambertctl
"""


def script(root: Command) -> str:
    """Functions that know the tree, and one that walks along what is typed."""
    commands = list(root.all())
    values = list(_values(commands))
    below = [(one.path, " ".join(c.name for c in one.commands)) for one in commands if one.commands]
    options = [(one.path, " ".join(_flags(one))) for one in commands]
    taken = [
        (f"{one.path}:{'*' if one.repeats else '0'}", _words(one.value))
        for one in commands
        if one.value and one.value.kind != "free"
    ]
    parts = (
        HEAD,
        _table("_sambertctl_commands", "PATH: what may follow", '"$1"', below),
        _table("_sambertctl_options", "PATH", '"$1"', options),
        _table("_sambertctl_value", "PATH OPTION: what it takes", '"$1:$2"', values),
        _table("_sambertctl_argument", "PATH HOW-MANY: the next one", '"$1:$2"', taken),
    )
    return "\n".join(parts) + TAIL


def _values(commands: Iterable[Command]) -> Iterator[tuple[str, str]]:
    """What options take: "*:--rate" where it is the same of all commands that have it."""
    found: dict[str, dict[str, str]] = {}
    for one in commands:
        for option in one.options:
            for name in option.names if option.value else ():
                found.setdefault(name, {})[one.path] = _words(option.value)
    for name, by_path in found.items():
        if len(set(by_path.values())) == 1:
            yield f"*:{name}", next(iter(by_path.values()))
        else:
            yield from ((f"{path}:{name}", words) for path, words in by_path.items())


def _flags(command: Command) -> Iterator[str]:
    for option in command.options:
        yield from (name for name in option.names if name.startswith("--"))


def _words(value: Value | None) -> str:
    return " ".join((value.kind, *value.words)) if value else ""


def _table(name: str, what: str, key: str, rows: Iterable[tuple[str, str]]) -> str:
    """A shell function that prints the words of a key; keys of the same words share a line."""
    grouped: dict[str, list[str]] = {}
    for pattern, words in rows:
        quoted = "*".join(part and shlex.quote(part) for part in pattern.split("*")) or "''"
        grouped.setdefault(words, []).append(quoted)
    lines = [f"{name}() {{  # {what}", f"  case {key} in"]
    for words, keys in grouped.items():
        lines.append(f"    {' | '.join(keys)}) echo {shlex.quote(words)} ;;")
    return "\n".join([*lines, "  esac", "}", ""])
