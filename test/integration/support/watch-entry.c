/* watch-entry CANARY: looks at every process that comes into this pid namespace, again and again, as an
 * attacker with SYS_PTRACE would, and prints once each what of the host it finds there. On SIGTERM prints
 * how many processes and looks there were, and ends. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static volatile sig_atomic_t ends;
static void end(int signal_number) { ends = signal_number; }

static void found(const char *what, const char *more) {
  static char seen[64][160];
  char line[160];
  snprintf(line, sizeof line, "found %s %s", what, more);
  for (int i = 0; i < 64; i++) {
    if (strcmp(seen[i], line) == 0) return;
    if (seen[i][0] != '\0') continue;
    strcpy(seen[i], line);
    puts(line);
    fflush(stdout);
    return;
  }
}

static int read_link(const char *dir, const char *name, char *text, size_t size) {
  char path[300];
  snprintf(path, sizeof path, "%s/%s", dir, name);
  ssize_t length = readlink(path, text, size - 1);
  if (length < 0) return -1;
  text[length] = '\0';
  return 0;
}

static void look_at_namespaces(const char *dir) {
  static const char *names[] = {"ns/mnt", "ns/net", "ns/ipc", "ns/uts", "ns/cgroup", "ns/pid"};
  char own[64], other[64];
  for (int i = 0; i < 6; i++) {
    if (read_link("/proc/self", names[i], own, sizeof own) < 0) continue;
    if (read_link(dir, names[i], other, sizeof other) == 0 && strcmp(own, other) != 0) {
      found("namespace", names[i]);
    }
  }
}

static void look_at_root(const char *dir, const char *canary) {
  struct stat own, other;
  char path[4200];
  static const char *links[] = {"root", "cwd"};
  stat("/", &own);
  for (int i = 0; i < 2; i++) {
    snprintf(path, sizeof path, "%s/%s", dir, links[i]);
    if (stat(path, &other) == 0 && (own.st_dev != other.st_dev || own.st_ino != other.st_ino)) {
      found("foreign", links[i]);
    }
    snprintf(path, sizeof path, "%s/%s%s", dir, links[i], canary);
    if (stat(path, &other) == 0) found("host file by", links[i]);
  }
}

static void look_at_descriptors(const char *dir) {
  char path[320], text[128];
  struct stat own, other;
  snprintf(path, sizeof path, "%s/fd", dir);
  DIR *list = opendir(path);
  if (list == NULL) return;
  for (struct dirent *entry; (entry = readdir(list)) != NULL;) {
    if (entry->d_name[0] == '.' || read_link(path, entry->d_name, text, sizeof text) < 0) continue;
    if (strncmp(text, "socket:", 7) == 0 || strncmp(text, "pipe:", 5) == 0) continue;
    if (strcmp(text, "anon_inode:[signalfd]") == 0 || strncmp(text, "/dev/pts/", 9) == 0) continue;
    char file[640];
    snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
    if (stat(text, &own) == 0 && stat(file, &other) == 0 && own.st_dev == other.st_dev) continue;
    if (stat(file, &other) < 0) continue; /* closed meanwhile */
    found("descriptor", text);
  }
  closedir(list);
}

static uint64_t field(const char *status, const char *name) {
  const char *at = strstr(status, name);
  return at == NULL ? 0 : strtoull(at + strlen(name), NULL, 16);
}

static void read_status(const char *dir, char *text, size_t size) {
  char path[300];
  snprintf(path, sizeof path, "%s/status", dir);
  int fd = open(path, O_RDONLY);
  ssize_t length = fd < 0 ? 0 : read(fd, text, size - 1);
  if (fd >= 0) close(fd);
  text[length < 0 ? 0 : length] = '\0';
}

static void look_at_capabilities(const char *dir) {
  static const char *sets[] = {"CapPrm:\t", "CapEff:\t", "CapBnd:\t", "CapInh:\t", "CapAmb:\t"};
  char own[4096], other[4096], name[16];
  read_status("/proc/self", own, sizeof own);
  read_status(dir, other, sizeof other);
  for (int i = 0; i < 5; i++) {
    if ((field(other, sets[i]) & ~field(own, "CapBnd:\t")) == 0) continue;
    snprintf(name, sizeof name, "%.6s", sets[i]);
    found("capabilities", name);
  }
}

int main(int argc, char **argv) {
  static int seen[1 << 16];
  long processes = 0, looks = 0;
  if (argc != 2) return 2;
  signal(SIGTERM, end);
  puts("watching");
  fflush(stdout);
  while (!ends) {
    DIR *list = opendir("/proc");
    for (struct dirent *entry; (entry = readdir(list)) != NULL;) {
      int pid = atoi(entry->d_name);
      if (pid <= 1 || pid == getpid()) continue;
      char dir[300];
      snprintf(dir, sizeof dir, "/proc/%s", entry->d_name);
      if (!seen[pid & 0xffff]++) processes++;
      looks++;
      look_at_root(dir, argv[1]);
      look_at_namespaces(dir);
      look_at_descriptors(dir);
      look_at_capabilities(dir);
    }
    closedir(list);
  }
  printf("saw %ld processes in %ld looks\n", processes, looks);
  return 0;
}
