"""A scanner without a magnet: it sends pulses over the paths that one machine offers, right or with faults.

By the X server's test extension (keyboard), a pseudo-terminal (serial), or an LSL marker stream. It knows
nothing of the session, and writes down when it really sent what, so that stamps can be measured against it.
"""
