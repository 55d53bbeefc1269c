"""What happens to a world: people write, everything breaks, in an order that only the seed knows."""

from __future__ import annotations

from collections.abc import Callable

from sendall.protocol.entry import ZERO_32, Role
from tests.simulation.client import Program
from tests.simulation.world import DAY_MS, World

OLD_S = 700.0
"""A pause after which what is left behind is held: more than ten minutes."""


class Turmoil:
    """The events of one world until it is healed."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.rng = world.rng
        self.server = world.server
        self.loop = world.loop

    def play(self) -> None:
        """Let 40 to 120 things happen, one after the other."""
        happenings: list[tuple[float, Callable[[], None]]] = [
            (30, self._say),
            (4, self._cut),
            (2, self._half_open),
            (2, self._stall),
            (2, self._kill_program),
            (1, self._exit),
            (5, self._start_program),
            (2, self._kill_server),
            (1, self._restart_server),
            (1, self._disk_fails),
            (1, self._disk_fills),
            (1, self._disk_slows),
            (2, self._new_day),
            (2, self._change_role),
            (4, self._page),
            (1, self._decide),
            (1, self._pause),
        ]
        # Each world has its own climate: some things happen often in it, some never.
        weights = [weight * self.rng.choice((0, 0.3, 1, 1, 3)) for weight, _ in happenings]
        weights[0] = happenings[0][0]
        if self.world.loses_tails:
            weights = [
                4 if happening == self._kill_server else weight
                for weight, (_, happening) in zip(weights, happenings, strict=True)
            ]
        mean_s = self.rng.choice((0.01, 0.1, 0.5))
        for _ in range(self.rng.randint(40, 120)):
            self.loop.run(self.rng.expovariate(1 / mean_s))
            (_, happening) = self.rng.choices(happenings, weights)[0]
            happening()

    def _note(self, who: str, what: str) -> None:
        self.loop.note(who, what)

    def _program(self) -> Program | None:
        running = self.world.running
        return self.rng.choice(running) if running else None

    # -- people -----------------------------------------------------------------------------------

    def _say(self) -> None:
        program = self._program()
        if program is None:
            return
        room = self.rng.choice(self.world.room_names)
        count = self.rng.choice((1, 1, 2, 5, 12))
        self._note(program.name, f"says {count} in {room}")
        for _ in range(count):
            if program.is_running:
                program.say(room, self.rng.choice((10, 60, 200, 2000)))

    def _page(self) -> None:
        program = self._program()
        if program is not None:
            program.page(self.rng.choice(self.world.room_names), self.rng.choice((1, 10, 100)))

    def _decide(self) -> None:
        program = self._program()
        if program is not None:
            program.decide(send=self.rng.random() < 0.7)

    def _start_program(self) -> None:
        if len(self.world.running) < 5 and len(self.world.programs) < 16:
            self.world.start(self.rng.choice(self.world.people))

    def _kill_program(self) -> None:
        program = self._program()
        if program is not None:
            program.kill()

    def _exit(self) -> None:
        program = self._program()
        if program is not None:
            program.exit()

    # -- the network --------------------------------------------------------------------------------

    def _cut(self) -> None:
        program = self._program()
        if program is not None and program.link is not None:
            self._note(program.name, "is cut off")
            program.link.cut()

    def _half_open(self) -> None:
        program = self._program()
        if program is not None and program.link is not None:
            up, down = self.rng.choice(((True, True), (True, False), (False, True)))
            self._note(program.name, f"loses its network without a word, up {up}, down {down}")
            program.link.lose(up=up, down=down)

    def _stall(self) -> None:
        program = self._program()
        if program is not None and program.link is not None:
            seconds = self.rng.choice((1.0, 10.0, 70.0))
            self._note(program.name, f"reads nothing for {seconds} s")
            program.stall()
            self.loop.later(seconds, program.unstall)

    # -- the server -----------------------------------------------------------------------------------

    def _loss(self) -> int | None:
        return self.rng.choice((0, 5, 30, 30)) if self.world.loses_tails else None

    def _kill_server(self) -> None:
        if self.server.relay is not None:
            lose = self._loss()
            self._note("server", "is killed" if lose is None else f"loses power and up to {lose} entries")
            self.server.kill(lose=lose)
            self._start_server_later()

    def _restart_server(self) -> None:
        if self.server.relay is not None:
            self._note("server", "is stopped")
            self.server.stop()
            self._start_server_later()

    def _start_server_later(self) -> None:
        self.loop.later(self.rng.choice((0.0, 0.5, 3.0)), self._start_server)

    def _start_server(self) -> None:
        if self.server.relay is None:
            self._note("server", "starts")
            self.server.start()

    def _disk_fails(self) -> None:
        relay = self.server.relay
        if relay is not None and not relay.is_broken:
            self._note("server", "cannot write to its disk")
            self.server.disk_fails(lose=self._loss())

    def _disk_fills(self) -> None:
        store = self.server.store
        store.is_full = True
        self._note("server", "has a full disk")
        self.loop.later(self.rng.uniform(0.1, 5.0), lambda: setattr(store, "is_full", False))

    def _disk_slows(self) -> None:
        self.server.commit_s = self.rng.choice((0.001, 0.1, 2.0))
        self._note("server", f"commits in {self.server.commit_s} s")

    def _new_day(self) -> None:
        ahead = self.rng.choice((DAY_MS, DAY_MS, -3_600_000))
        self._note("server", f"sees its clock jump by {ahead / 3_600_000:.0f} h")
        self.server.wall_ahead_ms += ahead

    def _change_role(self) -> None:
        relay = self.server.relay
        name = self.rng.choice(self.world.room_names)
        if relay is None or relay.is_broken or relay.rooms.named(name) is None:
            return
        role = self.rng.choice((Role.MEMBER, Role.MEMBER, Role.READER, Role.BANNED))
        person = self.rng.choice(self.world.people)
        if self.rng.random() < 0.2 and role in (Role.MEMBER, Role.READER):
            self._note("server", f"makes everybody a {role.name} of {name}")
            relay.set_role(name, ZERO_32, role)
        else:
            self._note("server", f"makes {person.name} a {role.name} of {name}")
            relay.set_role(name, person.identity.pk, role)
            self.world.pardons[name, person.name] += role is not Role.BANNED

    def _pause(self) -> None:
        seconds = self.rng.choice((5.0, 60.0, OLD_S))
        self._note("world", f"{seconds} s pass")
        if seconds == OLD_S:
            for program in self.world.running:
                program.kill()
        self.loop.run(seconds)
