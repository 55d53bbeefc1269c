"""Play one seed again and print what happened: `python -m tests.simulation.replay SEED`."""

from __future__ import annotations

import logging
import sys

from tests.simulation.simulation import Simulation


def main() -> int:
    logging.disable()
    simulation = Simulation(int(sys.argv[1]), tracing=True)
    problems = simulation.run()
    print("\n".join(simulation.world.loop.trace))
    print("\n".join(["", "FOUND:", *problems] if problems else ["", "nothing wrong"]))
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
