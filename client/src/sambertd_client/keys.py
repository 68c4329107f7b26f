"""`sambertctl keys`: who may speak over the network. It works on files; no daemon is asked."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from .argument import file_name
from .key_settings import SYSTEM_CONFIG, keys_folder
from .keyfile import ROLES, KeyFile, checked_name, checked_public, new_key, read_key, write_key
from .keyring import SUFFIX, allow, allowed, has_server_key, revoke, server_key

WORDS = "who may speak over the network: make, allow, revoke and list keys"
STEPS = """in order, PUBLIC being what the step before printed alone on standard output:
  on the daemon's box  sudo sambertctl keys server
  on the client's      sambertctl keys new robot-7 --server PUBLIC
  on the daemon's      sudo sambertctl keys allow PUBLIC --name robot-7
  on the client's      sambertctl say --endpoint tcp://BOX:5555 --key-file robot-7.key 你好

What is allowed or revoked counts at once, for connections that are open too."""


def add_keys(commands: Any) -> None:
    """The command, to the parser of sambertctl."""
    parser = commands.add_parser(
        "keys",
        help=WORDS,
        description=WORDS,
        epilog=STEPS,
    )
    parser.set_defaults(endpoint=None)
    kinds = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    common = argparse.ArgumentParser(add_help=False)
    where = "the daemon's folder of keys; default: as its settings say, else its own default"
    common.add_argument("--keys", type=Path, metavar="DIR", help=where)
    settings = f"of the daemon, in TOML; default: for root {SYSTEM_CONFIG}, where that is there"
    common.add_argument("--config", type=Path, metavar="FILE", help=settings)
    common.add_argument("--json", action="store_true", help="facts as one JSON object")
    words = "a pair of keys for a client; prints the public one"
    new = kinds.add_parser("new", help=words, description=words)
    new.add_argument("name", metavar="NAME")
    new.add_argument("--out", type=Path, metavar="FILE", help="default: NAME.key")
    new.add_argument("--server", metavar="PUBLIC", help="the daemon's public key, kept in the file")
    new.add_argument("--json", action="store_true", help="facts as one JSON object")
    new.set_defaults(run=_new)
    words = "let a key in, or give it another role"
    allowing = kinds.add_parser("allow", parents=[common], help=words, description=words)
    allowing.add_argument(
        "key", metavar="FILE|PUBLIC", type=file_name, help="a key file, or a public key"
    )
    allowing.add_argument("--role", choices=ROLES, default="speak", help="default: speak")
    allowing.add_argument("--name", help="default: that in the file")
    allowing.set_defaults(run=_allow)
    words = "let a key in no more; its open connections get nothing but refusals"
    revoking = kinds.add_parser("revoke", parents=[common], help=words, description=words)
    revoking.add_argument("name", metavar="NAME")
    revoking.set_defaults(run=_revoke)
    for name, run, words in (
        ("list", _list, "the keys that are let in"),
        ("server", _server, "the daemon's public key, made where there is none"),
    ):
        command = kinds.add_parser(name, parents=[common], help=words, description=words)
        command.set_defaults(run=run)


def _folder(options: argparse.Namespace) -> Path:
    return options.keys or keys_folder(options.config)


def _new(options: argparse.Namespace) -> int:
    name = checked_name(options.name)
    path = options.out or Path(f"{name}{SUFFIX}")
    key = new_key(name, checked_public(options.server) if options.server else "")
    write_key(path, key)
    _show(options, key, f"wrote {path}; its public key:", file=str(path))
    return 0


def _allow(options: argparse.Namespace) -> int:
    if Path(options.key).is_file():
        key = read_key(options.key)
    else:
        key = KeyFile("", checked_public(options.key))
    key = replace(key, name=options.name or key.name or key.public[:16], role=options.role)
    folder = _folder(options)
    allow(folder, key)
    _show(options, key, f"{key.name} may {key.role}, says {folder}:")
    return 0


def _revoke(options: argparse.Namespace) -> int:
    folder = _folder(options)
    revoke(folder, options.name)
    print(json.dumps({"revoked": options.name}) if options.json else f"revoked {options.name}")
    return 0


def _list(options: argparse.Namespace) -> int:
    keys = list(allowed(_folder(options)))
    if options.json:
        facts = [{"name": key.name, "role": key.role, "public": key.public} for key in keys]
        print(json.dumps({"keys": facts}))
        return 0
    for key in keys:
        print(f"{key.name}: {key.role}, {key.public}")
    if not keys:
        print("no key is allowed")
    return 0


def _server(options: argparse.Namespace) -> int:
    folder = _folder(options)
    was_there = has_server_key(folder)
    key = server_key(folder)
    words = "the daemon's public key, of" if was_there else "made a new key of the daemon in"
    _show(options, key, f"{words} {folder}:", folder=str(folder))
    return 0


def _show(options: argparse.Namespace, key: KeyFile, words: str, **more: str) -> None:
    """A key, without its secret; the public half alone on standard output, to be copied."""
    if options.json:
        facts = {"name": key.name, "role": key.role, "public": key.public, **more}
        print(json.dumps({name: value for name, value in facts.items() if value}))
        return
    print(words, file=sys.stderr, flush=True)
    print(key.public)
