"""The simulated subject: it looks at the screen, and its neurons answer over LSL.

``options.SubjectOptions`` says what can be chosen, ``subject.run`` runs it, ``python -m hardware.subject`` is
the command. Importing this package loads neither torch nor Xlib.
"""
