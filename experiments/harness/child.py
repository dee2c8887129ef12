"""Child: what a process that we start is set up with."""

import ctypes
import functools
import signal

_PR_SET_PDEATHSIG = 1


def _set_up(how):
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, how)


def tied(how=signal.SIGTERM):
    """For Popen's preexec_fn: the signal that it gets should we be killed."""
    return functools.partial(_set_up, how)
