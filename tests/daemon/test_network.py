"""TCP is for those with a key: who gets in, who does not, and what becomes of a revoked one."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgpack  # type: ignore[import-untyped]
import pytest
from sambertd_client import AsyncClient, Client, KeyFileError, NoDaemonError, RefusedError
from sambertd_client.keyfile import KeyFile, new_key, write_key
from sambertd_client.keyring import allow, revoke, server_key

from daemon.access import Role
from daemon.access_config import AccessConfig
from daemon.key_ring import KeyRing
from daemon.peers import NOBODY, Origin, Peers
from tests.daemon.live import LiveDaemon
from tests.daemon.relay import relayed
from tests.daemon.test_access import zmtp
from tests.daemon.tone import SLOW


def free_port() -> int:
    with socket.socket() as link:
        link.bind(("127.0.0.1", 0))
        return int(link.getsockname()[1])


class Fleet:
    """A daemon that listens on ipc and TCP, its folder of keys, and clients with keys."""

    def __init__(self, folder: Path, start: Callable[..., LiveDaemon], host: str) -> None:
        self.folder, self.keys = folder, folder / "keys"
        self.endpoint = f"tcp://{host}:{free_port()}"
        self.access = AccessConfig(listen=self.endpoint, keys=self.keys)
        self.daemon = start(access=self.access, stall_s=5.0)
        self.server = server_key(self.keys).public

    def key(self, name: str, role: str = "") -> Path:
        """The file of a new client; allowed where it has a role."""
        path, key = self.folder / f"{name}.key", new_key(name, self.server)
        write_key(path, key)
        if role:
            allow(self.keys, KeyFile(name, key.public, role=role))
        return path

    def client(
        self, key: Path | None, timeout: float = 10, server_key: str | None = None
    ) -> Client:
        return Client(self.endpoint, timeout=timeout, key_file=key, server_key=server_key)


@pytest.fixture
def fleet(folder: Path, start_daemon: Callable[..., LiveDaemon]) -> Fleet:
    return Fleet(folder, start_daemon, "127.0.0.1")


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.WARNING):
        yield caplog


def test_who_has_an_allowed_key_may_what_its_role_may(fleet: Fleet) -> None:
    with fleet.client(fleet.key("robot", "speak")) as robot:
        assert robot.hello().role == "speak"
        assert len(robot.say("好好").read()) == 3200
        with pytest.raises(RefusedError, match=r"cancel with scope .* key robot .* --role"):
            robot.cancel(scope="all")
    with fleet.client(fleet.key("screen", "read")) as screen:
        assert screen.status().state == "ready"
        with pytest.raises(RefusedError, match="say needs the role speak, key screen"):
            screen.say("好")
    with fleet.client(fleet.key("operator", "admin")) as operator:
        assert operator.cancel(scope="all").ids == []
    with Client(fleet.daemon.endpoint) as here:
        assert here.hello().role == "admin"  # the socket file needs no key


def test_a_client_that_is_killed_holds_nothing(fleet: Fleet) -> None:
    program = (
        "import sys, time; from sambertd_client import Client\n"
        "client = Client(sys.argv[1], key_file=sys.argv[2])\n"
        "speech = client.say('好' * 500); print(speech.id, flush=True); time.sleep(600)"
    )
    command = [sys.executable, "-c", program, fleet.endpoint, str(fleet.key("robot", "speak"))]
    with (
        Client(fleet.daemon.endpoint) as here,
        subprocess.Popen(command, stdout=subprocess.PIPE) as robot,
    ):
        assert robot.stdout is not None
        assert robot.stdout.readline().strip()
        robot.kill()
        while (status := here.status()).in_work + status.waiting:
            time.sleep(0.02)
        assert (status.cancelled, status.failed) == (1, 0), "it stalls after 5 s"


def test_a_key_that_is_not_allowed_is_refused_told_and_logged(
    fleet: Fleet, told: pytest.LogCaptureFixture
) -> None:
    key, began = fleet.key("stranger"), time.monotonic()
    for _ in range(3):
        with (
            fleet.client(key) as client,
            pytest.raises(
                NoDaemonError, match=r"does not allow the key .* keys allow [0-9a-f]{64}"
            ),
        ):
            client.hello()
    assert time.monotonic() - began < 9, "it is told before the timeout"
    lines = [line for line in told.messages if line.startswith("refused at 127.0.0.1: key ")]
    assert len(lines) == 1, "once a minute"


def test_without_a_key_nobody_gets_in_and_the_cure_is_told(fleet: Fleet) -> None:
    with (
        fleet.client(None) as client,
        pytest.raises(NoDaemonError, match="the daemon wants keys: make one with `sambertctl"),
    ):
        client.hello()


def test_another_daemon_in_its_place_gets_nothing(fleet: Fleet) -> None:
    """A wrong server key: the client does not take its text there."""
    key = fleet.key("robot", "speak")
    with (
        fleet.client(key, server_key=new_key("other").public) as client,
        pytest.raises(NoDaemonError, match="the daemon's key is another one"),
    ):
        client.hello()
    with Client(fleet.daemon.endpoint) as here:
        assert here.stats().bad_messages == 0


def test_a_key_allowed_later_gets_in_without_a_restart(fleet: Fleet) -> None:
    key = fleet.key("late")
    with fleet.client(key) as client, pytest.raises(NoDaemonError):
        client.hello()
    allow(fleet.keys, KeyFile("late", public_of(key), role="speak"))
    with fleet.client(key) as client:
        assert client.hello().role == "speak"
        allow(fleet.keys, KeyFile("late", public_of(key), role="admin"))
        assert client.hello().role == "admin", "a role changes under an open connection"


def public_of(path: Path) -> str:
    return path.read_text().split("public = ")[1][:64]


def test_revoked_while_connected(fleet: Fleet, told: pytest.LogCaptureFixture) -> None:
    """What it says ends, it hears of nothing more, every message is refused, and no new one."""
    key, other = fleet.key("robot", "speak"), fleet.key("other", "speak")
    with fleet.client(key) as robot, fleet.client(other) as bystander:
        events = robot.subscribe("state", "accepted")
        robot.say(SLOW * 300, credit=2)
        theirs = bystander.say(SLOW * 300, credit=2)
        next(iter(events))
        revoke(fleet.keys, "robot")
        with pytest.raises(RefusedError, match=r"key [0-9a-f]{16} may do nothing here"):
            robot.hello()
        until = time.monotonic() + 3
        while running(fleet) > 1 and time.monotonic() < until:
            time.sleep(0.02)
        assert running(fleet) == 1, "only the bystander's"
        with Client(fleet.daemon.endpoint) as here:
            assert here.stats().subscribers == 0
        assert theirs.id in (bystander.hello().live or [])
    with fleet.client(key) as robot, pytest.raises(NoDaemonError, match="does not allow the key"):
        robot.hello()
    assert any("key robot" in line and "allowed no more" in line for line in told.messages)


def running(fleet: Fleet) -> int:
    with Client(fleet.daemon.endpoint) as here:
        status = here.status()
        return status.in_work + status.waiting


def test_a_revoked_key_that_keeps_silent_is_found_too(fleet: Fleet) -> None:
    with fleet.client(fleet.key("robot", "speak")) as robot:
        robot.say(SLOW * 300, sink="none")
        assert running(fleet) == 1
        revoke(fleet.keys, "robot")
        until = time.monotonic() + 5
        while running(fleet) and time.monotonic() < until:
            time.sleep(0.02)
        assert running(fleet) == 0


def test_a_key_under_an_old_name_does_not_inherit(fleet: Fleet) -> None:
    old = fleet.key("robot", "speak")
    with fleet.client(old) as before:
        speech = before.say(SLOW * 300, credit=1)
        revoke(fleet.keys, "robot")
        old.unlink()
        with fleet.client(fleet.key("robot", "speak")) as after:
            assert after.cancel(speech.id, scope="user").ids == []
            assert after.hello().role == "speak"
            with pytest.raises(RefusedError, match="may do nothing here"):
                before.hello()


def test_an_encrypted_key_cannot_be_claimed(
    folder: Path, start_daemon: Callable[..., LiveDaemon]
) -> None:
    """On an insecure loopback all get in, and may claim any property: it counts for nothing."""
    port = free_port()
    keys = folder / "keys"
    admin = new_key("operator")
    allow(keys, KeyFile("operator", admin.public, role="admin"))
    daemon = start_daemon(
        endpoint=f"tcp://127.0.0.1:{port}",
        access=AccessConfig(
            listen=f"tcp://127.0.0.1:{free_port()}", keys=keys, insecure_loopback=True
        ),
    )
    cancel = msgpack.packb({"v": 1, "t": "cancel", "id": "1", "scope": "all"})
    claims = {b"User-Id": admin.public.encode(), b"Peer-Address": b"localhost:0:0:1"}
    with socket.create_connection(("127.0.0.1", port)) as link:
        link.settimeout(10)
        link.sendall(zmtp(claims))
        words = b""
        while b"READY" not in words:
            words += link.recv(4096) or b"READY closed"
        link.sendall(bytes([0, len(cancel)]) + cancel)
        while b"anybody of this box has speak" not in words:
            piece = link.recv(4096)
            assert piece, words
            words += piece
    with Client(daemon.endpoint) as client:
        assert client.hello().role == "speak"
        assert len(client.say("好好").read()) == 3200


def test_only_keys_mark_a_connection(tmp_path: Path) -> None:
    allow(tmp_path, KeyFile("robot", "ab" * 32, role="read"))
    peers = Peers(ring=KeyRing(tmp_path))
    assert peers.of(Origin("10.0.0.7", "ab" * 32)).role is Role.READ
    assert peers.of(Origin("10.0.0.7", "cd" * 32)).role is Role.NONE
    assert peers.of(Origin("10.0.0.7")) == NOBODY
    assert peers.of(Origin("127.0.0.1")) == NOBODY
    loopback = Peers(loopback=True)
    for address in ("127.0.0.1", "::1", "::ffff:127.0.0.1"):
        assert loopback.of(Origin(address)).role is Role.SPEAK
    for address in ("10.0.0.7", "::ffff:10.0.0.7", "", "localhost"):
        assert loopback.of(Origin(address)) == NOBODY


def test_a_half_open_handshake_holds_up_nobody(fleet: Fleet) -> None:
    port = int(fleet.endpoint.rpartition(":")[2])
    links = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
    links[0].sendall(b"\xff" + bytes(8) + b"\x7f\x03\x01CURVE")
    links[1].sendall(os.urandom(2000))
    with fleet.client(fleet.key("robot", "speak")) as robot:
        assert len(robot.say("好好").read()) == 3200
    for link in links:
        link.close()


@pytest.mark.parametrize("fault", ["wide", "no key", "foreign role"])
def test_what_cannot_be_trusted_lets_nobody_in(
    fleet: Fleet, told: pytest.LogCaptureFixture, fault: str
) -> None:
    key = fleet.key("robot", "speak")
    file = fleet.keys / "allowed" / "robot.key"
    if fault == "wide":
        file.chmod(0o666)
        words = "others may write"
    else:
        text = file.read_text()
        file.write_text("public = x\n" if fault == "no key" else text.replace("speak", "root"))
        words = "is no key file" if fault == "no key" else "role is 'root'"
    with fleet.client(key) as client, pytest.raises(NoDaemonError):
        client.hello()
    assert any(words in line for line in told.messages)


def test_a_server_key_that_others_may_read_is_refused_by_name(
    folder: Path, start_daemon: Callable[..., LiveDaemon], told: pytest.LogCaptureFixture
) -> None:
    server_key(folder / "keys")
    (folder / "keys" / "server.key").chmod(0o640)
    access = AccessConfig(listen=f"tcp://127.0.0.1:{free_port()}", keys=folder / "keys")
    live = start_daemon(access=access, awaited=False)
    assert live.join() == 3
    (line,) = (line for line in told.messages if "server.key holds a secret" in line)
    assert "chmod 600" in line


def test_what_a_client_lacks_is_named(tmp_path: Path) -> None:
    bare, public = tmp_path / "robot.key", new_key("server").public
    write_key(bare, new_key("robot"))
    with pytest.raises(KeyFileError, match="SAMBERTD_SERVER_KEY"):
        Client("tcp://127.0.0.1:9", key_file=bare)
    with pytest.raises(KeyFileError, match="SAMBERTD_KEY_FILE"):
        Client("tcp://127.0.0.1:9", server_key=public)
    bare.chmod(0o644)
    with pytest.raises(KeyFileError, match="chmod 600"):
        Client("tcp://127.0.0.1:9", server_key=public, key_file=bare)


def test_nothing_is_readable_on_the_wire(fleet: Fleet) -> None:
    """All bytes of a whole exchange, as somebody between would see them."""
    seen: list[bytes] = []
    port = free_port()
    with relayed(port, int(fleet.endpoint.rpartition(":")[2]), seen):
        key = fleet.key("robot", "speak")
        with Client(f"tcp://127.0.0.1:{port}", timeout=10, key_file=key) as robot:
            assert len(robot.say("密码是四二").read()) == 8000
    words = b"".join(seen)
    assert len(words) > 8000
    assert "密码".encode() not in words
    assert b"welcome" not in words
    assert b"accepted" not in words


def test_asyncio_gets_in_with_the_same_keys_and_is_told_the_same(fleet: Fleet) -> None:
    async def talk(key: Path) -> str:
        async with AsyncClient(fleet.endpoint, timeout=10, key_file=key) as client:
            return (await client.hello()).role

    assert asyncio.run(talk(fleet.key("robot", "speak"))) == "speak"
    with pytest.raises(NoDaemonError, match="does not allow the key of this client"):
        asyncio.run(talk(fleet.key("stranger")))


def test_who_was_refused_is_no_connection_any_more(fleet: Fleet) -> None:
    """Else the strangers of an address would fill the places of its robots."""
    port, key = int(fleet.endpoint.rpartition(":")[2]), fleet.key("stranger")
    for given in (key, None):
        with fleet.client(given) as client, pytest.raises(NoDaemonError):
            client.hello()
    for words in (b"GET / HTTP/1.1\r\n\r\n", b"", b"\xff" * 70, b"\xff" + bytes(8) + b"\x7f\x03"):
        with socket.create_connection(("127.0.0.1", port)) as link:
            link.sendall(words)
    until = time.monotonic() + 5
    while (count := len(fleet.daemon.server._transport._crowd)) and time.monotonic() < until:
        time.sleep(0.02)
    assert count == 0
