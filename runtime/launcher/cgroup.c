/* The truth about out-of-memory kills, and killing all that is left. */
#include <sys/eventfd.h>

#include "monitor.h"

/* v1: an eventfd that the kernel writes to. */
static int register_event(int dir, int control) {
  char text[32];
  cleanup_close int registry = open_host(dir, "cgroup.event_control", O_WRONLY, 0);
  int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  int length = snprintf(text, sizeof text, "%d %d", event, control);
  if (event >= 0 && registry >= 0 && write(registry, text, (size_t)length) == length) return event;
  if (event >= 0) close(event);
  return -1;
}

void watch_oom(struct oom_watch *watch, const char *dir) {
  if (dir == NULL) return;
  watch->dir = open_host(AT_FDCWD, dir, O_PATH | O_DIRECTORY, 0);
  /* v2 has the counter in a file that can be polled itself. */
  watch->event = open_host(watch->dir, "memory.events", O_RDONLY, 0);
  if (watch->event >= 0) return;
  cleanup_close int control = open_host(watch->dir, "memory.oom_control", O_RDONLY, 0);
  if (control >= 0) watch->event = register_event(watch->dir, control);
}

/* Both versions count in a line `oom_kill N`. */
uint64_t count_oom_kills(const struct oom_watch *watch) {
  char text[1024];
  cleanup_close int v2 = open_host(watch->dir, "memory.events", O_RDONLY, 0);
  cleanup_close int v1 = v2 >= 0 ? -1 : open_host(watch->dir, "memory.oom_control", O_RDONLY, 0);
  ssize_t got = read(v2 >= 0 ? v2 : v1, text, sizeof text - 1);
  text[got < 0 ? 0 : got] = '\0';
  for (char *line = text; line != NULL; line = strchr(line, '\n')) {
    while (*line == '\n') line++;
    if (strncmp(line, "oom_kill ", 9) == 0) return strtoull(line + 9, NULL, 10);
  }
  return 0;
}

/* Sends SIGKILL to each process listed, up to some hundreds; returns how many there were. */
static int kill_listed(const char *dir) {
  char path[4096], text[4096];
  snprintf(path, sizeof path, "%s/cgroup.procs", dir);
  if (read_host_file(path, text, sizeof text) < 0) return 0;
  int count = 0;
  /* Whole lines only: half a number is another process's. */
  for (char *line = text, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
    pid_t pid = (pid_t)strtol(line, NULL, 10);
    if (pid <= 0) continue;
    kill(pid, SIGKILL);
    count++;
  }
  return count;
}

void kill_cgroup(const char *dir) {
  char kill_path[4096], freezer[4096];
  snprintf(kill_path, sizeof kill_path, "%s/cgroup.kill", dir);
  snprintf(freezer, sizeof freezer, "%s/freezer.state", dir);
  if (write_host_file(kill_path, "1", 1) == 0) return;
  for (int round = 0; round < 1000; round++) {
    /* Frozen, a fork bomb cannot outrun us; the signals act on thawing. */
    write_host_file(freezer, "FROZEN", 6);
    int count = kill_listed(dir);
    write_host_file(freezer, "THAWED", 6);
    if (count == 0) return;
    struct timespec pause = {0, 2000000};
    nanosleep(&pause, NULL);
  }
}
