"""The protocol: what a session is to do. ``load`` reads it, ``frames`` fits it to the display."""
