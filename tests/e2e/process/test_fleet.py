"""The watched servers under trouble of ours: the history lost, a reload that cannot be applied."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from exporter.simulator import StandIn
from tests.support.certificates import Authority
from tests.support.commands import run_command
from tests.support.exporter import Exporter, series, wait_until
from tests.support.settings.configuration import write_private
from tests.support.standin import (
    Scene,
    after_polls,
    community,
    counting,
    enterprise,
    outcomes,
    reloads,
    server_table,
    wait_good,
    watching,
)

DELIVERIES = "stalwart_deliveries_total"
RELOAD_OK = "stalwart_exporter_config_last_reload_successful"
NOWHERE = "https://127.0.0.1:1"


def lose_history(exporter: Exporter) -> Path:
    """Put a directory where the history file was, so that no other one can be opened; returns once that was tried."""
    history = exporter.directory / "history.sqlite3"
    history.unlink()
    history.mkdir()
    wait_until(lambda: "store.reopen_failed" in exporter.log(), what="the history is lost", seconds=90)
    return history


def give_back(exporter: Exporter, history: Path) -> None:
    """Let another history file be opened, and wait for it."""
    history.rmdir()
    wait_until(lambda: "store.reopened" in exporter.log(), what="another history is opened", seconds=90)


@pytest.mark.fault("store", "the history cannot be read when a server is polled for the first time")
def test_a_history_that_cannot_be_read_is_a_failure_of_that_collector_alone(tmp_path: Path):
    """The traces collector fails visibly and is retried; the server's other collectors continue."""
    with StandIn(enterprise()) as well, StandIn(enterprise()) as late:
        late.hang()
        config = server_table(well.url, name="well") + server_table(late.url, name="late", request_timeout=2)
        with Exporter(tmp_path, config=config) as exporter:
            scene = Scene(late, exporter, "late")
            wait_good([Scene(well, exporter, "well")], "queue", "traces")
            history = lose_history(exporter)

            late.resume()
            scene.wait_for("stalwart_up", 1)
            scene.wait(lambda: scene.failures("traces", "internal") > 0, lambda: "the traces have not failed")
            after_polls([scene], "queue", "logs", "outgoing")
            assert scene.value("stalwart_exporter_collector_success", collector="traces") == 0
            assert scene.value("stalwart_exporter_collector_success", collector="queue") == 1
            again = scene.failures("traces", "internal")
            scene.wait(lambda: scene.failures("traces", "internal") > again, lambda: "traces are not tried again")

            give_back(exporter, history)
            counting([scene])
            scene.mail("a@ok.test", "b@reject.test", times=3)
            scene.wait_shown(DELIVERIES, "outcome", "reason", "code", wanted=outcomes(late))


@contextmanager
def changed_config(exporter: Exporter, text: str) -> Iterator[None]:
    """Another configuration for a while."""
    good = exporter.config_path.read_text()
    exporter.config_path.write_text(text)
    try:
        yield
    finally:
        exporter.config_path.write_text(good)


def wait_reload_state(scene: Scene, wanted: int) -> None:
    scene.wait(lambda: scene.samples()[series(RELOAD_OK)] == wanted, lambda: f"{RELOAD_OK} is not {wanted}")


@pytest.mark.fault("store", "the configuration is reloaded while the history is lost")
def test_a_reload_while_the_history_is_lost_drops_no_server(tmp_path: Path):
    """The reload fails and every server stays watched; it succeeds once a history can be opened."""
    with watching(tmp_path, community()) as scene, StandIn(community()) as other:
        wait_good([scene], "queue", "logs")
        history = lose_history(scene.exporter)
        good = scene.exporter.config_path.read_text()
        changed = good.replace("max_requests_per_minute = 10000", "max_requests_per_minute = 9000")
        assert changed != good
        scene.exporter.config_path.write_text(changed + server_table(other.url, name="mx2"))

        scene.reload()
        assert reloads(scene.exporter)[-1]["event"] == "exporter.reload_failed"
        wait_reload_state(scene, 0)
        after_polls([scene], "queue")
        assert scene.value("stalwart_up") == 1
        assert other.requests == []

        give_back(scene.exporter, history)
        scene.reload()
        wait_reload_state(scene, 1)
        wait_good([scene, Scene(other, scene.exporter, "mx2")], "queue", "logs")


@pytest.mark.fault("store", "a server's settings change while the history is lost")
def test_a_server_whose_settings_change_while_the_history_is_lost_is_watched_on(tmp_path: Path):
    """Unsaved counts are handed over, exported, and saved in the history that is opened later."""
    with watching(tmp_path, community()) as scene:
        counting([scene])
        scene.mail("a@ok.test", times=3)
        scene.wait_shown(DELIVERIES, "outcome", "reason", "code", wanted=outcomes(scene.server))
        lose_history(scene.exporter)
        good = scene.exporter.config_path.read_text()
        scene.exporter.config_path.write_text(
            good.replace("max_requests_per_minute", "max_domains = 3\nmax_requests_per_minute")
        )

        scene.reload()
        assert reloads(scene.exporter)[-1]["event"] == "exporter.reloaded"
        wait_good([scene], "logs")
        scene.mail("a@ok.test", times=2)
        scene.wait_shown(DELIVERIES, "outcome", "reason", "code", wanted=outcomes(scene.server))


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"), "ca")


@pytest.mark.fault("store", "the history is lost while a certificate file is missing")
def test_another_history_is_opened_while_a_certificate_file_is_missing(tmp_path: Path, certificates: Authority):
    """Another history is opened without reading the certificate again, and every server stays watched."""
    ca_file = tmp_path / "ca.pem"
    shutil.copy(certificates.cert, ca_file)
    with StandIn(community()) as server:
        tables = (
            server_table(server.url) + server_table(NOWHERE, name="tls") + f'[servers.tls]\nca_file = "{ca_file}"\n'
        )
        with Exporter(tmp_path, config=tables) as exporter:
            scene = Scene(server, exporter)
            counting([scene])
            ca_file.unlink()
            (tmp_path / "history.sqlite3").unlink()

            wait_until(lambda: "store.reopened" in exporter.log(), what="another history is opened", seconds=90)
            counting([scene])
            scene.mail("a@ok.test", times=2)
            scene.wait_for(DELIVERIES, 2, outcome="delivered", reason="", code="250")
            assert exporter.value("stalwart_exporter_store_success") == 1


@pytest.mark.fault("configuration", "a reload names a key that does not belong to its certificate")
def test_a_reload_with_files_that_cannot_be_used_changes_nothing(tmp_path: Path, certificates: Authority):
    """The reload fails with the setting's path for a foreign key, a missing CA and an unreadable secret."""
    first, second = certificates.issue("first", "DNS:first.test"), certificates.issue("second", "DNS:second.test")
    empty = tmp_path / "empty.pem"
    empty.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    with watching(tmp_path, community()) as scene:
        counting([scene])
        good = scene.exporter.config_path.read_text()
        https = good.replace("http://", "https://")
        faults = {
            "tls.key_file": f'{https}[servers.tls]\ncert_file = "{first.cert}"\nkey_file = "{second.key}"\n',
            "tls.ca_file": f'{https}[servers.tls]\nca_file = "{tmp_path / "none.pem"}"\n',
            "tls.ca_file: ": f'{https}[servers.tls]\nca_file = "{empty}"\n',
            "password_file": https.replace('password = "lab-watcher', f'password_file = "{tmp_path}/none" #'),
        }
        for path, text in faults.items():
            with changed_config(scene.exporter, text):
                scene.reload()
            (problem,) = reloads(scene.exporter)[-1]["problems"]
            assert str(problem).startswith(f"servers[0].{path}"), problem
            wait_reload_state(scene, 0)
            after_polls([scene], "queue")
        assert scene.value("stalwart_up") == 1

        scene.exporter.signal(signal.SIGHUP)
        wait_reload_state(scene, 1)


@pytest.mark.fault("configuration", "a key at start that does not belong to its certificate")
@pytest.mark.parametrize("command", ["run", "check-config"])
def test_a_key_that_does_not_fit_ends_the_start_with_its_path(tmp_path: Path, certificates: Authority, command: str):
    """The exit status is 2 and the error names the setting and the key file, for the pages' TLS and a client key."""
    first, second = certificates.issue("one", "DNS:one.test"), certificates.issue("two", "DNS:two.test")
    web = tmp_path / "web.yml"
    config = tmp_path / "config.toml"
    client_key = f'[servers.tls]\ncert_file = "{first.cert}"\nkey_file = "{second.key}"\n'
    faults = {
        "tls_server_config.key_file": (second.cert, first.key, server_table(NOWHERE)),
        "servers[0].tls.key_file": (first.cert, first.key, server_table(NOWHERE) + client_key),
    }
    for setting, (cert, key, servers) in faults.items():
        web.write_text(f"tls_server_config:\n  cert_file: {cert}\n  key_file: {key}\n")
        write_private(config, servers)
        unset = {f"STALWART_EXPORTER_{name}": "" for name in ("URL", "USERNAME", "PASSWORD")}

        ended = run_command(tmp_path, command, "--config", str(config), "--web.config.file", str(web), environ=unset)

        output = ended.stdout + ended.stderr
        assert ended.returncode == 2, output
        assert setting in output
        assert str(second.key if "servers" in setting else first.key) in output
        assert "Traceback" not in output
