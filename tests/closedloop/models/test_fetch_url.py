"""Fetching from a web address: a real server on this machine."""

from __future__ import annotations

import io
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from closedloop.errors import DiskError, HashMismatchError, ModelError
from closedloop.models import Progress, fetch

CONTENT = bytes(range(256)) * 4096


@dataclass
class Server:
    url: str = ""
    content: bytes = CONTENT
    announced: int | None = None
    requests: list[str] = field(default_factory=list)


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.requests.append(self.path)
            if self.path != "/own.pth":
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(state.announced or len(state.content)))
            self.end_headers()
            self.wfile.write(state.content)

        def log_message(self, *args: object) -> None:
            """Keep the tests' output clean."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        state.url = f"http://127.0.0.1:{http.server_port}"
        yield state
        http.shutdown()
        thread.join()


def test_a_file_comes_once_with_its_progress(register, server: Server) -> None:
    register({"url": f"{server.url}/own.pth"}, CONTENT)
    seen: list[Progress] = []
    path = fetch("mine", seen.append)
    assert path.read_bytes() == CONTENT
    assert path.suffix == ".pth"
    done = [progress.done_bytes for progress in seen]
    assert done == sorted(done)
    assert len(done) > 2
    assert {progress.total_bytes for progress in seen} == {len(CONTENT)}
    fetch("mine")
    assert server.requests == ["/own.pth"]


def test_a_file_can_lie_in_a_zip_archive(register, server: Server) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("folder/net.safetensors", CONTENT)
    server.content = packed.getvalue()
    register({"url": f"{server.url}/own.pth", "member": "folder/net.safetensors"}, CONTENT)
    path = fetch("mine")
    assert path.read_bytes() == CONTENT
    assert path.suffix == ".safetensors"


def test_a_truncated_archive_is_refused(register, server: Server) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("net.pth", CONTENT)
    server.content = packed.getvalue()[: len(CONTENT) // 2]
    register({"url": f"{server.url}/own.pth", "member": "net.pth"}, CONTENT)
    with pytest.raises(ModelError, match="damaged or truncated"):
        fetch("mine")


def test_an_archive_with_a_flipped_byte_is_refused(register, server: Server) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("net.pth", CONTENT)
    broken = bytearray(packed.getvalue())
    broken[len(broken) // 2] ^= 1
    server.content = bytes(broken)
    register({"url": f"{server.url}/own.pth", "member": "net.pth"}, CONTENT)
    with pytest.raises(ModelError, match="damaged or truncated"):
        fetch("mine")


def test_another_file_is_refused_with_both_hashes(models_dir: Path, register, server: Server) -> None:
    register({"url": f"{server.url}/own.pth"}, CONTENT)
    server.content = CONTENT[::-1]
    with pytest.raises(HashMismatchError):
        fetch("mine")
    assert [item.name for item in models_dir.iterdir()] == ["registry.yaml"]


def test_a_download_that_breaks_off_is_refused(models_dir: Path, register, server: Server) -> None:
    register({"url": f"{server.url}/own.pth"}, CONTENT)
    server.content, server.announced = CONTENT[:1000], len(CONTENT)
    with pytest.raises(ModelError):
        fetch("mine")
    assert [item.name for item in models_dir.iterdir()] == ["registry.yaml"]


def test_a_server_that_sends_too_much_is_cut_off(register, server: Server) -> None:
    register({"url": f"{server.url}/own.pth"}, CONTENT)
    server.content = CONTENT * 3
    with pytest.raises(ModelError, match=f"more than {len(CONTENT)} bytes"):
        fetch("mine")


def test_an_address_that_is_gone_says_so(register, server: Server) -> None:
    register({"url": f"{server.url}/gone.pth"}, CONTENT)
    with pytest.raises(ModelError, match="Not Found"):
        fetch("mine")


def test_a_model_folder_that_can_not_be_made_is_a_disk_error(
    register, models_dir: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("CLOSEDLOOP_MODELS", str(tmp_path / "file" / "models"))
    with pytest.raises(DiskError, match="CLOSEDLOOP_MODELS"):
        fetch("dcgan-faces")


def test_a_local_file_is_checked_and_not_copied(register, models_dir: Path) -> None:
    register({"file": "own.pth"}, CONTENT)
    with pytest.raises(ModelError, match="Put the right file there"):
        fetch("mine")
    (models_dir / "own.pth").write_bytes(CONTENT)
    assert fetch("mine") == (models_dir / "own.pth").resolve()
    (models_dir / "own.pth").write_bytes(b"other")
    with pytest.raises(HashMismatchError):
        fetch("mine")
