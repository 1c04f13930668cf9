"""The simulated region as it runs: a picture on a (virtual) screen comes out as volumes over LSL, in their time."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
import uuid

import numpy as np
import pylsl
import pytest

from hardware.display import virtual_display
from hardware.region import SignalOptions
from hardware.region.signal import RegionSignal
from hardware.subject.pictures import calibration_pictures, resize

pytestmark = [
    pytest.mark.display,
    pytest.mark.lsl,
    pytest.mark.models,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the screen through X11"),
]
SIZE_PX = (320, 240)
SIDE_PX = 120  # of where pictures appear: half the height
LIKED, LIKED_HZ = 123, 161.0  # the subject's own picture that drives channel 824 most, and by how much
TR_S, SPEED, DELAY_S = 0.1, 20.0, 0.15


class Patch:
    """A grey screen with a photodiode patch at the bottom left, and a picture in the middle."""

    def __init__(self) -> None:
        from Xlib import X, display

        self._display = display.Display()
        screen = self._display.screen()
        window = screen.root.create_window(0, 0, *SIZE_PX, 0, screen.root_depth, override_redirect=True)
        self._gc, self._window = window.create_gc(), window
        window.map()
        self._fill(0, 0, *SIZE_PX, 0x808080)
        pixels = np.zeros((SIDE_PX, SIDE_PX, 4), np.uint8)
        pixels[..., 2::-1] = resize(calibration_pictures()[LIKED], SIDE_PX)
        x, y = (SIZE_PX[0] - SIDE_PX) // 2, (SIZE_PX[1] - SIDE_PX) // 2
        window.put_image(self._gc, x, y, SIDE_PX, SIDE_PX, X.ZPixmap, screen.root_depth, 0, pixels.tobytes())
        self.light(0x000000)

    def light(self, colour: int) -> float:
        """Light the patch; return the LSL time at which it was lit."""
        self._fill(0, SIZE_PX[1] - 40, 40, 40, colour)
        return float(pylsl.local_clock())

    def _fill(self, x: int, y: int, width: int, height: int, colour: int) -> None:
        self._gc.change(foreground=colour)
        self._window.fill_rectangle(self._gc, x, y, width, height)
        self._display.sync()


def test_a_picture_comes_out_as_the_bloods_answer_late_and_stamped_with_the_volumes_time() -> None:
    source_id = f"region-{uuid.uuid4().hex}"
    with virtual_display(SIZE_PX):
        patch = Patch()
        words = ["simulate", "region", "--source-id", source_id, "--noise", "0", "--drift", "0"]
        words += ["--tr", str(TR_S), "--speed", str(SPEED), "--delay", str(DELAY_S), "--delay-jitter", "0.02"]
        words += ["--region", "824", "--region", "657,629"]
        process = subprocess.Popen(
            [sys.executable, "-m", "experiments.cli", *words], stdout=subprocess.PIPE, text=True
        )
        try:
            assert process.stdout is not None
            assert process.stdout.readline().split() == ["ready", source_id]
            (info,) = pylsl.resolve_byprop("source_id", source_id, minimum=1, timeout=10)
            assert (info.nominal_srate(), info.channel_count(), info.type()) == (10.0, 2, "rates")
            inlet = pylsl.StreamInlet(info)
            inlet.open_stream(timeout=10)
            time.sleep(0.3)
            onset_s = patch.light(0xFFFFFF)
            time.sleep(0.1)
            offset_s = patch.light(0x000000)
            values, stamps, ages = [], [], []
            while pylsl.local_clock() < onset_s + 1.0:
                sample, stamp_s = inlet.pull_sample(timeout=0.5)
                values.append(sample)
                stamps.append(stamp_s)
                ages.append(pylsl.local_clock() - stamp_s)
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=10) == 0
            process.stdout.close()
    percent = (np.array(values) / 1000 - 1) * 100
    after_s = np.array(stamps) - onset_s
    np.testing.assert_allclose(np.diff(stamps), TR_S, atol=1e-6)
    assert min(ages) >= DELAY_S
    quiet = abs(percent[after_s <= 0]).max()
    assert quiet < 0.01
    # what a signal by the same rule, without screen, network and stream, has at these times
    signal_alone = RegionSignal(1, SignalOptions(tr_s=TR_S, speed=SPEED), 0.0)
    signal_alone.picture_on(onset_s, [LIKED_HZ], offset_s)
    wanted = np.array([signal_alone.evoked_percent(stamp - TR_S / 2)[0] for stamp in stamps])
    assert np.corrcoef(percent[:, 0], wanted)[0, 1] > 0.9
    peak = percent[:, 0].argmax()
    assert percent[peak, 0] == pytest.approx(wanted.max(), rel=0.5)
    assert 0 < percent[peak, 1] < percent[peak, 0]
    assert 0.15 <= after_s[peak] - TR_S / 2 <= 0.5
