"""Plots of a run, as small PNG files beside docs/performance.md."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl

from bench.report import Results, cpu_of, rate_of
from bench.rounds import EACH, EVERYBODY, SENDALL, SENDALL_TLS

mpl.use("Agg")
from matplotlib import pyplot as plt

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WRITERS = 4
MEMBERS = (100, 1000, 5000)
_OURS = {SENDALL: "#0b6e4f", SENDALL_TLS: "#6bbf59"}
_THEIRS = "#b8b8b8"
_LIMIT = "#606060"


def draw(results: Results, folder: Path) -> list[Path]:
    """Write the plots to `folder` and return their paths."""
    return [
        _bars(results, folder / "performance-deliveries.png"),
        _costs(results, folder / "performance-cpu.png"),
        _delays(results, folder / "performance-delay.png"),
    ]


def _colour(server: str) -> str:
    return _OURS.get(server, _LIMIT if server.startswith("raw C") else _THEIRS)


def _bars(results: Results, path: Path) -> Path:
    """Deliveries a second, flat out."""
    figure, axes = plt.subplots(1, 3, figsize=(11, 3.4), sharey=True)
    for members, ax in zip(MEMBERS, axes, strict=True):
        found = {s: results.median(s, members, WRITERS, of=rate_of) for s in EVERYBODY}
        _horizontal(ax, {s: v / 1e6 for s, v in found.items() if v}, f"{members:,} members")
        ax.set_xscale("log")
    axes[1].set_xlabel(f"million deliveries a second, {WRITERS} writing flat out (logarithmic)")
    return _save(figure, path)


def _costs(results: Results, path: Path) -> Path:
    """Server CPU of a delivery, flat out and at 100 messages a second."""
    figure, axes = plt.subplots(1, 2, figsize=(11, 3.4))
    flat = {s: results.median(s, 1000, WRITERS, of=cpu_of) for s in EVERYBODY}
    _horizontal(axes[0], {s: v for s, v in flat.items() if v}, "1,000 members, flat out")
    axes[0].set_xscale("log")
    paced = {s: results.median(s, 1000, 1, 100, of=cpu_of) for s in EVERYBODY}
    _horizontal(axes[1], {s: v for s, v in paced.items() if v}, "1,000 members, 100 messages a second")
    for ax in axes:
        ax.set_xlabel("µs of server CPU a delivery")
    return _save(figure, path)


def _delays(results: Results, path: Path) -> Path:
    """Time until the last of 1,000 members has a message."""
    figure, axes = plt.subplots(1, 2, figsize=(11, 2.6))
    for rate, ax in zip((10, 100), axes, strict=True):
        servers = [s for s in (EACH, "Redis", SENDALL_TLS, SENDALL) if results.of(s, 1000, 1, rate)]
        for row, server in enumerate(servers):
            p50, p99 = (
                results.median(server, 1000, 1, rate, of=lambda f: f.last_p50_ms),
                results.median(server, 1000, 1, rate, of=lambda f: f.last_p99_ms),
            )
            ax.plot([p50, p99], [row, row], color=_colour(server), linewidth=5, solid_capstyle="butt")
            ax.plot([p50], [row], "o", color=_colour(server))
        ax.set_yticks(range(len(servers)), servers)
        ax.set_title(f"{rate} messages a second", fontsize=9)
        ax.set_xlim(left=0)
        ax.set_xlabel("ms to the last of 1,000 members: p50 (dot) to p99")
    return _save(figure, path)


def _horizontal(ax: Axes, values: dict[str, float], title: str) -> None:
    servers = list(reversed(values))
    ax.barh(servers, [values[server] for server in servers], color=[_colour(server) for server in servers])
    ax.set_title(title, fontsize=9)


def _save(figure: Figure, path: Path) -> Path:
    figure.tight_layout()
    figure.savefig(path, dpi=80)
    plt.close(figure)
    return path
