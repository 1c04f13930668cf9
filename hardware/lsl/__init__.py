"""Response streams in, markers out: everything that talks to the lab streaming layer (LSL).

liblsl may abort the process it lives in, so a session hears its streams through a process of its own
(``process``), which the engine knows as a ``LslLink`` (``proxy``). docs/lsl.md is the contract for rigs.
"""
