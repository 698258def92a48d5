// What an init runs under test: probe WHAT [args]. Talks on descriptor 1, in lines; ends by itself after a minute or
// two in any case.
//
//   record [SIG=CODE…]         all signals blocked; a line for each that arrives; SIG ends it with CODE
//   count [SIG=CODE…]          the same without a line for each; "count SIG N" at the end
//   state                      what it was started with: mask, dispositions, descriptors, groups, limits…
//   words                      argv and environment, a line each, as hex
//   die SIG                    by that signal, default disposition
//   burst N CODE SIG           N zombies at once to whoever adopts orphans; then ends with CODE upon SIG
//   together N CODE SIG        N orphans that run and end together
//   stream N CODE SIG          N orphans, one after the other
//   chain N CODE SIG           each the parent of the next, parents die first
//   daemon CODE SIG            a daemon in its own session; tells its parent
//   statuses CODE              orphans that end with 42 and by KILL around our own end
//   outlived N CODE HOW        ends at once; N orphans run on. HOW: default, stubborn (ignore TERM), slow (300 ms to
//                              tidy up: "term" and "tidy" lines)
//   flood N TARGET             sends N signals of all kinds to TARGET, then TERM
//   queue N SIG TARGET         sends SIG N times with the values 1…N (sigqueue)
//   tty                        reads a line from the terminal and tells it
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define LIFE 100

static void block_all(void) {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, NULL);
}

static int next_signal(siginfo_t* info) {
  sigset_t all;
  sigfillset(&all);
  const struct timespec limit = {.tv_sec = LIFE};
  const int signal = sigtimedwait(&all, info, &limit);
  if (signal < 0 && errno == EAGAIN) _exit(99);
  return signal;
}

static void nap(long ms) {
  const struct timespec time = {ms / 1000, ms % 1000 * 1000000};
  nanosleep(&time, NULL);
}

static int record(int argc, char** argv, int quiet) {
  int code[65], counts[65] = {0};
  memset(code, -1, sizeof code);
  for (int i = 0; i < argc; ++i) {
    int signal, status;
    if (sscanf(argv[i], "%d=%d", &signal, &status) == 2) code[signal] = status;
  }
  const char* slot = getenv("NODEINIT_SLOT");  // of a cluster: several talk at once
  char at[16] = "";
  if (slot != NULL) snprintf(at, sizeof at, " at %.4s", slot);
  block_all();
  dprintf(1, "ready %d%s\n", getpid(), at);
  for (;;) {
    siginfo_t info;
    const int signal = next_signal(&info);
    if (signal < 0) continue;
    ++counts[signal];
    if (!quiet && info.si_code == SI_QUEUE) dprintf(1, "queued %d %d%s\n", signal, info.si_value.sival_int, at);
    if (!quiet && info.si_code != SI_QUEUE) dprintf(1, "signal %d%s\n", signal, at);
    if (code[signal] < 0) continue;
    for (int i = 1; quiet && i <= 64; ++i) {
      if (counts[i]) dprintf(1, "count %d %d%s\n", i, counts[i], at);
    }
    return code[signal];
  }
}

// Ends with `code` when `signal` comes.
static int end_upon(int code, int signal) {
  for (siginfo_t info; next_signal(&info) != signal;) {
  }
  return code;
}

struct kernel_action {
  void* handler;
  unsigned long flags;
  void* restorer;
  unsigned long mask;
};

static void tell_signals(void) {
  unsigned long mask = 0;
  syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &mask, 8);
  dprintf(1, "mask %lx\nignored", mask);
  for (int i = 1; i <= 64; ++i) {
    struct kernel_action action;
    if (syscall(SYS_rt_sigaction, i, NULL, &action, 8) == 0 && action.handler == (void*)SIG_IGN) dprintf(1, " %d", i);
  }
  dprintf(1, "\n");
}

static void tell_descriptors(void) {
  dprintf(1, "descriptors");
  for (int fd = 0; fd < 1024; ++fd) {
    if (fcntl(fd, F_GETFD) >= 0) dprintf(1, " %d", fd);
  }
  dprintf(1, "\n");
  for (int fd = 0; fd < 3; ++fd) {
    struct stat status;
    if (fstat(fd, &status) == 0) dprintf(1, "inode%d %lu\n", fd, (unsigned long)status.st_ino);
  }
}

static int state(void) {
  tell_signals();
  tell_descriptors();
  char directory[4096];
  const mode_t mask = umask(0);
  dprintf(1, "directory %s\numask %o\n", getcwd(directory, sizeof directory), mask);
  dprintf(1, "pid %d\nparent %d\ngroup %d\nsession %d\nforeground %d\n", getpid(), getppid(), getpgrp(), getsid(0),
          tcgetpgrp(0));
  dprintf(1, "limits");
  for (int i = 0; i < RLIM_NLIMITS; ++i) {
    struct rlimit limit;
    getrlimit(i, &limit);
    dprintf(1, " %lu:%lu", (unsigned long)limit.rlim_cur, (unsigned long)limit.rlim_max);
  }
  int signal = 0;
  prctl(PR_GET_PDEATHSIG, &signal);
  dprintf(1, "\ndeathsig %d\n", signal);
  return 0;
}

static void hex(const char* name, const char* text) {
  FILE* out = fdopen(dup(1), "w");
  fprintf(out, "%s ", name);
  for (; *text; ++text) fprintf(out, "%02x", (unsigned char)*text);
  fprintf(out, "\n");
  fclose(out);
}

static int words(int argc, char** argv, char** environment) {
  for (int i = 0; i < argc; ++i) hex("argument", argv[i]);
  for (; *environment; ++environment) hex("variable", *environment);
  return 0;
}

static int die(int signal) {
  struct rlimit none = {0, 0};
  setrlimit(RLIMIT_CORE, &none);
  kill(getpid(), signal);
  nap(LIFE * 1000);
  return 99;
}

static pid_t forked(void) {
  const pid_t pid = fork();
  if (pid < 0) {
    dprintf(1, "fork failed\n");
    _exit(98);
  }
  return pid;
}

// N that have ended and were never waited for: they change hands when `middle` ends.
static void burst(int count) {
  const pid_t middle = forked();
  if (middle == 0) {
    for (int i = 0; i < count; ++i) {
      if (forked() == 0) _exit(i % 200);
    }
    nap(300);
    _exit(0);
  }
  waitpid(middle, NULL, 0);
}

static void together(int count) {
  int gate[2];
  if (pipe(gate) != 0) _exit(97);
  const pid_t middle = forked();
  if (middle == 0) {
    close(gate[1]);
    for (int i = 0; i < count; ++i) {
      if (forked() == 0) {
        char byte;
        (void)!read(gate[0], &byte, 1);
        _exit(3);
      }
    }
    _exit(0);
  }
  close(gate[0]);
  waitpid(middle, NULL, 0);
  dprintf(1, "adopted\n");
  close(gate[1]);
}

static void stream(int count) {
  for (volatile int i = 0; i < count; ++i) {
    const pid_t middle = vfork();
    if (middle == 0) {
      if (vfork() == 0) _exit(1);
      _exit(0);
    }
    waitpid(middle, NULL, 0);
    if (i % 50 == 49) nap(1);  // a busy machine may give the init no CPU for a while
  }
}

static void chain(int length) {
  const pid_t first = forked();
  if (first == 0) {
    for (int i = 1; i < length; ++i) {
      if (forked() > 0) {
        nap(2);
        _exit(i % 100);
      }
    }
    nap(20);
    dprintf(1, "end of chain\n");
    _exit(9);
  }
  waitpid(first, NULL, 0);
}

static void daemonize(void) {
  const pid_t middle = forked();
  if (middle == 0) {
    setsid();
    const pid_t before = getpid();
    if (forked() > 0) _exit(0);
    while (getppid() == before) nap(1);
    dprintf(1, "daemon's parent %d\n", getppid());
    _exit(0);
  }
  waitpid(middle, NULL, 0);
}

static int statuses(int code) {
  for (int i = 0; i < 20; ++i) {
    const pid_t middle = forked();
    if (middle == 0) {
      if (forked() == 0) {
        nap(i);
        if (i % 2) die(SIGKILL);
        _exit(42);
      }
      _exit(0);
    }
    waitpid(middle, NULL, 0);
  }
  nap(10);
  return code;
}

static void run_on(const char* how) {
  block_all();
  if (how[0] == 'd') {  // default
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    nap(LIFE * 1000);
  }
  end_upon(0, SIGTERM);
  if (how[1] == 'l') {  // slow
    dprintf(1, "term\n");
    nap(300);
    dprintf(1, "tidy\n");
    _exit(0);
  }
  nap(LIFE * 1000);
  _exit(0);
}

static int outlived(int count, int code, const char* how) {
  int started[2];
  if (pipe(started) != 0) _exit(97);
  const pid_t middle = forked();
  if (middle == 0) {
    for (int i = 0; i < count; ++i) {
      if (forked() == 0) {
        close(started[0]);
        setsid();
        block_all();
        close(started[1]);
        run_on(how);
      }
    }
    _exit(0);
  }
  close(started[1]);
  waitpid(middle, NULL, 0);
  char byte;
  (void)!read(started[0], &byte, 1);  // until each has blocked its signals
  dprintf(1, "outlived by %d\n", count);
  return code;
}

static int flood(int count, int target) {
  static const int kinds[] = {SIGHUP, SIGUSR1, SIGUSR2, SIGALRM, SIGWINCH, SIGCHLD, SIGURG, 40, 50};
  for (int i = 0; i < count; ++i) kill(target, kinds[i % 9]);
  kill(target, SIGTERM);
  return 0;
}

static int queue(int count, int signal, int target) {
  for (int i = 1; i <= count; ++i) {
    const union sigval value = {.sival_int = i};
    if (sigqueue(target, signal, value) != 0) return 1;
  }
  return 0;
}

static int terminal(void) {
  char line[256] = "";
  dprintf(1, "ready\n");
  const ssize_t size = read(0, line, sizeof line - 1);
  dprintf(1, "read %zd %s\n", size, line);
  return size > 0 ? 0 : 1;
}

int main(int argc, char** argv, char** environment) {
  const char* what = argc > 1 ? argv[1] : "";
  const int a = argc > 2 ? atoi(argv[2]) : 0, b = argc > 3 ? atoi(argv[3]) : 0, c = argc > 4 ? atoi(argv[4]) : 0;
#define IS(name) (strcmp(what, name) == 0)
  if (IS("record")) return record(argc - 2, argv + 2, 0);
  if (IS("count")) return record(argc - 2, argv + 2, 1);
  if (IS("state")) return state();
  if (IS("words")) return words(argc, argv, environment);
  if (IS("die")) return die(a);
  if (IS("statuses")) return statuses(a);
  if (IS("outlived")) return outlived(a, b, argv[4]);
  if (IS("flood")) return flood(a, b);
  if (IS("queue")) return queue(a, b, c);
  if (IS("tty")) return terminal();
  block_all();
  if (IS("daemon")) {
    daemonize();
    dprintf(1, "ready\n");
    return end_upon(a, b);
  }
  if (IS("burst")) burst(a);
  if (IS("together")) together(a);
  if (IS("stream")) stream(a);
  if (IS("chain")) chain(a);
  dprintf(1, "ready\n");
  return end_upon(b, c);
}
