"""The scripts that create keys, run by a shell against the answers of real servers."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from exporter.cli.config.key import jmap_permissions, rest_permissions
from exporter.stalwart.jmap.probe import changes_server
from tests.support.commands import run_command
from tests.support.paths import RECORDINGS

REST_ANSWER = '{"data":42}'
REST_REFUSAL = '{"error":"fieldAlreadyExists","field":"name","value":"exporter"}'

JMAP_ANSWERS = [
    '{"methodResponses":[["x:Domain/query",{"accountId":"d333333","ids":["b"]},"c"]],"sessionState":"1"}',
    '{"methodResponses":[["x:Role/set",{"accountId":"d333333","created":{"k":{"id":"f"}}},"c"]],"sessionState":"1"}',
    '{"methodResponses":[["x:Account/set",{"accountId":"d333333","created":{"k":{"id":"i"}}},"c"]],"sessionState":"1"}',
    '{"methodResponses":[["x:ApiKey/set",{"accountId":"i","created":{"k":{"id":"b","secret":"API_AAAACA"}}},"c"]],'
    '"sessionState":"1"}',
]
"""As Stalwart 0.16.18 answers, in the order of the script's requests."""

CURL = """\
#!/bin/sh
# Keeps its arguments, its input and the request's body, and gives the next answer.
number=$(cat {folder}/number); echo $((number + 1)) > {folder}/number
previous=
for argument; do
    [ "$previous" != --data ] || printf %s "$argument" > {folder}/body-$number
    previous=$argument
done
cat > {folder}/input-$number
printf '%s\\n' "$*" >> {folder}/arguments
cat {folder}/answer-$number
"""


def run_script(folder: Path, *options: str, answers: list[str]) -> tuple[subprocess.CompletedProcess[str], list[Any]]:
    """Runs what `key` prints, with a curl that gives *answers*; returns its end, and the bodies of its requests."""
    printed = run_command(folder, "key", *options)
    assert printed.returncode == 0, printed.stderr
    tools = folder / "tools"
    tools.mkdir()
    (tools / "number").write_text("0")
    for number, answer in enumerate(answers):
        (tools / f"answer-{number}").write_text(answer)
    (tools / "curl").write_text(CURL.format(folder=tools))
    (tools / "curl").chmod(0o755)
    ended = subprocess.run(
        ["sh", "-c", printed.stdout],
        input="admin's \"password\n",
        cwd=folder,
        env=os.environ | {"PATH": f"{tools}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    bodies = []
    for number in range(len(answers)):
        path = tools / f"body-{number}"
        text = path.read_text() if path.exists() else ""
        bodies.append(json.loads(text if text.startswith("{") else (tools / f"input-{number}").read_text()))
    return ended, bodies


def test_a_rest_key_is_created_with_a_hashed_secret(tmp_path: Path):
    """The server gets the hash, the file the secret, and only its owner can read it."""
    ended, [body] = run_script(tmp_path, "--generation", "rest", answers=[REST_ANSWER])

    assert ended.returncode == 0, ended.stderr
    secret = tmp_path / "exporter.secret"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert len(secret.read_text().strip()) == 48
    assert (body["type"], body["name"], body["roles"]) == ("apiKey", "exporter", [])
    assert body["secrets"][0].startswith("$6$")
    assert body["enabledPermissions"] == rest_permissions(with_accounts=False)
    assert f'password_file = "{secret}"' in ended.stdout


def test_a_refused_rest_key_leaves_no_secret(tmp_path: Path):
    """The server's answer is shown; it comes with status 200."""
    ended, _ = run_script(tmp_path, "--generation", "rest", answers=[REST_REFUSAL])

    assert ended.returncode == 1
    assert "fieldAlreadyExists" in ended.stderr
    assert not (tmp_path / "exporter.secret").exists()


@pytest.mark.parametrize("generation", ["rest", "jmap"])
def test_a_secret_that_exists_is_kept(tmp_path: Path, generation: str):
    """The exporter may be using it: the script ends before it asks the server."""
    (tmp_path / "exporter.secret").write_text("in use\n")

    ended, _ = run_script(tmp_path, "--generation", generation, answers=[])

    assert ended.returncode == 1
    assert "exporter.secret exists" in ended.stderr
    assert (tmp_path / "exporter.secret").read_text() == "in use\n"
    assert not (tmp_path / "tools" / "arguments").exists()


def test_a_jmap_key_is_of_an_account_with_a_role_of_its_own(tmp_path: Path):
    """Role, account and key follow from each other; the administrator's password is in no argument."""
    ended, bodies = run_script(tmp_path, "--generation", "jmap", "--name", "mon", answers=JMAP_ANSWERS)

    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "mon.secret").read_text() == "API_AAAACA\n"
    assert stat.S_IMODE((tmp_path / "mon.secret").stat().st_mode) == 0o600
    calls = [body["methodCalls"][0][:2] for body in bodies]
    assert [method for method, _ in calls] == ["x:Domain/query", "x:Role/set", "x:Account/set", "x:ApiKey/set"]
    role, account, key = (arguments["create"]["k"] for _, arguments in calls[1:])
    assert role["enabledPermissions"] == dict.fromkeys(jmap_permissions(with_settings=False), True)
    assert (account["domainId"], account["roles"]["roleIds"]) == ("b", {"f": True})
    assert (calls[3][1]["accountId"], key["permissions"]) == ("i", {"@type": "Inherit"})
    assert "password" not in (tmp_path / "tools" / "arguments").read_text()
    assert 'user = "admin:admin\'s \\"password"' in (tmp_path / "tools" / "input-0").read_text()


def test_a_refused_jmap_call_ends_the_script(tmp_path: Path):
    """What the server says is shown, and nothing further is asked."""
    refused = '{"methodResponses":[["error",{"type":"forbidden"},"c"]]}'
    ended, _ = run_script(tmp_path, "--generation", "jmap", answers=[JMAP_ANSWERS[0], refused])

    assert ended.returncode != 0
    assert "forbidden" in ended.stderr
    assert "created" not in ended.stdout


def test_the_keys_can_change_nothing():
    """Neither by a permission that changes, nor by one that discloses secrets."""
    rest = rest_permissions(with_accounts=False)

    assert not [name for name in rest if name.endswith(("-create", "-update", "-delete", "-import"))]
    assert not {"settings-list", "individual-list", "authenticate-oauth"} & set(rest)
    assert "individual-list" in rest_permissions(with_accounts=True)
    assert not [name for name in jmap_permissions(with_settings=True) if changes_server(name)]


def test_settings_are_read_only_on_request(tmp_path: Path):
    """They may contain tokens; each permission is one that a real 0.16.18 grants to its administrator."""
    added = set(jmap_permissions(with_settings=True)) - set(jmap_permissions(with_settings=False))
    known = set(re.findall(r'"(sys\w+)"', (RECORDINGS / "ops-0.16.18" / "accounts.json").read_text()))

    assert {"sysMtaStageRcptGet", "sysMtaRouteGet", "sysMtaRouteQuery", "sysSystemSettingsGet"} <= added
    assert sorted(added - known) == []
    printed = run_command(tmp_path, "key", "--generation", "jmap", "--with-settings")
    assert '"sysMtaRouteQuery": true' in printed.stdout


@pytest.mark.parametrize(
    "options",
    [
        ("--generation", "soap"),
        ("--generation", "rest", "--name", "$(reboot)"),
        ("--generation", "rest", "--url", "ftp://x"),
        ("--generation", "rest", "--url", "https://a.test/$(reboot)"),
    ],
    ids=["generation", "name", "scheme", "path"],
)
def test_a_wrong_option_prints_no_script(tmp_path: Path, options: tuple[str, ...]):
    """What would be run by a shell is checked before."""
    ended = run_command(tmp_path, "key", *options)

    assert (ended.returncode, ended.stdout) == (2, "")
    assert options[-2] in ended.stderr


def test_an_administrators_name_is_quoted(tmp_path: Path):
    """No name reaches the shell as a command."""
    ended = run_command(tmp_path, "key", "--generation", "jmap", "--admin", "a'$(reboot)")

    assert "ADMIN='a'\"'\"'$(reboot)'" in ended.stdout
