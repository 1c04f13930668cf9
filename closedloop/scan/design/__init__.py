"""From a protocol's design to what each run shows, drawn from the seed alone."""

from closedloop.scan.design.draw import draw_runs as draw_runs
