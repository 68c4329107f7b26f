"""Key files and `sambertctl keys`: secrets are their owner's alone, from the first moment on."""

from __future__ import annotations

import json
import os
import stat
import threading
from functools import partial
from pathlib import Path

import pytest
import zmq
from sambertd_client import KeyFileError
from sambertd_client.cli import main
from sambertd_client.key_settings import keys_folder
from sambertd_client.keyfile import KeyFile, checked_public, new_key, read_key, write_key
from sambertd_client.keyring import allow, allowed, default_folder, revoke, server_key
from zmq.utils import z85


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(autouse=True)
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of keys of a daemon; the working folder is the client's."""
    (tmp_path / "client").mkdir()
    monkeypatch.chdir(tmp_path / "client")
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "daemon"))
    return tmp_path / "daemon" / "keys"


def ctl(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    """What a command prints: on stdout, or where it fails on stderr."""
    assert main(["keys", *words]) == code
    out = capsys.readouterr()
    return out.err if code else out.out


def test_the_steps_of_the_manual(keys: Path, capsys: pytest.CaptureFixture[str]) -> None:
    server = ctl(capsys, "server").strip()
    assert ctl(capsys, "server").strip() == server, "made once"
    assert main(["keys", "new", "robot-7", "--server", server]) == 0
    told = capsys.readouterr()
    assert told.err == "wrote robot-7.key; its public key:\n"
    public = told.out.rstrip("\n")
    assert len(public) == 64, "alone, for a shell's $( )"
    key = read_key("robot-7.key", secret=True)
    assert (key.name, key.public, key.server) == ("robot-7", public, server)
    pair = bytes.fromhex(key.secret)
    assert z85.decode(zmq.curve_public(z85.encode(pair))).hex() == public
    assert ctl(capsys, "list") == "no key is allowed\n"
    assert ctl(capsys, "allow", public, "--name", "robot-7") == f"{public}\n"
    assert ctl(capsys, "list") == f"robot-7: speak, {public}\n"
    ctl(capsys, "allow", "robot-7.key", "--role", "admin")
    assert json.loads(ctl(capsys, "list", "--json")) == {
        "keys": [{"name": "robot-7", "role": "admin", "public": public}]
    }
    assert ctl(capsys, "revoke", "robot-7") == "revoked robot-7\n"
    assert list(allowed(keys)) == []
    assert "those that are: none" in ctl(capsys, "revoke", "robot-7", code=1)


def test_it_says_where_the_key_is_and_whether_it_is_new(
    keys: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (
        f"made a new key of the daemon in {keys}:",
        f"the daemon's public key, of {keys}:",
    ):
        assert main(["keys", "server"]) == 0
        assert capsys.readouterr().err == f"{words}\n"
    assert json.loads(ctl(capsys, "server", "--json"))["folder"] == str(keys)


def test_the_folder_is_that_of_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "etc" / "s.toml"
    config.parent.mkdir()
    config.write_text('voices = "v"\n[access]\nkeys = "beside"\nlisten = ""\n')
    assert main(["keys", "server", "--config", str(config)]) == 0
    assert f"in {config.parent / 'beside'}:" in capsys.readouterr().err
    assert (config.parent / "beside" / "server.key").is_file()
    ctl(capsys, "server", "--config", str(config), "--keys", str(tmp_path / "named"))
    assert (tmp_path / "named" / "server.key").is_file(), "--keys wins"
    monkeypatch.delenv("STATE_DIRECTORY")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr("sambertd_client.key_settings.SYSTEM_CONFIG", config)
    assert keys_folder() == config.parent / "beside", "for root that of the installed service"
    config.write_text("[access]\nadmins = []\n")
    assert keys_folder() == Path("/var/lib/sambertd/keys")
    monkeypatch.setattr(os, "geteuid", lambda: 7)
    config.write_text("[access\n")
    assert keys_folder() == default_folder(), "a user's own daemon has other settings"
    for broken in (config, tmp_path / "none.toml"):
        told = ctl(capsys, "list", "--config", str(broken), code=1)
        assert f"cannot read the settings {broken}: " in told
        assert "--keys" in told


def test_secrets_are_their_owners_alone(
    keys: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    before = os.umask(0)
    try:
        ctl(capsys, "server")
        ctl(capsys, "new", "a", "--out", str(tmp_path / "other.key"))
        ctl(capsys, "allow", str(tmp_path / "other.key"))
    finally:
        os.umask(before)
    for path in (keys / "server.key", tmp_path / "other.key", keys / "allowed" / "a.key"):
        assert mode(path) == 0o600, path
    for path in (keys, keys / "allowed"):
        assert mode(path) == 0o700, path
    secret = read_key(tmp_path / "other.key").secret
    assert secret not in (keys / "allowed" / "a.key").read_text(), "only the public half is copied"


def test_a_secret_is_never_in_a_file_that_others_can_open(tmp_path: Path) -> None:
    """Looked at all the while it is written."""
    wide: list[str] = []
    place = tmp_path / "place"
    place.mkdir()
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            for path in place.iterdir():
                try:
                    if mode(path) & 0o077:
                        wide.append(path.name)
                except FileNotFoundError:
                    continue

    before = os.umask(0)
    thread = threading.Thread(target=watch)
    thread.start()
    for number in range(200):
        write_key(place / f"{number}.key", new_key("x"))
    done.set()
    thread.join()
    os.umask(before)
    assert wide == []
    assert sum(1 for _ in place.iterdir()) == 200, "nothing else is left behind"


def test_nothing_is_overwritten(capsys: pytest.CaptureFixture[str]) -> None:
    ctl(capsys, "new", "robot")
    before = Path("robot.key").read_bytes()
    assert "robot.key is there already" in ctl(capsys, "new", "robot", code=1)
    Path("link.key").symlink_to("/nonexistent")
    assert "there already" in ctl(capsys, "new", "robot", "--out", "link.key", code=1)
    assert Path("robot.key").read_bytes() == before
    assert sorted(path.name for path in Path().iterdir()) == ["link.key", "robot.key"]


def test_a_name_is_one_key_and_a_key_one_name(keys: Path) -> None:
    one, two = new_key("one").public, new_key("two").public
    allow(keys, KeyFile("one", one, role="speak"))
    with pytest.raises(KeyFileError, match=r"another key is allowed as one .* revoke one"):
        allow(keys, KeyFile("one", two, role="speak"))
    with pytest.raises(KeyFileError, match=r"this key is allowed as one .* revoke one"):
        allow(keys, KeyFile("two", one, role="admin"))
    assert [(key.name, key.role) for key in allowed(keys)] == [("one", "speak")]


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".x", "a b", "x" * 65, "a\n", "-x"])
def test_a_name_is_no_path(keys: Path, name: str) -> None:
    for act in (partial(new_key, name), partial(revoke, keys, name)):
        with pytest.raises(KeyFileError, match="is no name"):
            act()
    with pytest.raises(KeyFileError, match="is no name"):
        allow(keys, KeyFile(name, "ab" * 32, role="speak"))


def test_a_public_key_is_hexadecimal_or_z85() -> None:
    public = new_key("x").public
    short = z85.encode(bytes.fromhex(public)).decode()
    assert checked_public(public.upper()) == checked_public(short) == public
    for text in ("", "ab", "g" * 64, "ab" * 33, "é" * 40, " " * 40, short[:39]):
        with pytest.raises(KeyFileError, match="is no public key"):
            checked_public(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is no key file"),
        ("public = 12\n", "is no key file"),
        ("\x00\xff" * 3000, "is no key file"),
        (f"public = {'ab' * 32}\n", "has no secret"),
        (f"public = {'ab' * 32}\nsecret = x\n", "is no key file"),
    ],
)
def test_what_is_no_key_file(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "x.key").write_text(text)
    (tmp_path / "x.key").chmod(0o600)
    with pytest.raises(KeyFileError, match=words):
        read_key(tmp_path / "x.key", secret=True)


def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    write_key(tmp_path / "x.key", new_key("x"))
    (tmp_path / "x.key").chmod(0o604)
    with pytest.raises(KeyFileError, match=r"x\.key holds a secret .* 0604.* chmod 600"):
        read_key(tmp_path / "x.key")
    for path in (tmp_path / "none.key", tmp_path):
        with pytest.raises(KeyFileError, match=str(path)):
            read_key(path)
    with pytest.raises(KeyFileError, match="cannot write"):
        write_key(tmp_path / "none" / "x.key", new_key("x"))


def test_unknown_lines_and_comments_are_for_later_versions(tmp_path: Path) -> None:
    (tmp_path / "x.key").write_text(f"# a = b\nname = n\ncolour = red\npublic = {'ab' * 32}\n\nx\n")
    assert read_key(tmp_path / "x.key") == KeyFile("n", "ab" * 32)


def test_where_the_keys_lie(monkeypatch: pytest.MonkeyPatch) -> None:
    assert default_folder({"STATE_DIRECTORY": "/s:/t"}) == Path("/s/keys")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert default_folder({}) == Path("/var/lib/sambertd/keys")
    monkeypatch.setattr(os, "geteuid", lambda: 7)
    assert default_folder({"XDG_STATE_HOME": "/x"}) == Path("/x/sambertd/keys")
    assert default_folder({"HOME": "/h"}).parts[-4:] == (".local", "state", "sambertd", "keys")


@pytest.mark.skipif(os.geteuid() != 0, reason="giving files away needs root")
def test_what_root_makes_is_the_daemons(keys: Path) -> None:
    keys.parent.mkdir()
    os.chown(keys.parent, 4101, 4102)
    server_key(keys)
    allow(keys, KeyFile("robot", "ab" * 32, role="speak"))
    for path in (keys, keys / "server.key", keys / "allowed", keys / "allowed" / "robot.key"):
        about = path.stat()
        assert (about.st_uid, about.st_gid) == (4101, 4102), path


def test_the_help_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["keys", "--help"])
    words = capsys.readouterr().out
    for step in ("keys server", "keys new robot-7", "keys allow PUBLIC", "--key-file robot-7.key"):
        assert step in words
