"""Questions about paid lines: raised by those they pay, answered in time, by words, a correction or an adjustment."""
