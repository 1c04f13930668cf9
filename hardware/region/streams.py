"""How a simulated region's stream describes itself."""

from __future__ import annotations

import pylsl

from hardware.region.options import RegionOptions


def describe_region(options: RegionOptions) -> pylsl.StreamInfo:
    """Return the description of the response stream."""
    labels = [f"region {number}" for number in range(len(options.regions))]
    units = ["percent" if options.kind == "trials" and options.baseline else "a.u."] * len(labels)
    if options.kind == "trials":
        labels, units = ["trial", *labels], ["number", *units]
        rate_hz, form = pylsl.IRREGULAR_RATE, pylsl.cf_double64
    else:
        rate_hz, form = 1 / options.signal.tr_s, pylsl.cf_float32
    info = pylsl.StreamInfo(options.name, options.kind, len(labels), rate_hz, form, options.source_id)
    info.set_channel_labels(labels)
    info.set_channel_units(units)
    about = info.desc()
    about.append_child_value("kind", options.kind)
    about.append_child_value("simulated", "true")
    about.append_child_value("manufacturer", "closedloop")
    about.append_child_value("tr_s", f"{options.signal.tr_s:g}")
    # whoever finds the stream in a recording must not take a compressed one for a brain's
    about.append_child_value("times_faster_than_a_brain", f"{options.signal.speed:g}")
    return info
