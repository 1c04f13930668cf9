"""Drawings of the report. Each takes arrays and returns SVG; none reads the session file."""
