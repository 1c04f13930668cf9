"""A sender of test signals of every kind of the contract, to try out a rig, a machine, or ourselves.

``python -m hardware.lsl.signal_sender --help``. It says ``ready`` on stdout once its stream is there, and
takes orders on stdin, one a line: ``gap SECONDS``, ``nan SAMPLES``, ``send V0 V1 ...`` (irregular kinds),
``quit``; it ends with its stdin. Channel 0 of a regular stream counts samples up from 0, so a receiver
can prove that none was lost; channel 1, if there is one, holds the unit's usual 10 spikes/s, as all others.
"""

from __future__ import annotations

import argparse
import queue
import sys
import threading
import time

import numpy as np
import pylsl

_FORMATS = {
    "float32": pylsl.cf_float32,
    "float64": pylsl.cf_double64,
    "int32": pylsl.cf_int32,
    "int16": pylsl.cf_int16,
    "int64": pylsl.cf_int64,
    "string": pylsl.cf_string,
}
_RATE_HZ = 10.0
_NOISE_CHUNKS = 50


def make_outlet(options: argparse.Namespace) -> pylsl.StreamOutlet:
    """Return the outlet that the options describe."""
    info = pylsl.StreamInfo(
        options.name,
        options.type,
        options.channels,
        options.rate_hz,
        _FORMATS[options.dtype],
        options.source_id,
    )
    if options.labels:
        info.set_channel_labels(options.labels.split(","))
    return pylsl.StreamOutlet(info, max_buffered=60)


def send_regular(outlet: pylsl.StreamOutlet, options: argparse.Namespace, orders: queue.Queue[str]) -> None:
    """Send chunks on an exact grid of stamps until told to quit."""
    per_chunk = max(1, round(options.rate_hz * options.chunk_ms / 1000))
    period_s = 1 / options.rate_hz
    values = np.full((per_chunk, options.channels), _RATE_HZ, dtype=options.dtype)
    # drawn once, as drawing takes longer than sending; the mean stays the usual rate
    noise = np.random.default_rng(0).gamma(
        4.0, _RATE_HZ / 4, (_NOISE_CHUNKS if options.noise else 0, *values.shape)
    )
    sent = nan_left = 0
    start_s = pylsl.local_clock()  # moves on with each gap
    while options.samples is None or sent < options.samples:
        order = _next(orders)
        if order[:1] == ["quit"]:
            return
        if order[:1] == ["gap"]:
            start_s += float(order[1])
        if order[:1] == ["nan"]:
            nan_left = int(order[1])
        due_s = start_s + (sent + per_chunk) * period_s
        time.sleep(max(0.0, due_s - pylsl.local_clock()))
        if options.noise:
            values[:] = noise[sent // per_chunk % _NOISE_CHUNKS]
        values[:, 0] = np.arange(sent, sent + per_chunk)
        if nan_left or (options.channels > 1 and not options.noise):
            values[:, 1] = np.where(np.arange(per_chunk) < nan_left, np.nan, _RATE_HZ)
            nan_left = max(0, nan_left - per_chunk)
        outlet.push_chunk(values, due_s)
        sent += per_chunk


def send_irregular(outlet: pylsl.StreamOutlet, options: argparse.Namespace, orders: queue.Queue[str]) -> None:
    """Send what is ordered, and keep-alives in between if asked for."""
    keep_alive_s = options.keep_alive_ms / 1000
    quiet_until_s = next_s = 0.0
    while True:
        order = _next(orders)
        if order[:1] == ["quit"]:
            return
        if order[:1] == ["gap"]:
            quiet_until_s = time.monotonic() + float(order[1])
        if order[:1] == ["send"]:
            outlet.push_sample(
                [float(value) if "float" in options.dtype else int(value) for value in order[1:]]
            )
        now_s = time.monotonic()
        if keep_alive_s and now_s >= max(next_s, quiet_until_s):
            outlet.push_sample([-1] + [0] * (options.channels - 1))
            next_s = now_s + keep_alive_s
        time.sleep(0.002)


def main() -> None:
    """Run the sender."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--name", default="signal")
    parser.add_argument("--type", default="rates")
    parser.add_argument("--source-id", default="closedloop-signal")
    parser.add_argument("--rate-hz", type=float, default=1000.0, help="0: irregular")
    parser.add_argument("--channels", type=int, default=4)
    parser.add_argument("--dtype", choices=sorted(_FORMATS), default="float32")
    parser.add_argument("--labels", default="", help="channel names, with commas between")
    parser.add_argument("--chunk-ms", type=float, default=20.0)
    parser.add_argument(
        "--noise", action="store_true", help="a regular stream's values vary around their usual one"
    )
    parser.add_argument("--samples", type=int, help="end after as many (a regular stream)")
    parser.add_argument("--keep-alive-ms", type=float, default=0.0, help="irregular: 0 sends none")
    options = parser.parse_args()
    outlet = make_outlet(options)
    orders: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_read_orders, args=(orders,), daemon=True).start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    (send_regular if options.rate_hz > 0 else send_irregular)(outlet, options, orders)
    if options.samples is not None:
        sys.stdout.write("done\n")
        sys.stdout.flush()
        while _next(orders, wait=True)[:1] != ["quit"]:
            pass


def _read_orders(orders: queue.Queue[str]) -> None:
    for line in sys.stdin:
        orders.put(line)
    orders.put("quit")


def _next(orders: queue.Queue[str], wait: bool = False) -> list[str]:
    try:
        return orders.get(block=wait).split()
    except queue.Empty:
        return []


if __name__ == "__main__":
    main()
