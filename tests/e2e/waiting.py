"""Waiting for a condition, never for a time."""

import time


def wait_until(condition, seconds=30.0, what="the condition"):
    """Returns the first true value of condition(); fails with `what` after the deadline.

    `what` may be a function, called at the deadline, to say what was there instead.
    """
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            text = what() if callable(what) else what
            raise AssertionError(f"not within {seconds:g} s: {text}")
        time.sleep(0.02)
