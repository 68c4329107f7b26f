"""The Debian package: python -m release.deb (make deb)

It holds what `make install` would fetch: wheels of one Python and one processor, ours among them,
the built-in voice and the files of the system. Its postinst runs systemd/install, so there is one
way to install. Nothing is run of what it holds, so packages for another processor can be made; the
sambertctl beside this Python prints the completion.
"""

from __future__ import annotations

import argparse
import gzip
import os
import shutil
import subprocess
import sys
import tempfile
from email.utils import formatdate
from pathlib import Path

from release import sbom
from release.pins import MACHINES, PYTHONS, ROOT, Target, download, known_extras, resolve
from release.project import version

SHARE = "usr/share/sambertd"  # what systemd/install takes for its checkout
DOC = "usr/share/doc/sambertd"
SCRIPTS = ("preinst", "postinst", "prerm", "postrm")
MAINTAINER = "sambertd developers <sambertd@localhost>"


def build(target: Target, out: Path, wheels: Path | None, extras: list[str], mark: str) -> Path:
    """Make the package and return its path in the folder `out`.

    wheels: a folder to take the wheels from, without the network. mark: put behind the version.
    Raises subprocess.CalledProcessError, with what failed said on `stderr` or printed before.
    """
    with tempfile.TemporaryDirectory(prefix="sambertd-deb-") as folder:
        tree = Path(folder)
        _put_system(tree)
        _put_share(tree / SHARE, target, wheels, extras)
        number = f"{version()}{mark}+python{target.python}"
        _put_documents(tree, number)
        _put_control(tree, target, number)
        _settle(tree)
        out.mkdir(parents=True, exist_ok=True)
        package = out / f"sambertd_{number}_{target.arch}.deb"
        _run("dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", str(tree), str(package))
    return package


def _put_system(tree: Path) -> None:
    """Units, user, folders, commands, manuals, completion: as `make install` does."""
    sambertctl = str(Path(sys.executable).with_name("sambertctl"))
    _run("systemd/install", "files", DESTDIR=str(tree), PREFIX="/usr", SAMBERTCTL=sambertctl)
    for page in (tree / "usr/share/man").rglob("*.[18]"):
        _compress(page)


def _put_share(share: Path, target: Target, wheels: Path | None, extras: list[str]) -> None:
    (share / "systemd").mkdir(parents=True)
    for name in ("install", "sambertd.toml"):
        shutil.copy(ROOT / "systemd" / name, share / "systemd")
    shutil.copytree(ROOT / "systemd/drop-ins", share / "systemd/drop-ins")
    shutil.copytree(ROOT / "voices/yue", share / "voices/yue")
    shutil.copy(ROOT / "LICENSE", share)
    download(target, resolve(target, extras), share / "wheels", wheels)
    for source in (ROOT, ROOT / "client"):
        _run(
            *(sys.executable, "-m", "hatchling", "build", "-t", "wheel"),
            *("-d", str(share / "wheels")),
            cwd=source,
        )


def _put_documents(tree: Path, number: str) -> None:
    folder = tree / DOC
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "systemd/deb/copyright", folder)
    for page in [ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")]:
        shutil.copy(page, folder)
    (folder / "changelog").write_text(_changelog(number), "utf-8")
    _compress(folder / "changelog")
    sbom.write(folder / "sbom.cdx.json", sbom.in_wheels(tree / SHARE / "wheels"))
    notes = tree / "usr/share/lintian/overrides"
    notes.mkdir(parents=True)
    shutil.copy(ROOT / "systemd/deb/lintian-overrides", notes / "sambertd")


def _changelog(number: str) -> str:
    """As Debian wants it; what changed is in CHANGELOG.md beside it."""
    when = formatdate(float(_commit_time()))
    head, foot = f"sambertd ({number}) stable; urgency=medium", f" -- {MAINTAINER}  {when}"
    return f"{head}\n\n  * See CHANGELOG.md.\n\n{foot}\n"


def _put_control(tree: Path, target: Target, number: str) -> None:
    folder = tree / "DEBIAN"
    folder.mkdir()
    minor = int(target.python.partition(".")[2])
    size = sum(path.lstat().st_size for path in tree.rglob("*")) // 1024
    facts = {
        "VERSION": number,
        "MAINTAINER": MAINTAINER,
        "ARCH": target.arch,
        "PYTHON": target.python,
        "NEXT": f"3.{minor + 1}",
        "SIZE": str(size),
    }
    for name in ("control", *SCRIPTS):
        text = (ROOT / "systemd/deb" / name).read_text("utf-8")
        for key, value in facts.items():
            text = text.replace(f"@{key}@", value)
        (folder / name).write_text(text, "utf-8")


def _settle(tree: Path) -> None:
    """Modes and times that depend on nothing but the sources: the same package each time."""
    programs = {tree / "DEBIAN" / name for name in SCRIPTS} | {tree / SHARE / "systemd/install"}
    for path in [tree, *tree.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path in programs else 0o644)


def _compress(path: Path) -> None:
    path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes(), 9, mtime=0))
    path.unlink()


def _run(*command: str, cwd: Path = ROOT, **environment: str) -> None:
    subprocess.run(
        command,
        cwd=cwd,
        check=True,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env={**os.environ, "SOURCE_DATE_EPOCH": _commit_time(), **environment},
    )


def _commit_time() -> str:
    """Seconds since 1970 of the commit, for times within the package; 2020 without git."""
    command = ["git", "log", "-1", "--format=%ct"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return os.environ.get("SOURCE_DATE_EPOCH") or done.stdout.strip() or "1577836800"


def _of_this_system() -> tuple[str, str]:
    """The Python and the processor of packages for this box itself."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    found = subprocess.run(["/usr/bin/python3", "-c", code], capture_output=True, text=True)
    python = found.stdout.strip() if found.returncode == 0 else ""
    own = f"{sys.version_info[0]}.{sys.version_info[1]}"
    arch = {machine: name for name, machine in MACHINES.items()}[os.uname().machine]
    return python if python in PYTHONS else own, arch


def main() -> int:
    python, arch = _of_this_system()
    parser = argparse.ArgumentParser(prog="make deb ARGS=...", description=__doc__)
    parser.add_argument("--python", default=python, choices=PYTHONS, help="of the box")
    parser.add_argument("--arch", default=arch, choices=tuple(MACHINES), help="of the box")
    words = "build: INT8 engines can be built on the box"
    parser.add_argument("--extras", type=known_extras, default=[], help=words)
    parser.add_argument("--wheels", type=Path, help="folder to take the wheels from; no network")
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="folder for the package")
    parser.add_argument("--mark", default="", help="put behind the version, as ~rc1")
    arguments = parser.parse_args()
    if shutil.which("dpkg-deb") is None:
        print("no dpkg-deb here; run: apt install dpkg", file=sys.stderr)
        return 1
    target = Target(arguments.python, arguments.arch)
    try:
        package = build(target, arguments.out, arguments.wheels, arguments.extras, arguments.mark)
    except subprocess.CalledProcessError as error:
        print((error.stderr or b"").decode("utf-8", "replace"), end="", file=sys.stderr)
        print(f"the package was not made: {error.cmd[0]} failed, see above", file=sys.stderr)
        return 1
    print(f"{package}: {package.stat().st_size / 1e6:.0f} MB, for Python {target.python}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
