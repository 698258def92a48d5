"""Every case, in the order of a start, a life and an end."""

from . import (  # noqa: F401
    cases_signals,  # isort: skip
    cases_exit,  # isort: skip
    cases_reap,  # isort: skip
    cases_worker,  # isort: skip
    cases_tty,  # isort: skip
    cases_surroundings,  # isort: skip
)
from .harness import CASES

assert len(CASES) == 91, len(CASES)
