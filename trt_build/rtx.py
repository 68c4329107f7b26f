"""TensorRT-RTX, the sibling of TensorRT that parses and builds graphs on a machine with no GPU.

Two wheels of PyPI hold it, at versions and SHA-256 sums pinned here: the Python module, and beside
an ONNX Runtime plug-in the libraries that module wants. They are NVIDIA's, under NVIDIA's licence:
fetched by whoever runs the check, never part of sambertd. What it builds only GeForce and other RTX
cards can run, so this shows that a graph is sound, not how fast it is.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from trt_build.errors import BuildError

PACKAGE = "tensorrt_rtx_bindings"
STAMP = "version"  # a file that says what lies in a folder
LICENCE = "LICENSE.txt"
DOWNLOAD_MB = 148
VERSION = "1.7.1.116"
MODULE_SHA256 = {
    "3.10": "f357cebfed83af6cbd1d3b172632cd9c6bb06a39e8296a8d3c11a9edd2fae357",
    "3.11": "6a4d2bf39a98b71238046b9a9dd22d0e6b146be90cd56ac09f1e068933e4e18d",
    "3.12": "52fb62cb86b922637848f5971b53153bf2e091c33948fa89efd215abaa52b044",
    "3.13": "f15cdb560cf2d926405789985509f5496e378ba457a7fb657592ce7f7311c0ff",
}
LIBRARIES_VERSION = "0.5.0"
LIBRARIES_SHA256 = "32f575c633d171b4edf4b53d3bb22b72a6c9c0a850d2982ce9a788a5d40d3298"
LIBRARIES = ("libtensorrt_rtx.so", "libtensorrt_onnxparser_rtx.so")
OFFLINE = re.compile(
    r"connection broken by|New(Connection|Resolution)Error|ConnectTimeout|ReadTimeout|ProxyError"
    r"|name resolution|Network is unreachable|HTTP error 5\d\d|5\d\d Server Error"
)


def default_folder() -> Path:
    """Where it is kept unless told otherwise: within the virtual environment it fits.

    The environment variable SAMBERTD_TENSORRT_RTX names another place.
    """
    return Path(os.environ.get("SAMBERTD_TENSORRT_RTX") or Path(sys.prefix) / "tensorrt-rtx")


def is_fetched(folder: Path) -> bool:
    """Whether the pinned version lies in this folder, for this Python."""
    try:
        return (folder / STAMP).read_text("utf-8") == _stamp()
    except OSError:
        return False


def fetch(folder: Path) -> None:
    """Download TensorRT-RTX from PyPI with pip and lay it out in `folder`; nothing if it is there.

    Raises:
        BuildError: platform_unsupported, folder_taken, folder_unwritable, download_offline,
            download_failed.
    """
    if is_fetched(folder):
        return
    if folder.exists() and not _replaceable(folder):
        raise BuildError(
            "folder_taken",
            f"{folder} exists and holds no TensorRT-RTX, so it is left alone; name another folder "
            "with --library",
        )
    requirements = _requirements()
    print(
        f"Fetching TensorRT-RTX {VERSION} from PyPI ({DOWNLOAD_MB} MB) into {folder}. It is "
        "NVIDIA's, under NVIDIA's licence (LICENSE.txt there); using it means accepting that.",
        file=sys.stderr,
    )
    try:
        _fetch(folder.resolve(), requirements)
    except OSError as error:
        raise BuildError(
            "folder_unwritable",
            f"cannot write {folder}: {error}; free some space, or name another folder with "
            "--library",
        ) from error


def _fetch(folder: Path, requirements: str) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="tensorrt-rtx-", dir=folder.parent) as name:
        work = Path(name)
        _download(requirements, work / "wheels")
        part = work / "laid-out"
        for wheel in sorted((work / "wheels").glob("*.whl")):
            _unpack(wheel, part)
        (part / STAMP).write_text(_stamp(), "utf-8")
        if folder.exists():
            folder.replace(work / "before")
        part.replace(folder)


def _replaceable(folder: Path) -> bool:
    """Whether nothing but an earlier version lies in a folder, or nothing at all."""
    held = {path.name for path in folder.iterdir()} if folder.is_dir() else {""}
    return not held or (STAMP in held and held <= {STAMP, LICENCE, PACKAGE})


def load(folder: Path) -> Any:
    """The module, whose API is that of `tensorrt` 11 without plug-ins.

    Raises:
        BuildError: library_missing, library_broken.
    """
    if not is_fetched(folder):
        raise BuildError(
            "library_missing",
            f"TensorRT-RTX {VERSION} is not in {folder}; fetch it with --fetch ({DOWNLOAD_MB} MB, "
            "NVIDIA's licence) or say with --library where it is",
        )
    if PACKAGE in sys.modules:
        return sys.modules[PACKAGE]
    home = folder / PACKAGE
    spec = importlib.util.spec_from_file_location(PACKAGE, home / "__init__.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[PACKAGE] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (ImportError, OSError) as error:
        del sys.modules[PACKAGE]
        raise BuildError(
            "library_broken",
            f"{home} cannot be loaded; delete {folder} and fetch it again: {error}",
        ) from error
    return module


def _python() -> str:
    return f"{sys.version_info[0]}.{sys.version_info[1]}"


def _stamp() -> str:
    return f"{VERSION} {LIBRARIES_VERSION} {_python()}\n"


def _requirements() -> str:
    """Both wheels with their sums, for pip."""
    digest = MODULE_SHA256.get(_python())
    if digest is None or sys.platform != "linux" or platform.machine() != "x86_64":
        raise BuildError(
            "platform_unsupported",
            f"NVIDIA publishes no TensorRT-RTX {VERSION} for Python {_python()} on {sys.platform} "
            f"{platform.machine()}; run this check on x86-64 Linux with Python "
            f"{', '.join(MODULE_SHA256)}",
        )
    return (
        f"tensorrt-rtx-cu13-bindings=={VERSION} --hash=sha256:{digest}\n"
        f"onnxruntime-ep-nv-tensorrt-rtx-cu13=={LIBRARIES_VERSION} "
        f"--hash=sha256:{LIBRARIES_SHA256}\n"
    )


def _download(requirements: str, wheels: Path) -> None:
    wheels.mkdir()
    wanted = wheels / "requirements.txt"
    wanted.write_text(requirements, "utf-8")
    options = ["--no-deps", "--require-hashes", "--only-binary", ":all:", "--quiet"]
    options += ["--retries", "2"]  # only a retry makes pip say that there is no network
    command = [sys.executable, "-m", "pip", "download", *options, "-d", str(wheels)]
    done = subprocess.run([*command, "-r", str(wanted)], capture_output=True, text=True)
    if done.returncode == 0:
        return
    said = done.stderr.strip() or done.stdout.strip()
    if OFFLINE.search(said) and "DO NOT MATCH" not in said:
        raise BuildError(
            "download_offline", f"PyPI cannot be reached; try again with a network:\n{said}"
        )
    raise BuildError(
        "download_failed",
        f"PyPI does not give the pinned files; see that pip reaches pypi.org itself:\n{said}",
    )


def _unpack(wheel: Path, out: Path) -> None:
    """The module as it is, and beside it the libraries under the names it looks for."""
    home = out / PACKAGE
    home.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.namelist():
            if entry.startswith(f"{PACKAGE}/"):
                archive.extract(entry, out)
            elif entry.endswith("/LICENSE.txt"):
                (out / LICENCE).write_bytes(archive.read(entry))
            for library in LIBRARIES:
                if entry.rpartition("/")[2].startswith(f"{library}."):
                    with archive.open(entry) as packed, (home / f"{library}.1").open("wb") as file:
                        shutil.copyfileobj(packed, file)
