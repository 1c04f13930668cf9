"""The sections of a protocol, a module for each; ``closedloop.protocol.models`` joins them."""
