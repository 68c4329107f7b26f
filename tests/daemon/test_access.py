"""Who may ask what: by the table, and by the user that the kernel names."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import msgpack  # type: ignore[import-untyped]
import pytest
from sambertd_client import Client
from sambertd_client import protocol as wire

from daemon.access import NEEDS, Role, check, needed
from daemon.access_config import AccessConfig
from daemon.config_errors import ConfigError
from daemon.peers import NOBODY, Origin, Peers
from daemon.scheduler import RefusedError
from tests.daemon.as_user import KIOSK, OTHER, as_user, begin_as_user
from tests.daemon.live import Connect, LiveDaemon
from tests.daemon.tone import SLOW


def test_every_request_of_the_protocol_has_its_role() -> None:
    """A new message comes with a decision who may send it: a row in daemon/access.py."""
    assert set(NEEDS) == set(get_args(wire.Request))
    assert Role.NONE not in NEEDS.values()


def test_what_the_table_does_not_know_is_for_admins() -> None:
    assert needed(wire.Error(id="1", code="c", text="t")) is Role.ADMIN


@pytest.mark.parametrize("kind", [wire.Cancel, wire.Pause, wire.Resume])
def test_what_concerns_others_is_for_admins(kind: type[wire.Cancel]) -> None:
    assert needed(kind(id="1", scope="all")) is Role.ADMIN
    for scope in ("mine", "user"):
        assert needed(kind(id="1", scope=scope)) is Role.SPEAK


def test_the_document_has_the_same_table() -> None:
    text = (Path(__file__).parents[2] / "docs" / "PROTOCOL.md").read_text("utf-8")
    for kind, role in NEEDS.items():
        start = f"| `{role.name.lower()}` |"
        (row,) = (line for line in text.splitlines() if line.startswith(start))
        assert f"`{kind.__struct_config__.tag}`" in row.split("|")[2], kind.__name__


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("kind", NEEDS, ids=lambda kind: str(kind.__name__))
def test_each_role_may_what_the_lower_ones_may(kind: type[wire.Message], role: Role) -> None:
    known = kind.__struct_fields__
    fields: dict[str, object] = {it: "x" for it in ("text", "target", "name") if it in known}
    if "texts" in known:
        fields["texts"] = ["x"]
    request = kind(id="1", **fields)  # type: ignore[arg-type]
    if role >= needed(request):
        check(request, role, "user kiosk")
        return
    with pytest.raises(RefusedError, match=r"user kiosk.*(\[access\]|sambertctl keys)") as caught:
        check(request, role, "user kiosk")
    assert caught.value.code == wire.NOT_ALLOWED


def test_root_the_own_user_and_the_named_ones_are_admins() -> None:
    peers = Peers({KIOSK})
    for uid in (0, os.geteuid(), KIOSK):
        assert peers.of(Origin(f"localhost:{uid}:5:77")).role is Role.ADMIN
    other = peers.of(Origin(f"localhost:{OTHER}:0:1"))  # its group and process count for nothing
    assert (other.role, other.owner) == (Role.SPEAK, f"user {OTHER}")


@pytest.mark.parametrize(
    "address", ["", "localhost", "127.0.0.1", "localhost:0", "localhost:0:0:1 ", "xlocalhost:0:0:1"]
)
def test_an_address_that_names_no_user_is_nobody(address: str) -> None:
    assert Peers().of(Origin(address)) == NOBODY


def test_admins_are_named_by_name_or_number() -> None:
    assert AccessConfig(admins=("root", "4101")).admin_uids() == {0, 4101}
    with pytest.raises(ConfigError, match=r"access\.admins.*no-such-user.*take it out"):
        AccessConfig(admins=("no-such-user",)).admin_uids()


def test_a_user_may_look_and_speak_and_change_its_own(daemon: LiveDaemon) -> None:
    assert as_user(daemon, KIOSK, "client.hello().role") == "speak"
    assert as_user(daemon, KIOSK, "len(client.say('好好').read())") == 3200
    assert as_user(daemon, KIOSK, "[client.cancel().ids, client.stats().requests]") == [[], 1]
    code, text = as_user(daemon, KIOSK, "refused(lambda: client.cancel(scope='all'))")
    assert code == "not_allowed"
    assert text.startswith(f'cancel with scope "all" needs the role admin, user {KIOSK} has speak')
    assert "`admins` of [access]" in text
    with Client(daemon.endpoint) as root:
        assert root.hello().role == "admin"


def test_a_named_user_is_an_admin(start_daemon: Callable[..., LiveDaemon]) -> None:
    daemon = start_daemon(access=AccessConfig(admins=(str(KIOSK),)))
    assert as_user(daemon, KIOSK, "client.cancel(scope='all').ids") == []
    assert as_user(daemon, OTHER, "refused(lambda: client.pause(scope='all'))[0]") == "not_allowed"


def test_a_user_changes_what_all_its_connections_said_and_nothing_else(daemon: LiveDaemon) -> None:
    with Client(daemon.endpoint) as root:
        ours = root.say(SLOW * 400, credit=1)
        wait = "(lambda it: [print('begun', flush=True), it.wait().why])(client.say('慢' * 400))"
        theirs = begin_as_user(daemon, KIOSK, wait)
        assert theirs.stdout is not None
        assert theirs.stdout.readline() == "begun\n"
        assert as_user(daemon, OTHER, "client.cancel(scope='user').ids") == []
        assert as_user(daemon, OTHER, f"client.cancel({ours.id!r}, scope='user').ids") == []
        assert len(as_user(daemon, KIOSK, "client.cancel(scope='user').ids")) == 1
        assert json.loads(theirs.communicate(timeout=30)[0]) == [None, "cancelled"]
        assert ours.id in (root.hello().live or [])
        ours.cancel()


def test_the_key_of_another_user_is_not_taken_over(daemon: LiveDaemon) -> None:
    """Else whoever guesses it would end, and get the replies of, what another one says."""
    with Client(daemon.endpoint) as root:
        ours = root.say(SLOW * 40, sink="none", key="order-7")
        said = as_user(daemon, KIOSK, "client.say('好', sink='none', key='order-7').wait().why")
        assert said == "end"
        assert ours.id in (root.hello().live or [])
        ours.cancel()


def test_a_role_cannot_be_claimed(daemon: LiveDaemon, raw_client: Connect) -> None:
    """Fields of a message, and properties of the connection, are the peer's own words."""
    raw_client(daemon.endpoint).ask("hello", role="admin", owner="user root")
    claims = {b"User-Id": b"root", b"Peer-Address": b"localhost:0:0:1"}
    cancel = msgpack.packb({"v": 1, "t": "cancel", "id": "1", "scope": "all"})
    path = daemon.endpoint.removeprefix("ipc://")
    words = bytes.fromhex(
        as_user(daemon, KIOSK, f"raw({path!r}, {zmtp(claims).hex()!r}, {cancel.hex()!r})")
    )
    assert b"not_allowed" in words
    assert f"user {KIOSK} has speak".encode() in words


def zmtp(properties: dict[bytes, bytes]) -> bytes:
    """The first words of a DEALER that claims these properties: ZMTP 3.1, rfc.zeromq.org 37."""
    greeting = b"\xff" + bytes(8) + b"\x7f" + b"\x03\x01" + b"NULL".ljust(20, b"\0") + bytes(32)
    claimed = {b"Socket-Type": b"DEALER", **properties}
    ready = b"\x05READY" + b"".join(
        bytes([len(name)]) + name + len(value).to_bytes(4, "big") + value
        for name, value in claimed.items()
    )
    return greeting + bytes([0x04, len(ready)]) + ready


@pytest.mark.parametrize("change", ["load", "unload"])
def test_a_user_may_not_change_the_voices(daemon: LiveDaemon, change: str) -> None:
    code, text = as_user(daemon, KIOSK, f"refused(lambda: client.{change}('tone'))")
    assert code == "not_allowed"
    assert text.startswith(f"{change} needs the role admin")
    with Client(daemon.endpoint) as root:
        assert [voice.name for voice in root.voices().voices] == ["tone"]
