from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest

from daemon.command_line import parse
from daemon.config import Config
from daemon.config_errors import ConfigError
from daemon.metrics_config import MetricsConfig

ENV = {"XDG_RUNTIME_DIR": "/run/user/1", "HOME": "/home/robot"}


def test_the_command_line_wins_over_the_file_over_the_defaults(tmp_path: Path) -> None:
    file = tmp_path / "sambertd.toml"
    file.write_text(
        'endpoint = "tcp://127.0.0.1:7300"\nvoices = "packs"\nlog_level = "debug"\n'
        '[limits]\nwaiting = 3\nstall_s = 2\n[speaker]\ndevice = "USB"\n'
    )
    config = parse(["--config", str(file), "--device", "HDMI", "--no-speaker"], ENV)
    assert config.endpoint == "tcp://127.0.0.1:7300"
    assert config.voices == tmp_path / "packs"
    assert (config.limits.waiting, config.limits.in_work, config.limits.stall_s) == (3, 4, 2.0)
    assert (config.speaker.device, config.speaker.enabled) == ("HDMI", False)
    assert config.socket_path is None


def test_every_setting_of_the_speaker(tmp_path: Path) -> None:
    file = tmp_path / "sambertd.toml"
    file.write_text(
        '[speaker]\nfallback = ["HDMI", "null"]\nchannels = 2\ngain_db = -3\nlead_in_s = 0.3\n'
        "idle_close_s = 60\n"
    )
    speaker = parse(["--config", str(file)], ENV).speaker
    assert (speaker.device, speaker.fallback) == ("", ("HDMI", "null"))
    assert (speaker.channels, speaker.gain_db) == (2, -3.0)
    assert (speaker.lead_in_s, speaker.idle_close_s) == (0.3, 60.0)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("endpiont = 'x'", "endpiont"),
        ("[limits]\nwork = 1", "limits.work"),
        ("[limits]\nin_work = 0", "limits.in_work"),
        ("[limits]\nin_work = 17", "limits.in_work"),
        ("[limits]\nwaiting = 101", "limits.waiting"),
        ("[limits]\ntext_chars = 5001", "limits.text_chars"),
        ("[limits]\nin_work = true", "limits.in_work"),
        ("[limits]\nstall_s = nan", "limits.stall_s"),
        ("[limits]\ntext_chars = '9'", "limits.text_chars"),
        ("limits = 3", "limits"),
        ("[speaker]\nlatency_s = 9", "speaker.latency_s"),
        ("[speaker]\nenabled = 1", "speaker.enabled"),
        ("[speaker]\nfallback = 'null'", "speaker.fallback.*list of strings"),
        ("[speaker]\nfallback = [1]", "speaker.fallback.*list of strings"),
        ("[speaker]\nchannels = 0", "speaker.channels"),
        ("[speaker]\ngain_db = 21", "speaker.gain_db"),
        ("[speaker]\nlead_in_s = 3", "speaker.lead_in_s"),
        ("[speaker]\nidle_close_s = 0.5", "speaker.idle_close_s"),
        ("voices = 1", "voices"),
        ("[access]\nadmins = ['no-such-user']", "access.admins.*no-such-user"),
        ("[access]\nadmins = 'root'", "access.admins.*list of strings"),
        ("log_level = 'loud'", "log_level"),
        ("endpoint = 'ipc://'", "endpoint"),
        (f"endpoint = 'ipc:///{'x' * 107}'", "107"),
        ("endpoint = 'tcp://0.0.0.0:7300'\n[access]\ninsecure_loopback = true", "TCP is encrypted"),
        (
            "endpoint = 'tcp://robot:7300'\n[access]\ninsecure_loopback = true",
            "open to the network",
        ),
        ("[access]\nlisten = 'ipc:///x'", "access.listen.*tcp://0.0.0.0:PORT"),
        ("[access]\nlisten = 'tcp://0.0.0.0:0'", "access.listen"),
        ("[access]\nlisten = 'tcp://0.0.0.0:99999'", "access.listen"),
        ("[access]\nkeys = 1", "access.keys"),
        ("endpoint = 'tcp://127.0.0.1'", "endpoint"),
        ("endpoint = 'tcp://127.0.0.1:99999'", "endpoint"),
        ("endpoint = 'http://127.0.0.1:80'", "endpoint"),
        ("endpoint = ", "TOML"),
        ("[engines]\nbuild = 'sometimes'", "engines.build.*background, wait, never"),
        ("[engines]\nbuild = true", "engines.build"),
        ("[engines]\nstore = 7", "engines.store"),
        ("[metrics]\nlisten = '0.0.0.0:9464'", "metrics.listen.*reached from the network.*agent"),
        ("[metrics]\nlisten = '192.168.1.2:9464'", "metrics.listen.*reached from the network"),
        ("[metrics]\nlisten = '[::]:9464'", "metrics.listen.*reached from the network"),
        ("[metrics]\nlisten = 'localhost:9464'", "metrics.listen.*127.0.0.1:PORT"),
        ("[metrics]\nlisten = '127.0.0.1'", "metrics.listen.*no port"),
        ("[metrics]\nlisten = '127.0.0.1:0'", "metrics.listen.*no port"),
        ("[metrics]\nlisten = '127.0.0.1:99999'", "metrics.listen"),
        ("[metrics]\nlisten = '127.0.0.1:9464/metrics'", "metrics.listen"),
        ("[metrics]\nlisten = 'tcp://127.0.0.1:9464'", "metrics.listen"),
        ("[metrics]\nlisten = 'unix://metrics.sock'", "metrics.listen.*from the root"),
        ("[metrics]\nlisten = 'unix:///'", "metrics.listen.*from the root"),
        (f"[metrics]\nlisten = 'unix:///{'x' * 107}'", "metrics.listen.*107"),
    ],
)
def test_a_bad_setting_is_named(tmp_path: Path, text: str, named: str) -> None:
    file = tmp_path / "sambertd.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=named):
        parse(["--config", str(file)], ENV)


def test_metrics_are_for_this_box_alone(tmp_path: Path) -> None:
    assert parse([], ENV).metrics == MetricsConfig("")
    file = tmp_path / "sambertd.toml"
    for listen, port in (("127.0.0.1:9464", ("127.0.0.1", 9464)), ("[::1]:80", ("::1", 80))):
        file.write_text(f'[metrics]\nlisten = "{listen}"\n')
        metrics = parse(["--config", str(file)], ENV).metrics
        assert (metrics.port, metrics.socket_path) == (port, None)
    file.write_text('[metrics]\nlisten = "unix:///run/sambertd/metrics.sock"\n')
    metrics = parse(["--config", str(file)], ENV).metrics
    assert metrics.socket_path == Path("/run/sambertd/metrics.sock")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml"):
        parse(["--config", str(tmp_path / "none.toml")], ENV)


def test_systemd_names_the_folder_of_the_socket() -> None:
    config = parse([], {**ENV, "RUNTIME_DIRECTORY": "/run/sambertd"})
    assert config.endpoint == "ipc:///run/sambertd/sambertd.sock"
    assert config.socket_path == Path("/run/sambertd/sambertd.sock")


def test_engines_are_built_in_the_background_and_kept_where_systemd_or_the_user_says(
    tmp_path: Path,
) -> None:
    engines = parse([], {**ENV, "CACHE_DIRECTORY": "/var/cache/sambertd"}).engines
    assert (engines.build, engines.store) == ("background", Path("/var/cache/sambertd/engines"))
    assert parse([], {**ENV, "XDG_CACHE_HOME": "/c"}).engines.store == Path("/c/sambertd/engines")
    file = tmp_path / "sambertd.toml"
    file.write_text("[engines]\nbuild = 'never'\nstore = 'kept'\nvocoder_threads = 3\n")
    engines = parse(["--config", str(file)], ENV).engines
    assert (engines.build, engines.store) == ("never", tmp_path / "kept")
    line = ["--config", str(file), "--build", "wait", "--store", "/other"]
    engines = parse(line, ENV).engines
    assert (engines.build, engines.store, engines.vocoder_threads) == ("wait", Path("/other"), 3)
    file.write_text("[engines]\nvocoder_threads = 3\n")
    assert parse(["--config", str(file)], ENV).engines.store.name == "engines"


def test_phrases_are_kept_beside_the_engines_or_where_the_settings_say(tmp_path: Path) -> None:
    cache = parse([], {**ENV, "CACHE_DIRECTORY": "/var/cache/sambertd"}).cache
    assert (cache.enabled, cache.folder) == (True, Path("/var/cache/sambertd/phrases"))
    assert parse([], {**ENV, "XDG_CACHE_HOME": "/c"}).cache.folder == Path("/c/sambertd/phrases")
    file = tmp_path / "sambertd.toml"
    file.write_text("[cache]\nenabled = false\nfolder = 'kept'\nmemory_mb = 0\n")
    cache = parse(["--config", str(file)], ENV).cache
    assert (cache.enabled, cache.folder, cache.memory_mb) == (False, tmp_path / "kept", 0)
    assert cache.open() is None
    file.write_text("[cache]\ndisk_mb = -1\n")
    with pytest.raises(ConfigError, match=r"cache\.disk_mb: -1 is not within 0 and"):
        parse(["--config", str(file)], ENV)


def test_the_checkout_has_its_own_voices() -> None:
    assert parse([], ENV).voices == Path(__file__).resolve().parents[2] / "voices"


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        parse(["--version"], ENV)
    assert capsys.readouterr().out == f"sambertd {metadata.version('sambertd')}\n"


def test_tcp_is_encrypted_unless_it_is_an_insecure_loopback(tmp_path: Path) -> None:
    file = tmp_path / "sambertd.toml"
    file.write_text("[access]\nlisten = 'tcp://*:7301'\nkeys = 'secrets'\n")
    config = parse(["--config", str(file)], ENV)
    assert config.access.keys == tmp_path / "secrets"
    assert config.access.encrypted(config.endpoint) == ["tcp://*:7301"]
    line = ["--endpoint", "tcp://127.0.0.1:7300", "--listen", "tcp://[::]:7301"]
    config = parse(line, {**ENV, "STATE_DIRECTORY": "/var/lib/sambertd"})
    assert config.access.keys == Path("/var/lib/sambertd/keys")
    assert config.access.encrypted(config.endpoint) == [line[1], line[3]]
    file.write_text("[access]\ninsecure_loopback = true\n")
    config = parse(["--config", str(file), *line], ENV)
    assert config.access.encrypted(config.endpoint) == [line[3]]


def test_settings_do_not_change() -> None:
    with pytest.raises(AttributeError):
        Config("ipc:///x", Path()).endpoint = "ipc:///y"  # type: ignore[misc]
