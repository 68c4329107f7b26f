"""Where a box keeps the engines it built for a voice, and what proved them.

ROOT/NAME-DIGEST/ holds the engines of one voice pack as it was when they were built, and
`manifest.json`, which names them. A file that no manifest names is of no account. Files are
published first and the manifest last, each by a rename, so that a reader sees the old set or the
new one and never a part.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

import msgspec

from engines.errors import StoreError
from engines.pack import VoicePack

FORMAT = 1
MANIFEST = "manifest.json"
LOCK = "lock"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

Backend = Literal["tensorrt", "ort-cuda", "ort-cpu"]
Precision = Literal["int8", "int8-fp32-scales", "fp16", "fp32"]


class Lost(msgspec.Struct, frozen=True):
    """A rung that was tried and not taken, and why.

    code: slower, gate_failed, build_failed, ... time_ms: of its calls, 0.0 if it never ran.
    """

    backend: Backend
    precision: Precision
    code: str
    reason: str
    time_ms: float = 0.0


class Engine(msgspec.Struct, frozen=True):
    """One graph as it won on this box.

    file: in the store's folder; empty where the pack's own graph won. key: SHA-256 of all that the
    file was made of (see `engine_key`). device, runtime: what it was built and timed on; on another
    it is stale. time_ms: of its calls for one second of speech. quality: the gate's figures against
    FP32. built: ISO 8601, UTC.
    """

    graph: str
    backend: Backend
    precision: Precision
    key: str
    device: str
    runtime: str
    built: str
    file: str = ""
    sha256: str = ""
    bytes: int = 0
    time_ms: float = 0.0
    quality: dict[str, float] = {}
    lost: tuple[Lost, ...] = ()


class Manifest(msgspec.Struct, frozen=True):
    """The engines of one voice, by graph, and what the gate said of all together."""

    voice: str
    pack: str
    engines: dict[str, Engine]
    quality: dict[str, float] = {}
    format: int = FORMAT


def default_root(environ: Mapping[str, str]) -> Path:
    """Where engines are kept if nobody says."""
    return cache_folder(environ) / "engines"


def cache_folder(environ: Mapping[str, str]) -> Path:
    """The folder that systemd gives the service, else the user's cache."""
    given = environ.get("CACHE_DIRECTORY", "").partition(":")[0]
    if given:
        return Path(given)
    try:
        home = Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:  # a user without a home, as in a container
        home = Path("/var/cache")
    return home / "sambertd"


def pack_digest(pack: VoicePack) -> str:
    """SHA-256 of everything in a pack that its engines are made of."""
    parts = [
        pack.file.fingerprint,
        *(f"{n} {g.sha256}" for n, g in sorted(pack.file.graphs.items())),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def engine_key(**made_of: object) -> str:
    """SHA-256 of what an engine is made of: graph, calibration, precision, device, versions, ...

    Values are anything JSON can write; their order does not matter.
    """
    return hashlib.sha256(msgspec.json.encode(made_of, order="deterministic")).hexdigest()


class Store:
    """The engines of all voices under one root."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, pack: VoicePack) -> Path:
        """Where the engines of this pack lie, or would."""
        return self.root / f"{pack.file.name}-{pack_digest(pack)[:12]}"

    def read(self, pack: VoicePack) -> Manifest | None:
        """The manifest of a pack's engines; None where nothing was published.

        Raises:
            StoreError: store_broken, the manifest cannot be read or is another pack's.
        """
        folder = self.folder(pack)
        manifest = self.manifest(folder)
        if manifest is not None and manifest.pack != pack_digest(pack):
            raise _foreign(folder / MANIFEST)
        return manifest

    def folders(self) -> list[Path]:
        """The folders of all packs that have or had engines here, of packs long gone too."""
        return [path for path in sorted(self.root.glob("*/")) if _ours(path)]

    def manifest(self, folder: Path) -> Manifest | None:
        """The manifest in one of the folders; None where nothing was published.

        Raises:
            StoreError: store_broken.
        """
        path = folder / MANIFEST
        try:
            manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError) as error:
            raise StoreError(
                "store_broken", f"{path} cannot be read ({error}); build the engines again"
            ) from error
        if manifest.format != FORMAT:
            raise _foreign(path)
        return manifest

    def data(self, pack: VoicePack, engine: Engine) -> bytes:
        """The bytes of an engine, known to be those that were published.

        Raises:
            StoreError: engine_corrupt; nothing of such a file may be loaded.
        """
        return self.engine(self.folder(pack), engine)

    def engine(self, folder: Path, engine: Engine) -> bytes:
        """The same of an engine in one of the folders; raises the same."""
        path = folder / engine.file
        if not engine.file or path.parent != folder:
            raise StoreError("engine_corrupt", f"{engine.file!r} is no file of {path.parent}")
        try:
            data = path.read_bytes()
        except OSError as error:
            raise StoreError(
                "engine_corrupt", f"{path}: {error.strerror}; build the engines again"
            ) from error
        if hashlib.sha256(data).hexdigest() != engine.sha256:
            raise StoreError(
                "engine_corrupt",
                f"{path} is not what was published: cut off, changed or from elsewhere; build the "
                "engines again",
            )
        return data

    @contextmanager
    def lock(self, pack: VoicePack) -> Iterator[Path]:
        """The pack's folder, for one builder at a time; the kernel frees it if that is killed.

        Raises:
            StoreError: store_locked, another process builds there; store_full, store_unwritable.
        """
        with self.lock_folder(self.folder(pack)) as folder:
            yield folder

    @contextmanager
    def lock_folder(self, folder: Path) -> Iterator[Path]:
        """The same of one of the folders; raises the same."""
        with _told(folder):
            folder.mkdir(parents=True, exist_ok=True)
            handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                owner = os.pread(handle, 32, 0).decode("ascii", "replace").strip() or "unknown"
                raise StoreError(
                    "store_locked",
                    f"process {owner} already builds the engines in {folder}; wait for it, or "
                    "stop it",
                ) from None
            with suppress(OSError):  # a courtesy; the disk may be full, and this be to clear it
                os.ftruncate(handle, 0)
                os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
            yield folder
        finally:
            os.close(handle)

    def publish(self, pack: VoicePack, manifest: Manifest, files: Mapping[str, bytes]) -> None:
        """Put new files beside the old ones, then the manifest, then drop what nothing names.

        Call it while holding the lock.

        Raises:
            StoreError: store_full, store_unwritable; the old engines are as they were.
        """
        folder = self.folder(pack)
        with _told(folder):
            for name, data in files.items():
                write_atomically(folder / name, data)
            write_atomically(folder / MANIFEST, msgspec.json.format(msgspec.json.encode(manifest)))
        self._sweep(folder, manifest)

    def remove(self, folder: Path) -> None:
        """Remove one of the folders, unless it is being built in.

        Raises:
            StoreError: store_locked, store_unwritable.
        """
        with self.lock_folder(folder), _told(folder):
            (folder / MANIFEST).unlink(missing_ok=True)  # first: what is half gone is named nowhere
            shutil.rmtree(folder)

    def _sweep(self, folder: Path, manifest: Manifest) -> None:
        named = {engine.file for engine in manifest.engines.values()}
        for path in folder.iterdir():
            engine_file = path.suffix in (".onnx", ".plan") or path.name.startswith(".new-")
            if engine_file and path.name not in named:
                with suppress(OSError):
                    path.unlink()


def write_atomically(path: Path, data: bytes) -> None:
    """The file whole and on the disk, or as it was. Raises OSError."""
    handle, name = tempfile.mkstemp(prefix=".new-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise


def _foreign(path: Path) -> StoreError:
    return StoreError(
        "store_broken",
        f"{path} is of another voice or version of sambertd; build the engines again",
    )


def _ours(folder: Path) -> bool:
    return (folder / LOCK).is_file() or (folder / MANIFEST).is_file()


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    """Failures of the disk as StoreError."""
    try:
        yield
    except OSError as error:
        full = error.errno in _FULL
        cure = "free some space there" if full else "choose a folder you may write with --store"
        raise StoreError(
            "store_full" if full else "store_unwritable",
            f"cannot write to {folder}: {error.strerror}; {cure}. The engines in use are untouched",
        ) from error
