"""`sendall serve`: a server until a signal ends it.

The banner goes to stdout, then one line per event to stderr.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from sendall.cli.banner import Facts, banner, invocation
from sendall.cli.options import ServerPlan
from sendall.cli.tokens import keep_token
from sendall.node import Node


def serve(plan: ServerPlan) -> int:
    """Serve until SIGTERM or SIGINT, which lose nothing and tell the clients; a second one ends at once."""
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("sendall").setLevel(logging.INFO)
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_serve(plan))
    return 0


async def _serve(plan: ServerPlan) -> None:
    told_to_stop = asyncio.Event()
    stop_on_signals(told_to_stop)
    async with running(plan) as (_, facts):
        print(banner(facts, invocation()), flush=True)
        await told_to_stop.wait()


def stop_on_signals(told: asyncio.Event) -> None:
    """Set `told` at the first SIGTERM or SIGINT, and let the second have its default effect."""
    loop = asyncio.get_running_loop()

    def first() -> None:
        told.set()
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(each)
            signal.signal(each, signal.SIG_DFL)

    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, first)


@asynccontextmanager
async def running(
    plan: ServerPlan, stop: str = "Ctrl-C, or SIGTERM: loses nothing, tells who is here"
) -> AsyncIterator[tuple[Node, Facts]]:
    """Run a server while the block runs; gives the node and what the banner says of it.

    Raises:
        PortTaken, FolderInUse, UsageError, LogError: see `Node.start`.
    """
    async with Node(plan.settings, token=plan.token) as node:
        file = plan.token_file
        if plan.is_new_token and plan.token is not None:
            # Not before the start: the folder may be another server's.
            file = keep_token(node.data, plan.token)
        yield (
            node,
            Facts(
                plan.settings,
                node.address,
                node.server_pk,
                node.words,
                node.data,
                token_file=file,
                has_token=plan.token is not None,
                stop=stop,
            ),
        )


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return uvloop's event loop where there is one: a TLS connection costs a tenth of the memory on it."""
    try:
        import uvloop
    except ImportError:  # Windows
        return None
    return uvloop.new_event_loop
