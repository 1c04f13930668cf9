#!/bin/sh
# Runs the arguments with a Python that PsychoPy supports (3.10 to 3.12), wherever it hides.
# It is tried, not only looked for: a version manager's shim may stand for nothing.
for python in ${PYTHON:-} python3.11 python3.12 python3.10 python3 python; do
    if "$python" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null; then
        exec "$python" "$@"
    fi
done
echo "set-up: no Python 3.10, 3.11 or 3.12 was found; type: sudo apt-get install -y python3 python3-venv" >&2
echo "        or name one yourself: PYTHON=/path/to/python3.11 make demo" >&2
exit 1
