"""The report of whole, broken-off, empty and damaged sessions."""

from __future__ import annotations

import base64
import re
import sqlite3
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from session_factory import SessionPlan, write_session

from closedloop.errors import SessionError
from closedloop.report import write_report
from closedloop.session import SessionReader

SECTIONS = [
    "evolution",
    "images",
    "psth",
    "trials",
    "timing",
    "deadtime",
    "streams",
    "log",
    "versions",
    "parameters",
]
VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """Collects what a page holds, and checks that its elements are nested as they should be."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words)).replace("\u202f", " ").replace("\u00a0", " ")

    def values(self, tag: str, name: str) -> list[str]:
        return [value for t, n, value in self.attributes if (t, n) == (tag, name)]


def report(folder: Path) -> Page:
    page = Page(write_report(folder).read_text(encoding="utf-8"))
    assert page.open == []
    assert page.values("section", "id") == SECTIONS
    assert not re.search(r"\bnan\b|\bNone\b|<NA>|\bNaT\b", page.text)
    return page


@pytest.fixture(scope="module")
def rising(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Page]:
    plan = SessionPlan(
        generations=6, images=12, references=4, threads=("left", "right"), resumed=True, trouble=True
    )
    folder = write_session(tmp_path_factory.mktemp("report") / "Alfa_evolution_20261121-120000", plan)
    return folder, report(folder)


def test_the_page_needs_nothing_from_elsewhere(rising: tuple[Path, Page]) -> None:
    _, page = rising
    assert "script" not in page.tags
    assert "link" not in page.tags
    assert all(source.startswith("data:image/") for source in page.values("img", "src"))
    assert all(link.startswith("#") for link in page.values("a", "href"))
    assert {link[1:] for link in page.values("a", "href")} <= set(page.values("section", "id"))
    assert len(page.values("img", "alt")) == len(page.values("img", "src"))
    html = write_report(rising[0]).read_text(encoding="utf-8")
    assert not re.search(r"url\(|@import|https?://(?!www\.w3\.org)", html)


def test_drawings_are_svg_and_pictures_are_png(rising: tuple[Path, Page]) -> None:
    _, page = rising
    for source in page.values("img", "src"):
        kind, _, data = source.partition(";base64,")
        content = base64.b64decode(data)
        assert content.startswith(b"\x89PNG") if kind == "data:image/png" else b"<svg" in content
    # curve, PSTH, invalid trials, intervals, missed frames, dead time, states, delays, clock
    assert sum(source.startswith("data:image/svg") for source in page.values("img", "src")) == 9
    # six generations of two threads, and four references of each
    assert sum(source.startswith("data:image/png") for source in page.values("img", "src")) == 2 * (6 + 4)


def test_what_people_wrote_is_text_and_never_markup(rising: tuple[Path, Page]) -> None:
    folder, page = rising
    assert "cell <script>alert(1)</script> sounds well isolated" in page.text
    assert "<script>alert" not in (folder / "report.html").read_text(encoding="utf-8")


def test_figures_in_words_are_those_of_the_file(rising: tuple[Path, Page]) -> None:
    folder, page = rising
    with SessionReader(folder) as reader:
        trials, scores = reader.table("trials"), reader.table("scores")
        kinds = reader.table("images").set_index("image")["kind"]
    valid, invalid = (int((trials["status"] == status).sum()) for status in ("valid", "invalid"))
    assert f"{valid + invalid} trials judged: {valid} valid and {invalid} invalid" in page.text
    mine = scores[(scores["thread"] == 0) & (scores["image"].map(kinds) == "evolved")]
    for generation in (0, 5):
        means = mine.loc[mine["generation"] == generation, "mean"]
        stated = f"{means.mean():.1f} ± {means.std(ddof=1) / np.sqrt(len(means)):.1f} spikes/s in generation {generation}"
        assert stated in page.text
    for reason, n in trials["reason"].value_counts().items():
        assert f"{reason} {n} " in page.text
    assert "resumed once" in page.text
    assert "2 chunks of the sequence are missing" in page.text
    assert "lost once" in page.text
    assert "0123456789abcdef0123456789abcdef01234567" in page.text
    assert "# a synthetic session, made for tests" in page.text
    assert "paced its flips by the clock" in page.text


def test_a_session_that_rises_is_said_to_have_evolved_and_one_that_does_not_is_not(
    tmp_path: Path, rising: tuple[Path, Page]
) -> None:
    assert "It evolved" in rising[1].text
    flat = report(write_session(tmp_path / "flat", SessionPlan(generations=6, rise=0.0)))
    assert "No significant rise" in flat.text
    assert "It evolved" not in flat.text
    for page in (rising[1], flat):
        assert "What must be said with this test" in page.text


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        (SessionPlan(generations=0, exit_status="aborted"), ["no image was shown", "No trial was shown"]),
        (
            SessionPlan(generations=0, half_generation=True, exit_status=None),
            ["it crashed, or still runs", "No generation was completed"],
        ),
        (SessionPlan(generations=1, references=0), ["Too short to tell", "One generation was completed"]),
        (
            SessionPlan(generations=3, half_generation=True, exit_status=None, kind="spikes"),
            ["it crashed, or still runs", "first (generation 0)", "last (generation 3)"],
        ),
        (
            SessionPlan(generations=2, invalid_share=1.0),
            [
                "No valid trial in generations 0 and 1",
                "no valid trial of an evolved image in generations 0 and 1",
            ],
        ),
        (SessionPlan(generations=2, samples=False), ["no samples are in the file", "No sample was recorded"]),
    ],
    ids=["no trial", "half a generation", "one generation", "crashed", "all invalid", "no samples"],
)
def test_what_is_missing_is_said_in_words(tmp_path: Path, plan: SessionPlan, said: list[str]) -> None:
    page = report(write_session(tmp_path / "s", plan))
    everything = page.text + " ".join(_drawn_words(page))
    for words in said:
        assert words in everything


def _drawn_words(page: Page) -> list[str]:
    found = []
    for source in page.values("img", "src"):
        if source.startswith("data:image/svg"):
            drawing = base64.b64decode(source.partition(";base64,")[2]).decode("utf-8")
            found += re.findall(r"<text[^>]*>([^<]+)</text>", drawing)
    return found


def test_drawings_carry_axis_labels_with_units(rising: tuple[Path, Page]) -> None:
    words = _drawn_words(rising[1])
    for label in (
        "response (spikes/s)",
        "rate (spikes/s)",
        "dead time (ms)",
        "delay (ms)",
        "response window",
    ):
        assert label in words


def test_a_damaged_chunk_costs_the_psth_and_nothing_else(tmp_path: Path) -> None:
    folder = write_session(tmp_path / "s", SessionPlan())
    with sqlite3.connect(folder / "session.sqlite") as connection:
        connection.execute("UPDATE chunks SET data = x'00010203'")
    connection.close()
    page = report(folder)
    assert "unreadable data" in page.text
    assert "response (spikes/s)" in _drawn_words(page)


def test_a_protocol_that_can_not_be_read_is_shown_all_the_same(tmp_path: Path) -> None:
    folder = write_session(tmp_path / "s", SessionPlan())
    with sqlite3.connect(folder / "session.sqlite") as connection:
        connection.execute("UPDATE meta SET value = 'version: 99\nstrange: [' WHERE key = 'protocol'")
    connection.close()
    page = report(folder)
    assert "strange: [" in page.text
    assert "protocol could not be read" in page.text


def test_a_report_can_be_written_while_the_session_runs_and_again_after(tmp_path: Path) -> None:
    folder = write_session(tmp_path / "s", SessionPlan(exit_status=None))
    first = write_report(folder)
    assert first == write_report(folder) == folder / "report.html"
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []


def test_a_folder_without_a_session_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(SessionError, match="no such file"):
        write_report(tmp_path)
    assert list(tmp_path.iterdir()) == []
