// Sets the scene for an init and runs it: stage [options] -- init [arg…]. Options take effect in the order below, not
// in the order written. Ends with the init's exit code, or 128 + signal.
//
//   -p        PID 1 of a new PID namespace, with a /proc of its own        -P  the same with an empty /proc
//   -r FD     writes the init's pid, as seen from here, to FD              -R  every mount read-only
//   -T        this process leads a session with terminal 0                 -t  the init does
//   -g FILE   joins a cgroup by writing to its cgroup.procs
//   -l N=V    resource limit number N                 -m MASK  umask       -d DIR  working directory
//   -c        no capability in the bounding set       -u UID   user        -n  no_new_privs
//   -i SIG    ignored    -b SIG  blocked    -k SIG  pending, if blocked
//   -s ERRNO  seccomp: every system call from 424 on fails with ERRNO      -x FD  closed
//   -v ERRNO  seccomp: clone(2) of a process fails with ERRNO, as when the kernel has no memory for one
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/mount.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void must(int ok, const char* what) {
  if (!ok) {
    fprintf(stderr, "stage: %s: %s\n", what, strerror(errno));
    _exit(120);
  }
}

static const char kOptions[] = "+pPr:RTtg:l:m:d:cu:ni:b:k:s:v:x:";

// Each option in turn, for every letter of `letters`.
static void each(int argc, char** argv, const char* letters, void (*apply)(int, const char*)) {
  for (; *letters; ++letters) {
    optind = 1;
    for (int o; (o = getopt(argc, argv, kOptions)) != -1;) {
      must(o != '?', "option");
      if (o == *letters) apply(o, optarg);
    }
  }
}

static int report = -1, new_namespace = 0, with_proc = 0;

static void outside(int option, const char* value) {
  switch (option) {
    case 'p': new_namespace = with_proc = 1; break;
    case 'P': new_namespace = 1; break;
    case 'r': report = atoi(value); break;
    case 'T': must(setsid() > 0 && ioctl(0, TIOCSCTTY, 0) == 0, "terminal"); break;
  }
}

static void filter_system_calls(int error) {
  struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 424, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {.len = 4, .filter = code};
  must(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0, "seccomp");
}

static void refuse_processes(int error) {
  struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_THREAD, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {.len = 6, .filter = code};
  must(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0, "seccomp");
}

static void read_only(void) {
  struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY};
  must(syscall(SYS_mount_setattr, -1, "/", AT_RECURSIVE, &attributes, sizeof attributes) == 0, "read-only");
}

static void limit(const char* value) {
  char* end;
  const int resource = (int)strtol(value, &end, 10);
  const rlim_t amount = (rlim_t)strtoull(end + 1, NULL, 10);
  struct rlimit both = {amount, amount};
  must(setrlimit(resource, &both) == 0, "limit");
}

static void block(int signal) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal);
  sigprocmask(SIG_BLOCK, &set, NULL);
}

static void become(unsigned id) {
  must(setgroups(0, NULL) == 0 && setresgid(id, id, id) == 0 && setresuid(id, id, id) == 0, "user");
}

static void join(const char* file) {
  const int fd = open(file, O_WRONLY);
  must(fd >= 0 && write(fd, "0", 1) == 1, file);
  close(fd);
}

static void inside(int option, const char* value) {
  switch (option) {
    case 'R': read_only(); break;
    case 't': must(setsid() > 0 && ioctl(0, TIOCSCTTY, 0) == 0, "terminal"); break;
    case 'g': join(value); break;
    case 'l': limit(value); break;
    case 'm': umask((mode_t)strtol(value, NULL, 8)); break;
    case 'd': must(chdir(value) == 0, value); break;
    case 'c':
      for (int capability = 0; capability <= CAP_LAST_CAP; ++capability) prctl(PR_CAPBSET_DROP, capability);
      break;
    case 'u': become((unsigned)atoi(value)); break;
    case 'n': must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no_new_privs"); break;
    case 'i': signal(atoi(value), SIG_IGN); break;
    case 'b': block(atoi(value)); break;
    case 'k': kill(getpid(), atoi(value)); break;
    case 's': filter_system_calls(atoi(value)); break;
    case 'v': refuse_processes(atoi(value)); break;
    case 'x': close(atoi(value)); break;
  }
}

int main(int argc, char** argv) {
  each(argc, argv, "pPrT", outside);
  int ready[2];
  must(pipe2(ready, O_CLOEXEC) == 0, "pipe");
  if (new_namespace) {
    must(unshare(CLONE_NEWPID | CLONE_NEWNS) == 0, "unshare");
    must(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0, "private mounts");
  }
  const pid_t init = fork();
  must(init >= 0, "fork");
  if (init == 0) {
    if (new_namespace) {
      must(mount("none", "/proc", with_proc ? "proc" : "tmpfs", 0, NULL) == 0, "/proc");
    }
    char go;
    must(read(ready[0], &go, 1) == 1, "go");
    close(ready[0]), close(ready[1]);
    if (report >= 0) close(report);
    each(argc, argv, "Rtglmdcunibksvx", inside);
    execvp(argv[optind], argv + optind);
    must(0, argv[optind]);
  }
  // Ctrl-C and a hang-up are for the init; this one only tells how it ended.
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, NULL);
  if (report >= 0) dprintf(report, "%d\n", init), close(report);
  must(write(ready[1], "g", 1) == 1, "go");
  int status;
  while (waitpid(init, &status, 0) < 0) {
  }
  _exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
}
