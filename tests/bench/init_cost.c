// What tests/bench/init_cost.py measures with; figures on descriptor 1.
//
//   start N command…        N times posix_spawn and wait: microseconds for each, mean
//   orphans N               makes N orphans in batches of 16, then waits until they are gone: microseconds in all
//   receive FILE            notes in FILE when SIGUSR1 arrives; SIGTERM ends it
//   send FILE PID N         N signals to PID, one at a time: microseconds from kill() to their arrival in FILE, a line each
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char** environ;

struct arrival {
  _Atomic uint64_t count;
  _Atomic int64_t at;
};

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static int start(int count, char** command) {
  const int64_t began = now();
  for (int i = 0; i < count; ++i) {
    pid_t pid;
    int status;
    if (posix_spawnp(&pid, command[0], NULL, NULL, command, environ) != 0) return 1;
    if (waitpid(pid, &status, 0) != pid || status != 0) return 1;
  }
  printf("%.2f\n", (double)(now() - began) / 1000 / count);
  return 0;
}

static int orphans(int count) {
  const int64_t began = now();
  for (volatile int i = 0; i < count; i += 16) {
    const pid_t middle = vfork();
    if (middle == 0) {
      for (volatile int k = 0; k < 16; ++k) {
        if (vfork() == 0) _exit(0);
      }
      _exit(0);
    }
    waitpid(middle, NULL, 0);
  }
  // PID 1 and ourselves are left: kill(-1) finds nobody else.
  while (kill(-1, 0) == 0) {
  }
  printf("%.1f\n", (double)(now() - began) / 1000);
  return 0;
}

static struct arrival* shared(const char* file) {
  const int fd = open(file, O_RDWR);
  void* page = mmap(NULL, sizeof(struct arrival), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (fd < 0 || page == MAP_FAILED) exit(1);
  close(fd);
  return page;
}

static int receive(const char* file) {
  struct arrival* arrival = shared(file);
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, NULL);
  for (;;) {
    atomic_fetch_add(&arrival->count, 1);  // the first says: ready
    siginfo_t info;
    if (sigwaitinfo(&all, &info) == SIGTERM) return 0;
    atomic_store(&arrival->at, now());
  }
}

static int send_all(const char* file, int pid, int count) {
  struct arrival* arrival = shared(file);
  const struct timespec pause = {.tv_nsec = 1000000};
  for (int i = 0; i < count; ++i) {
    const uint64_t before = atomic_load(&arrival->count);
    nanosleep(&pause, NULL);
    const int64_t sent = now();
    if (kill(pid, SIGUSR1) != 0) return 1;
    while (atomic_load(&arrival->count) == before) {
      if (now() - sent > 1000000000) return 2;  // lost
      const struct timespec moment = {.tv_nsec = 20000};
      nanosleep(&moment, NULL);  // not to take a CPU from those who are measured
    }
    printf("%.2f\n", (double)(atomic_load(&arrival->at) - sent) / 1000);
  }
  return 0;
}

int main(int argc, char** argv) {
  if (argc > 3 && strcmp(argv[1], "start") == 0) return start(atoi(argv[2]), argv + 3);
  if (argc == 3 && strcmp(argv[1], "orphans") == 0) return orphans(atoi(argv[2]));
  if (argc == 3 && strcmp(argv[1], "receive") == 0) return receive(argv[2]);
  if (argc == 5 && strcmp(argv[1], "send") == 0) return send_all(argv[2], atoi(argv[3]), atoi(argv[4]));
  return 64;
}
