"""`python -m exporter.simulator`: a simulated Stalwart server that runs until it is interrupted."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys

from exporter.simulator.common.responses import encode
from exporter.simulator.harness.script import full_day
from exporter.simulator.harness.simulator import Simulator, serve
from exporter.simulator.world.profile import Profile


def _arguments(given: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m exporter.simulator", description=__doc__)
    parser.add_argument("--listen", default="127.0.0.1:0", metavar="HOST:PORT")
    parser.add_argument("--control-port", type=int, default=0, help="port on loopback (default: any free one)")
    parser.add_argument("--version", default="0.15.5", help="release to play, 0.10.7 to 0.16.18")
    parser.add_argument("--edition", default="community", choices=("community", "unlicensed", "enterprise"))
    parser.add_argument("--no-metrics-store", action="store_true", help="enterprise without a metrics history")
    parser.add_argument("--no-trace-store", action="store_true", help="enterprise without a trace history")
    parser.add_argument("--metrics-interval", type=float, default=3600.0, metavar="SECONDS")
    parser.add_argument("--no-native-page", action="store_true", help="leave /metrics/prometheus switched off")
    parser.add_argument("--open-native-page", action="store_true", help="/metrics/prometheus without a login")
    parser.add_argument("--correct-histograms", action="store_true", help="cumulative buckets, as no real server has")
    parser.add_argument("--no-log-files", action="store_true", help="log to stdout only: /api/logs is unsupported")
    parser.add_argument("--limit-loopback", action="store_true", help="loopback is limited and banned like anybody")
    parser.add_argument("--speed", type=float, default=1.0, help="durations are divided by this; 288 is a day in 5 min")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--no-script", action="store_true", help="nothing happens unless the control port says so")
    parser.add_argument("--synthetic-queue", type=int, default=0, metavar="N", help="begin with N queued messages")
    return parser.parse_args(given)


def _profile(arguments: argparse.Namespace) -> Profile:
    return Profile(
        version=arguments.version,
        edition=arguments.edition,
        metrics_store=not arguments.no_metrics_store,
        trace_store=not arguments.no_trace_store,
        metrics_interval_seconds=arguments.metrics_interval,
        native_page=not arguments.no_native_page,
        native_login=None if arguments.open_native_page else Profile().native_login,
        correct_histograms=arguments.correct_histograms,
        log_files=not arguments.no_log_files,
        exempt_loopback=not arguments.limit_loopback,
        signs_mail=not arguments.no_script,
    )


def _announce(simulator: Simulator) -> None:
    control = simulator.control.url if simulator.control is not None else None
    sys.stdout.write(encode({"url": simulator.url, "control_url": control}).decode() + "\n")
    sys.stdout.flush()


async def _run(arguments: argparse.Namespace) -> None:
    host, _, port = arguments.listen.rpartition(":")
    simulator = Simulator(
        _profile(arguments),
        host=host.strip("[]"),
        port=int(port),
        with_control=True,
        control_port=arguments.control_port,
        seed=arguments.seed,
        speed=arguments.speed,
        ticking=True,
        script=None if arguments.no_script else full_day(),
    )
    if arguments.synthetic_queue:
        simulator.world.synthetic_queue(arguments.synthetic_queue)
    serving = asyncio.ensure_future(serve(simulator, _announce))
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, serving.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await serving
    for error in simulator.front.errors:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")


def main(given: list[str] | None = None) -> None:
    """Run the simulated server."""
    asyncio.run(_run(_arguments(given)))


if __name__ == "__main__":
    main()
