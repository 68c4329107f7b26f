"""List the engines of all voices on this box, and whether they can be used here."""

from __future__ import annotations

import argparse
from pathlib import Path

from engines.errors import StoreError
from engines.opening import here
from engines.store import Engine, Store
from trt_build.commands.options import add_store
from trt_build.table import Row, plain

NAME = "list"
HELP = "the engines on this box"
HEADER = ("voice", "graph", "runs on", "precision", "KB", "built", "state")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `list`."""
    add_store(parser)


def run(args: argparse.Namespace) -> int:
    """Print a line for each engine."""
    store = Store(args.store)
    rows = [row for folder in store.folders() for row in _rows(store, folder)]
    print(plain(HEADER, rows) if rows else f"no engines in {args.store}")
    return 0


def _rows(store: Store, folder: Path) -> list[Row]:
    try:
        manifest = store.manifest(folder)
    except StoreError as error:
        return [(folder.name, "-", "-", "-", "-", "-", f"{error} [{error.code}]")]
    if manifest is None:
        return [(folder.name, "-", "-", "-", "-", "-", "begun, nothing published yet")]
    return [
        (folder.name, e.graph, e.backend, e.precision, _kb(e), e.built, state(store, folder, e))
        for e in manifest.engines.values()
    ]


def _kb(engine: Engine) -> int | str:
    return -(-engine.bytes // 1024) if engine.file else "-"


def state(store: Store, folder: Path, engine: Engine) -> str:
    """Whether an engine can be used on this box: ok, stale, or corrupt."""
    try:
        if (engine.device, engine.runtime) != here(engine.backend):
            return f"stale: built for {engine.device} with {engine.runtime}"
        if engine.file:
            store.engine(folder, engine)
    except StoreError as error:
        return f"{'stale' if error.code == 'engine_stale' else 'corrupt'}: {error}"
    return "ok"
