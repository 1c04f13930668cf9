"""Spikes become the samples that the LSL contract says, whole and with the right stamps."""

from __future__ import annotations

import numpy as np
import pytest

from hardware.subject.options import SubjectOptions
from hardware.subject.streams import BinEncoder, SpikeEncoder, describe_response
from hardware.subject.trials import TrialEncoder


def _chunks(
    times: np.ndarray, units: np.ndarray, ends: np.ndarray
) -> list[tuple[float, np.ndarray, np.ndarray]]:
    starts = np.concatenate([[-np.inf], ends[:-1]])
    return [
        (float(end), times[(times >= start) & (times < end)], units[(times >= start) & (times < end)])
        for start, end in zip(starts, ends, strict=True)
    ]


def test_spikes_come_one_a_sample_and_each_chunk_ends_with_a_keep_alive() -> None:
    values, stamps = SpikeEncoder().encode(5.02, np.array([5.011, 5.015]), np.array([3, 0], np.int32))
    assert values.dtype == np.int32
    assert values.tolist() == [[3], [0], [-1]]
    assert stamps == [5.011, 5.015, 5.02]


@pytest.mark.parametrize("scale", [1.0, 500.0])
def test_bins_hold_every_spike_once_and_are_stamped_with_their_end(scale: float) -> None:
    random = np.random.default_rng(0)
    times = np.sort(random.uniform(10, 12, 3000))
    units = random.integers(0, 4, 3000).astype(np.int32)
    encoder = BinEncoder(4, rate_hz=500.0, scale=scale, start_s=10.0)
    parts = [encoder.encode(*chunk) for chunk in _chunks(times, units, np.arange(10.0, 12.02, 0.0107))]
    values = np.concatenate([values for values, _ in parts])
    stamps = np.concatenate([stamps for _, stamps in parts])
    np.testing.assert_allclose(stamps, 10 + (np.arange(len(stamps)) + 1) / 500, atol=1e-9)
    for unit in range(4):
        expected = np.histogram(times[units == unit], bins=len(stamps), range=(10, stamps[-1]))[0]
        np.testing.assert_allclose(values[:, unit], expected * scale)


def test_a_trial_is_answered_with_its_number_and_rates_in_its_window() -> None:
    encoder = TrialEncoder(2, (0.05, 0.2))
    encoder.onset(10.0)
    encoder.onset(10.3)  # its marker never comes
    encoder.marker(10.002, 17)
    encoder.marker(10.9, 18)  # its onset was never seen
    times = np.array([10.01, 10.06, 10.1, 10.19, 10.21])
    units = np.array([0, 0, 1, 0, 0], np.int32)
    rows: list[list[float]] = []
    for chunk in _chunks(times, units, np.arange(10.0, 14.0, 0.01)):
        values, stamps = encoder.encode(*chunk)
        assert stamps == [chunk[0]] * len(values)
        rows += values.tolist()
    answers = [row for row in rows if row[0] >= 0]
    assert answers == [[17.0, pytest.approx(2 / 0.15), pytest.approx(1 / 0.15)]]
    assert [-1.0, 0.0, 0.0] in rows


@pytest.mark.parametrize(
    ("kind", "channels", "rate_hz", "form"),
    [
        ("spikes", 1, 0.0, "int32"),
        ("rates", 2, 250.0, "float32"),
        ("counts", 2, 250.0, "float32"),
        ("trials", 3, 0.0, "double64"),
    ],
)
def test_each_kind_describes_itself(kind: str, channels: int, rate_hz: float, form: str) -> None:
    options = SubjectOptions(kind=kind, rate_hz=250.0, channels=(5, 7), source_id="s")
    info = describe_response(options)
    assert (info.channel_count(), info.nominal_srate(), info.source_id()) == (channels, rate_hz, "s")
    assert form in info.as_xml()
    assert "<simulated>true</simulated>" in info.as_xml()
    assert len(info.get_channel_labels()) == channels
