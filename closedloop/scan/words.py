"""What the subject in the scanner reads."""

from __future__ import annotations

WAITING = "The scan starts soon.\nPlease lie still."
BETWEEN = "This part is over.\nPlease lie still, the next one follows."
OVER = "The scan is over.\nThank you. Please lie still until you are told otherwise."
