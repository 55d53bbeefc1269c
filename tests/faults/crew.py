"""A process full of members: producers and consumers that write down what they do.

    python -m tests.faults.crew PLAN.json

Real members, through the public library alone. A producer posts numbered texts with a window of
unconfirmed ones until it has posted `count` or SIGTERM comes, and ends when all is confirmed. A
consumer writes down each message shown until it sees the text END; one with `restless` leaves
after some messages and comes back at a random place it has seen before. A process that is killed
is followed by one with the same plan, which goes on in the same histories.
"""

from __future__ import annotations

import asyncio
import random
import signal
import sys
from pathlib import Path

import msgspec

import sendall
from tests.faults.evidence import Got, Invoke, payload_sha
from tests.faults.history import HistoryWriter, read_history

END = "END"


class Producer(msgspec.Struct, frozen=True):
    name: str
    room: str
    count: int
    window: int = 16
    size: int = 256
    pause_s: float = 0.0


class Consumer(msgspec.Struct, frozen=True):
    name: str
    room: str
    restless: bool = False


class Plan(msgspec.Struct, frozen=True):
    address: str
    folder: str
    """Histories go to `histories` in it, the members' own state to `state`."""
    producers: list[Producer] = []
    consumers: list[Consumer] = []


def text_of(name: str, number: int, size: int) -> str:
    return f"{name} {number} ".ljust(size, "x")


async def produce(plan: Plan, job: Producer, stop: asyncio.Event) -> None:
    """Post until the count is reached or `stop` is set, then until everything is confirmed."""
    path = Path(plan.folder) / "histories" / f"{job.name}.jsonl"
    first = _next_number(path)
    state = Path(plan.folder) / "state" / job.name
    with HistoryWriter(path) as history:
        async with sendall.connect(plan.address, nick=job.name, state=state, wait=True) as me:
            room = await me.join(job.room, tail=0)
            window = asyncio.Semaphore(job.window)
            tasks = set()
            for pending in list(room.unconfirmed):
                tasks.add(asyncio.create_task(_confirm(room, history, window, None, pending)))
                await window.acquire()
            for number in range(first, job.count):
                await window.acquire()
                if stop.is_set():
                    break
                text = text_of(job.name, number, job.size)
                history.invoke(number, payload_sha(text), sender=me.id, session=bytes(16))
                task = asyncio.create_task(_confirm(room, history, window, number, room.post_nowait(text)))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
                if job.pause_s:
                    await asyncio.sleep(job.pause_s)
            await asyncio.gather(*tasks)
            await room.drain()


async def _confirm(
    room: sendall.Room,
    history: HistoryWriter,
    window: asyncio.Semaphore,
    number: int | None,
    pending: sendall.Pending,
) -> None:
    receipt = await pending.receipt
    history.ok(number, payload_sha(pending.text), seq=receipt.seq, h=room.follower.log.h_at(receipt.seq))
    window.release()


def _next_number(path: Path) -> int:
    if not path.exists():
        return 0
    return max((event.id for event in read_history(path).events if isinstance(event, Invoke)), default=-1) + 1


async def consume(plan: Plan, job: Consumer) -> None:
    """Write down every message until END."""
    path = Path(plan.folder) / "histories" / f"{job.name}.jsonl"
    state = Path(plan.folder) / "state" / job.name
    seen = [event.seq for event in read_history(path).events if isinstance(event, Got)] if path.exists() else []
    chance = random.Random(job.name)
    cursor = max(seen, default=0)
    with HistoryWriter(path) as history:
        async with sendall.connect(plan.address, nick=job.name, state=state, wait=True) as me:
            while cursor >= 0:
                room = await me.join(job.room, since=cursor + 1)
                history.subscribe(cursor, messages_only=True)
                patience = chance.randint(50, 500) if job.restless else sys.maxsize
                cursor = await _listen(room, history, cursor, patience)
                await room.leave()
                if cursor > 0:
                    cursor = chance.randint(max(0, cursor - 300), cursor)


async def _listen(room: sendall.Room, history: HistoryWriter, cursor: int, patience: int) -> int:
    """Return the cursor at which this consumer lost patience, or -1 at END."""
    async for message in room:
        history.got(message.seq, payload_sha(message.text), room.follower.log.h_at(message.seq))
        cursor = message.seq
        patience -= 1
        if message.text == END:
            return -1
        if patience <= 0:
            break
    return cursor


async def work(plan: Plan) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with asyncio.TaskGroup() as group:
        for producer in plan.producers:
            group.create_task(produce(plan, producer, stop))
        for consumer in plan.consumers:
            group.create_task(consume(plan, consumer))


if __name__ == "__main__":
    asyncio.run(work(msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Plan)))
