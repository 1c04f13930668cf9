"""Verifies a recorded session for a person: ``closedloop replay SESSION --verify``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from closedloop.errors import ReferenceImageError, VerificationError
from closedloop.loop.history import RESUMED
from closedloop.loop.threads import EvolutionThread
from closedloop.optimizers import make_optimizer, optimizer_parameters
from closedloop.protocol.models import Protocol, References
from closedloop.replay.amended import amended_runs
from closedloop.replay.recorded import Recorded, read_recorded
from closedloop.replay.scan_verification import ScanVerification
from closedloop.replay.verification import Check, Progress, Verification, verify
from closedloop.scan.recorded import is_scan
from closedloop.session import SessionReader
from closedloop.session.soundness import damage_told
from experiments.console import err, out
from experiments.prepare import make_threads
from experiments.scan_verify import verify_scan_session

SHOWN = 20
# sections of a protocol that change nothing of what is compared
_HARMLESS = ("limits", "output", "notes", "display", "stop", "lsl")
# what a person may accept beside the protocol, as the event of a resume words it: images and codes as recorded
_NOT_REBUILT = ("generator of thread", "image ", "codes")


def verify_session(session: Path) -> Verification | ScanVerification:
    """Verify a session, print what was compared, and say whether all is equal.

    Args:
        session: its folder, or its session file.

    Raises:
        VerificationError: something differs; it names the first difference.
        SessionError: the file can't be read.
        ModelError: the weights that the session was run with are not here.
    """
    with damage_told(session), SessionReader(session) as reader, reader.snapshot():
        if is_scan(reader):
            return verify_scan_session(reader)
        return _verify_evolution(reader)


def compare_evolution(reader: SessionReader, progress: Progress = lambda _what, _share: None) -> Verification:
    """Breed, render and score a session again, and compare it with its record.

    Args:
        reader: of the session.
        progress: is called with what is compared, and the share of it that is done.
    """
    recorded = read_recorded(reader)
    threads, notes = rebuild_threads(recorded)
    found = verify(recorded, threads, progress)
    found.notes[:0] = notes
    return found


def _verify_evolution(reader: SessionReader) -> Verification:
    with err.status("loading the generator ...") as status:
        found = compare_evolution(
            reader, lambda what, share: status.update(f"{what} ... {100 * share:.0f} %")
        )
    _show(reader.folder.resolve().name, found)
    first = found.first
    if first is not None:
        more = len(found.differences) - 1
        raise VerificationError(
            f"{reader.path}: {first.place}",
            found=f"{first.what}: {first.detail}" + (f" ({more} further differences)" if more else ""),
            expected="what seed, protocol and recorded samples give",
            remedy="If the file was not changed by hand, please report this with the session file.",
        )
    return found


def rebuild_threads(recorded: Recorded) -> tuple[list[EvolutionThread], list[str]]:
    """Make a session's evolutions anew, from its own file where that is possible.

    Returns:
        The evolutions at their first generation, and what could not be had, in sentences.
    """
    protocol, notes = recorded.first_protocol, _changed_runs(recorded)
    alone = _whatever_is_there(_without_initial_codes(protocol))
    try:
        threads = make_threads(alone)
    except ReferenceImageError as error:
        notes.append(
            "The reference pictures are held to their recorded SHA-256 only, and not compared with their files:"
            f" {error.where}: {error.found}."
        )
        threads = make_threads(alone.model_copy(update={"references": References(per_generation=0)}))
    for thread, spec in zip(threads, protocol.threads, strict=True):
        if spec.optimizer.initial_codes is not None:
            _give_initial_codes(recorded, thread)
    return threads, notes


def _changed_runs(recorded: Recorded) -> list[str]:
    """Name runs that went on with another protocol, or with other changes that a person accepted."""
    reader = recorded.reader
    notes = []
    for one in amended_runs(reader):
        changes = [change for change in one.changes if change[0].split(".")[0] not in _HARMLESS]
        if changes:
            words = replace(one, changes=tuple(changes)).words
            notes.append(
                f"Run {one.run} went on with another protocol ({words}); each run is compared with its own."
            )
    kinds, runs = reader.table("events")["kind"].tolist(), reader.table("events")["run"].tolist()
    for kind, run, detail in zip(kinds, runs, reader.details("events", "detail"), strict=True):
        told = [str(text) for text in detail.get("changes", ()) if str(text).startswith(_NOT_REBUILT)]
        if kind == RESUMED and detail.get("accepted") and told:
            notes.append(
                f"Run {run} went on with what can't be had again here ({'; '.join(told)}); differences from then"
                " on may be this change, which a person accepted."
            )
    return notes


def _without_initial_codes(protocol: Protocol) -> Protocol:
    """The codes that an evolution began with stand in the session file; their own file may be gone."""
    threads = tuple(
        thread.model_copy(update={"optimizer": thread.optimizer.model_copy(update={"initial_codes": None})})
        for thread in protocol.threads
    )
    return protocol.model_copy(update={"threads": threads})


def _whatever_is_there(protocol: Protocol) -> Protocol:
    """Pictures may have been moved away since: those that are left are compared, be they too few to go on with."""
    spec = protocol.references
    if spec.folder is None or not spec.per_generation:
        return protocol
    return protocol.model_copy(update={"references": spec.model_copy(update={"per_generation": 1})})


def _give_initial_codes(recorded: Recorded, thread: EvolutionThread) -> None:
    table = recorded.images
    given = table[
        (table["kind"] == "evolved")
        & (table["thread"] == thread.index)
        & (table["generation"] == 0)
        & (table["origin"] == "given")
    ].sort_values("row")
    codes = [recorded.reader.code(int(image)) for image in given["image"]]
    spec = thread.spec.optimizer
    thread.optimizer = make_optimizer(
        optimizer_parameters(spec.name, spec.preset, spec.parameters),
        code_size=thread.generator.code_length,
        seed=recorded.first_protocol.seed,
        thread=thread.index,
        given=[code for code in codes if code is not None] or None,
    )


def _show(name: str, found: Verification) -> None:
    table = Table(title=f"{name}, verified", title_justify="left")
    table.add_column("what")
    table.add_column("compared", justify="right")
    table.add_column("different", justify="right")
    for check in Check:
        unlike = len(found.of(check))
        table.add_row(
            check.label,
            f"{found.compared[check]:,}",
            f"[red]{unlike:,}[/]" if unlike else "[green]0[/]",
        )
    out.print(table)
    for sentence in sentences(found):
        out.print(escape(sentence), highlight=False, soft_wrap=True)
    for one in sorted(found.differences, key=lambda one: one.order)[:SHOWN]:
        out.print(f"[red]different[/] {escape(str(one))}", highlight=False, soft_wrap=True)
    left = len(found.differences) - SHOWN
    if left > 0:
        out.print(f"... and {left:,} more", highlight=False)


def sentences(found: Verification) -> Sequence[str]:
    """Return what came of a verification, in words."""
    words = list(found.notes)
    if found.image_rounding.count:
        words.append(
            f"{found.image_rounding.count:,} images differ by {found.image_rounding.largest:.0f}/255 at most:"
            " that is rounding, as another device's arithmetic gives, and no difference."
        )
    if found.rate_rounding.count:
        words.append(
            f"The rates of {found.rate_rounding.count:,} trials differ in their last bits"
            f" (by {found.rate_rounding.largest:.1g} of their size at most): that is rounding, as another"
            " processor's arithmetic gives, and no difference."
        )
    words.append(
        "All is equal: the session follows from its seed, its protocol and what was heard."
        if found.first is None
        else f"Not equal. The first difference: {found.first}."
    )
    return words
