"""sig.*: every signal reaches the worker, none is lost, none does harm."""

import signal
import subprocess
import time

from .harness import PATH, case, check, probe, status, until

ORDINARY = [1, 2, 3, 10, 12, 13, 14, 15, 16, 18, 23, 24, 25, 26, 27, 28, 29, 30]
REAL_TIME = list(range(34, 65))
SYNCHRONOUS = [4, 5, 6, 7, 8, 11, 31]
LAST = 12  # what ends a recording probe


def signals_of(run):
    return [int(line.split()[1]) for line in run.drain(0.05) if line.startswith("signal ")]


def each_reaches_once(init, numbers):
    # Two recordings, so that each signal may be the one that ends a probe in one of them.
    with init.start(probe("record", "64=7", "15=8")) as run:
        run.line("ready")
        for number in [n for n in numbers if n not in (15, 64)] + [n for n in numbers if n in (15, 64)][:1]:
            before = len(signals_of(run))
            run.kill(number)
            until(lambda: len(signals_of(run)) > before, f"signal {number}", 2)
        sent = [n for n in numbers if n not in (15, 64)] + [n for n in numbers if n in (15, 64)][:1]
        check(signals_of(run) == sent, f"sent {sent}, arrived {signals_of(run)}")
        if sent[-1] in (15, 64):
            run.expect({64: 7, 15: 8}[sent[-1]])


@case("sig.std")
def _(init):
    """ordinary signals each reach the child once"""
    each_reaches_once(init, ORDINARY)


@case("sig.rt")
def _(init):
    """all 31 real-time signals each reach the child once"""
    each_reaches_once(init, REAL_TIME)


@case("sig.sync", "extra")
def _(init):
    """ILL TRAP ABRT BUS FPE SEGV SYS sent by someone from outside are forwarded too"""
    each_reaches_once(init, SYNCHRONOUS)


@case("sig.jobctl", "extra")
def _(init):
    """TSTP TTIN TTOU from outside reach the child (as themselves, or as a real stop)"""
    for number in (signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU):
        with init.start(probe("record", "15=7")) as run:
            run.line("ready")
            main = run.main()
            run.kill(number)

            def arrived(run=run, number=number, main=main):
                return number in signals_of(run) or (status(main, "State") or "").startswith("T")

            until(arrived, f"signal {number}", 1)


@case("sig.stop-resume")
def _(init):
    """after TSTP, TTIN, TTOU and then CONT the pair still works: TERM is delivered, status kept"""
    for number in (signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU):
        with init.start(probe("record", "15=9")) as run:
            run.line("ready")
            run.kill(number)
            time.sleep(0.05)
            run.kill(signal.SIGCONT)
            time.sleep(0.05)
            run.kill(signal.SIGTERM)
            run.expect(9)


@case("sig.init-stopped")
def _(init):
    """SIGSTOP on the init, TERM while stopped, CONT: TERM arrives"""
    with init.start(probe("record", "15=9")) as run:
        run.line("ready")
        run.kill(signal.SIGSTOP)
        until(lambda: run.state("State").startswith("T"), "the init stops")
        run.kill(signal.SIGTERM)
        time.sleep(0.05)
        run.kill(signal.SIGCONT)
        run.expect(9)


@case("sig.inside")
def _(init):
    """a signal sent to PID 1 from inside is forwarded"""
    words = ["bash", "-c", 'trap "exit 33" USR1; kill -USR1 1; for i in {1..40}; do sleep 0.1; done; exit 1']
    with init.start(words) as run:
        run.expect(33)


@case("sig.rt-queue")
def _(init):
    """50 queued real-time signals all arrive"""
    with init.start(probe("count", "15=7")) as run:
        run.line("ready")
        main = run.main()
        for _ in range(50):
            run.kill(40)
        # Delivered one by one; TERM has a lower number and would overtake those still queued.
        until(lambda: queued(run.pid) == 0, "an empty queue")
        until(lambda: queued(main) == 0, "an empty queue")
        run.kill(signal.SIGTERM)
        run.expect(7)
        check(["count", "40", "50"] in [line.split()[:3] for line in run.lines], str(run.lines))


def queued(pid):
    mask = int(status(pid, "ShdPnd") or "0", 16)
    return mask


@case("sig.flood")
def _(init):
    """100 000 signals: the init lives, the last signal arrives, status kept"""
    with init.start(probe("count", "15=7")) as run:
        run.line("ready")
        flood = subprocess.run(probe("flood", 100_000, run.pid), timeout=60, stdout=subprocess.DEVNULL)
        check(flood.returncode == 0, "flood")
        run.expect(7)


@case("sig.early")
def _(init):
    """200 starts: a TERM sent as soon as the init blocks or catches it is never lost"""
    lost = 0
    for attempt in range(200):
        with init.start(["sleep", "20"]) as run:
            end = time.monotonic() + 2
            while not hears_term(run) and time.monotonic() < end:
                pass
            time.sleep(attempt % 4 * 20e-6)
            run.kill(signal.SIGTERM)
            end = time.monotonic() + 4  # a busy machine may be late, a lost one never comes
            while run.running() and time.monotonic() < end:
                time.sleep(0.001)
            lost += run.running()
            if lost > 2:
                break
    check(lost == 0, f"lost in {lost} of {attempt + 1} starts")


def hears_term(run):
    """Blocked or caught; or already waiting for it with a worker below: sigtimedwait(2) unblocks what it waits for."""
    term = 1 << (signal.SIGTERM - 1)
    text = run.statuses()
    mask = int(text.get("SigBlk", "0"), 16) | int(text.get("SigCgt", "0"), 16)
    return mask & term or (text.get("Name") != "stage" and run.below())


@case("sig.parent-ignored-term")
def _(init):
    """TERM was ignored by the parent at exec: the init still gets and forwards it"""
    with init.start(probe("record", "15=9"), stage=["-p", "-i", "15"]) as run:
        run.line("ready")
        run.kill(signal.SIGTERM)
        run.expect(9)


@case("sig.parent-blocked")
def _(init):
    """TERM, HUP and CHLD were blocked by the parent at exec: forwarding and reaping work"""
    with init.start(probe("burst", 5, 9, 15), stage=["-p", "-b", "15", "-b", "1", "-b", "17"]) as run:
        run.line("ready")
        until(lambda: len(run.below()) == 1, "reaped", 2)
        run.kill(signal.SIGHUP)
        run.kill(signal.SIGTERM)
        run.expect(9)


@case("sig.pending-at-exec", "extra")
def _(init):
    """TERM blocked and already pending when the init is exec'd is forwarded"""
    with init.start(probe("record", "15=9"), stage=["-p", "-b", "15", "-k", "15"]) as run:
        code = run.end(2)
        check(code in (9, 143), f"exit code {code}")  # 143: it came before the probe blocked it


@case("sig.bogus-chld")
def _(init):
    """SIGCHLD sent by a stranger (1000 times) does no harm"""
    with init.start(probe("record", "15=9")) as run:
        run.line("ready")
        for _ in range(1000):
            run.kill(signal.SIGCHLD)
        run.kill(signal.SIGTERM)
        run.expect(9)


@case("sig.child-ignores-term")
def _(init):
    """a child that ignores TERM keeps running; once it is killed the status is 137"""
    with init.start(probe("record")) as run:
        run.line("ready")
        run.kill(signal.SIGTERM)
        run.line("signal 15")
        time.sleep(0.3)
        check(run.running(), "ended although its child runs")
        run.kill(signal.SIGKILL, run.main())
        run.expect(137)


@case("sig.child-stopped")
def _(init):
    """a stopped and continued child does not end the init or upset its status"""
    with init.start(probe("record", "15=9")) as run:
        run.line("ready")
        main = run.main()
        for _ in range(3):
            run.kill(signal.SIGSTOP, main)
            until(lambda: (status(main, "State") or "T").startswith("T"), "stops")
            time.sleep(0.02)
            check(run.running(), "ended by a stop")
            run.kill(signal.SIGCONT, main)
            time.sleep(0.02)
        run.kill(signal.SIGTERM)
        run.expect(9)


@case("sig.group", "extra")
def _(init):
    """signals reach grandchildren (whole process group) in the mode given"""
    script = 'sh -c \'trap "echo below got it; exit 0" TERM; echo below; while :; do sleep 0.05; done\' & ' \
             'trap "wait; exit 9" TERM; echo main; wait; wait'  # fmt: skip
    env = {"PATH": PATH, **init.group_env}
    with init.start(["sh", "-c", script], env=env, options=init.group_options) as run:
        run.line("below")
        run.line("main")
        run.kill(signal.SIGTERM)
        run.line("below got it", 3)
        run.expect(9)


@case("sig.sigpending-0", "extra")
def _(init):
    """RLIMIT_SIGPENDING=0: TERM is still forwarded, children still reaped"""
    with init.start(probe("burst", 5, 9, 15), stage=["-p", "-l", "11=0"]) as run:
        run.line("ready")
        until(lambda: len(run.below()) == 1, "reaped", 2)
        run.kill(signal.SIGTERM)
        run.expect(9)
