"""Remove engines from this box. Voices go on speaking, on their own graphs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from engines.errors import StoreError
from engines.pack import VoicePack
from engines.store import Store
from trt_build.commands.list import state
from trt_build.commands.options import add_store
from trt_build.errors import BuildError

NAME = "clean"
HELP = "remove engines from this box"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `clean`."""
    parser.add_argument(
        "voice", type=Path, nargs="*", help="remove the engines of these voice packs"
    )
    parser.add_argument(
        "--stale",
        action="store_true",
        help="remove the engines of voices none of whose engines this box can use: built for "
        "another GPU or version, damaged, or never finished",
    )
    parser.add_argument("--all", action="store_true", help="remove all engines of all voices")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be removed")
    add_store(parser)


def run(args: argparse.Namespace) -> int:
    """Remove them; 1 if some could not be removed."""
    if not (args.voice or args.stale or args.all):
        raise BuildError("nothing_named", "say what to remove: voice packs, --stale or --all")
    store, failed = Store(args.store), 0
    for folder in _chosen(store, args):
        try:
            if not args.dry_run:
                store.remove(folder)
            print(f"{'would remove' if args.dry_run else 'removed'} {folder}")
        except StoreError as error:
            failed += 1
            print(f"clean: {error} [{error.code}]", file=sys.stderr)
    return int(failed > 0)


def _chosen(store: Store, args: argparse.Namespace) -> list[Path]:
    named = {store.folder(VoicePack(path)) for path in args.voice}
    return [
        folder
        for folder in store.folders()
        if args.all or folder in named or (args.stale and _stale(store, folder))
    ]


def _stale(store: Store, folder: Path) -> bool:
    try:
        manifest = store.manifest(folder)
    except StoreError:
        return True
    engines = manifest.engines.values() if manifest else ()
    return all(state(store, folder, engine) != "ok" for engine in engines)
