"""The settings of probes: off by default, with a complete login, and with targets that are addresses or domains."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.errors import SettingsError
from exporter.settings import BasicLogin, BearerToken, Secret, load_settings
from exporter.settings.servers.probes import ProbeSettings

SERVER = '[[servers]]\nurl = "http://127.0.0.1:1"\ntoken = "watching"\n'
LOGIN = 'token = "probing"\n'


def load(tmp_path: Path, table: str) -> ProbeSettings:
    path = tmp_path / "config.toml"
    path.write_text(f"{SERVER}[servers.probes]\n{table}")
    [server] = load_settings(path, {}).servers
    return server.probes


def test_probes_are_off_and_take_a_login_from_a_file(tmp_path: Path):
    """Without a login there is none, not even the server's own."""
    secret = tmp_path / "secret"
    secret.write_text("hunter2\n")

    assert load(tmp_path, "").credentials is None
    assert load(tmp_path, LOGIN).credentials == BearerToken(Secret("probing"))
    login = load(tmp_path, f'username = "prober"\npassword_file = "{secret}"\ndelivery_to = ["a@example.org"]')
    assert login.credentials == BasicLogin("prober", Secret("hunter2"))


ROUND_TRIP = '[servers.probes.round_trip]\naddress = "Probe@Bücher.Example"\n'


def test_the_round_trip_is_off_and_has_a_login_of_its_own(tmp_path: Path):
    """The login of the other probes is not used for it, nor the other way round."""
    secret = tmp_path / "secret"
    secret.write_text("hunter2\n")

    assert load(tmp_path, LOGIN).round_trip.credentials is None
    probes = load(tmp_path, f'{ROUND_TRIP}password_file = "{secret}"')
    assert probes.credentials is None
    assert probes.round_trip.credentials == BasicLogin("Probe@xn--bcher-kva.example", Secret("hunter2"))
    named = load(tmp_path, f'{ROUND_TRIP}username = "probe"\npassword = "x"\nsmtp_tls = "starttls"\nimap_port = 1993')
    assert named.round_trip.credentials == BasicLogin("probe", Secret("x"))
    assert named.round_trip.ports == (587, 1993)
    assert (named.round_trip.interval, named.round_trip.host) == (900, None)
    assert "hunter2" not in repr(probes)


def test_targets_are_normal_addresses_and_domains(tmp_path: Path):
    """The domain is compared in one form; the local part is kept."""
    probes = load(tmp_path, LOGIN + 'delivery_to = ["Bob@Bücher.Example", "EXAMPLE.net."]')

    assert probes.delivery_to == ("Bob@xn--bcher-kva.example", "example.net")


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ('delivery_to = ["a@example.org"]', "no credentials"),
        ('spam_recipient = "a@example.org"', "no credentials"),
        ('username = "prober"', "set without its password"),
        (LOGIN + 'delivery_to = ["a@example.org", "EXAMPLE.org"]', "two entries of one domain"),
        (LOGIN + 'delivery_to = ["a@exa mple"]', "neither a mail address nor a domain"),
        (LOGIN + 'delivery_to = ["a/b@example.org"]', "neither a mail address nor a domain"),
        (LOGIN + 'delivery_to = ["@example.org"]', "neither a mail address nor a domain"),
        (LOGIN + 'spam_recipient = "example.org"', "not a mail address"),
        (LOGIN + 'address = "mx1"', "not an IP address"),
        (ROUND_TRIP, "set without a password"),
        (ROUND_TRIP + 'password = "a"\npassword_file = "/b"', "conflicts with password"),
        ('[servers.probes.round_trip]\npassword = "a"', "set without address"),
        (ROUND_TRIP + 'password_file = "/does/not/exist"', "round_trip.password_file"),
        (ROUND_TRIP + 'password = "a"\ninterval = "9s"', "from 10s to 1d"),
        (ROUND_TRIP + 'password = "a"\nhost = "a b"', "neither a host name nor an IP address"),
        (ROUND_TRIP + 'password = "a"\nmailbox = "a\\"b"', "printable ASCII"),
        ('[servers.probes.round_trip]\npassword = "a"\naddress = "a>\\r\\n@b.test"', "not a mail address"),
        (LOGIN + "delivery_to = [" + ", ".join(f'"d{n}.test"' for n in range(21)) + "]", "more than 20"),
    ],
)
def test_what_cannot_be_probed_is_reported(tmp_path: Path, table: str, problem: str):
    """At start, with the path of the section."""
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, table)

    assert any("probes" in text and problem in text for text in caught.value.problems), caught.value.problems
