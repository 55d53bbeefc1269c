"""One simulation: a world is made from a seed, shaken, healed, and judged."""

from __future__ import annotations

import traceback

from tests.simulation.judge import judge
from tests.simulation.seams import installed
from tests.simulation.turmoil import Turmoil
from tests.simulation.world import Parts, World


class Simulation:
    """The simulation of one seed."""

    def __init__(self, seed: int, parts: Parts = Parts(), *, tracing: bool = False) -> None:  # noqa: B008  # frozen
        self.world = World(seed, parts, tracing=tracing)

    def run(self) -> list[str]:
        """Play the world to its end, once; return everything that was wrong with it."""
        world = self.world
        with installed(world.audit):
            try:
                world.begin()
                Turmoil(world).play()
                world.heal()
                world.come_to_rest()
                return world.problems + judge(world)
            except Exception as error:  # of the code of production: a finding like any other
                world.loop.note("world", "".join(traceback.format_exception(error)))
                return [*world.problems, f"it ended by {error!r}"]
