"""Speed of the relay, beside a raw C copier, under one generator in one run: `make bench`.

`members` connects, proves and seals before the clock starts, `servers` runs what is measured, the
sockets go to `generator.c`, `rounds` takes the figures, `report` prints and keeps them.
"""
