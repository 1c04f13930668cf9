"""The science: no window, no socket, no device."""
