"""``stalwart-exporter why``: the options, and how the command ends."""

from __future__ import annotations

from typing import Annotated

import typer

from exporter.cli.history.arguments import AsJson, Config, StorePath, finish, now
from exporter.cli.trail.arguments import OnlyDomain, Server, Since

What = Annotated[
    str, typer.Argument(metavar="WHAT", help="A queue id, message id, address, domain, account or client's IP address.")
]
Offline = Annotated[bool, typer.Option("--offline", help="Do not ask the server for the state of its queue.")]
Most = Annotated[int, typer.Option("--limit", "-n", min=0, max=10, help="Maximum number of other matches.")]


def why(
    what: What,
    config: Config = None,
    store: StorePath = None,
    server: Server = None,
    since: Since = None,
    only_domain: OnlyDomain = None,
    offline: Offline = False,
    most: Most = 10,
    as_json: AsJson = False,
) -> None:
    """
    Say what happened to a message: where it is now, what happens next, what to do, and the evidence.

    WHAT is a queue id (decimal as in logs, hexadecimal as in the reply to the sender, or as in the JMAP API), a
    message id, an address or a domain; an account or a client's IP address finds what was refused to it. Of several
    matches, the newest is explained. Exit status: 0 delivered, 1 the history cannot be read, 2 invalid options, 3
    nothing is known, 4 still in the queue, 5 failed, 6 refused, 7 the end is not known.
    """
    from exporter.answers.asked import parse_asked
    from exporter.answers.fate import EXIT_STATUS
    from exporter.answers.nothing import Coverage
    from exporter.cli.history.options import domain_of, moment_of, store_settings, trail_settings
    from exporter.cli.history.text import print_json
    from exporter.cli.why.answering import servers_of
    from exporter.cli.why.text import show_answer
    from exporter.history.shape import answer_fields
    from exporter.history.why import answer_to
    from exporter.store.reading import reading
    from exporter.store.trail.filter import TrailFilter

    moment = now()
    wanted = TrailFilter(
        server=server,
        since=None if since is None else moment_of("--since", since, now=moment),
        only_domain=None if only_domain is None else domain_of("--only-domain", only_domain),
    )
    path, kept = store_settings(store, config).path, trail_settings(config)
    coverage = Coverage(enabled=kept.enabled, keep_seconds=kept.keep)
    asked = parse_asked(what)

    def answer() -> int:
        servers = servers_of(config, offline=offline)
        with reading(path) as connection:
            found = answer_to(asked, wanted, connection=connection, queues=servers, coverage=coverage, now=moment)
        if as_json:
            print_json(answer_fields(found, asked=asked.text if wanted.only_domain is None else None, limit=most))
        else:
            show_answer(found, limit=most)
        return EXIT_STATUS[found.fate]

    finish(answer)
