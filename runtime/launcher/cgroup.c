/* The truth about out-of-memory kills, and killing all that is left. */
#include <sys/eventfd.h>

#include "monitor.h"

/* v1 has memory.oom_control, v2 memory.events; both count in a line `oom_kill N`. */
static int read_counter_file(const char *dir, char *text, size_t size) {
  static const char *const names[] = {"memory.events", "memory.oom_control"};
  for (int i = 0; i < 2; i++) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", dir, names[i]);
    if (read_file(path, text, size) >= 0) return i;
  }
  return -1;
}

uint64_t read_oom_kills(const char *dir) {
  char text[1024];
  if (dir == NULL || read_counter_file(dir, text, sizeof text) < 0) return 0;
  for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
    if (strncmp(line, "oom_kill ", 9) == 0) return strtoull(line + 9, NULL, 10);
  }
  return 0;
}

int watch_oom(const char *dir) {
  char text[1024], path[4096];
  if (dir == NULL) return -1;
  int version = read_counter_file(dir, text, sizeof text);
  if (version == 0) {
    snprintf(path, sizeof path, "%s/memory.events", dir);
    return open(path, O_RDONLY | O_CLOEXEC);
  }
  if (version < 0) return -1;
  snprintf(path, sizeof path, "%s/memory.oom_control", dir);
  cleanup_close int control = open(path, O_RDONLY | O_CLOEXEC);
  int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (control < 0 || event < 0) return -1;
  int length = snprintf(text, sizeof text, "%d %d", event, control);
  snprintf(path, sizeof path, "%s/cgroup.event_control", dir);
  if (write_file(path, text, (size_t)length) < 0) {
    close(event);
    return -1;
  }
  return event;
}

/* Sends SIGKILL to each process listed; returns how many there were. */
static int kill_listed(const char *dir) {
  char path[4096], line[32];
  snprintf(path, sizeof path, "%s/cgroup.procs", dir);
  FILE *file = fopen(path, "re");
  if (file == NULL) return 0;
  int count = 0;
  while (fgets(line, sizeof line, file) != NULL) {
    pid_t pid = (pid_t)strtol(line, NULL, 10);
    if (pid <= 0) continue;
    kill(pid, SIGKILL);
    count++;
  }
  fclose(file);
  return count;
}

void kill_cgroup(const char *dir) {
  char kill_path[4096], freezer[4096];
  snprintf(kill_path, sizeof kill_path, "%s/cgroup.kill", dir);
  snprintf(freezer, sizeof freezer, "%s/freezer.state", dir);
  if (write_file(kill_path, "1", 1) == 0) return;
  for (int round = 0; round < 1000; round++) {
    /* Frozen, a fork bomb cannot outrun us; the signals act on thawing. */
    write_file(freezer, "FROZEN", 6);
    int count = kill_listed(dir);
    write_file(freezer, "THAWED", 6);
    if (count == 0) return;
    struct timespec pause = {0, 2000000};
    nanosleep(&pause, NULL);
  }
}
