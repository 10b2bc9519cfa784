/* Files of the host, and small helpers around read and write. */
#include <time.h>

#include "launcher.h"

static bool has_left;

void leave_host(void) { has_left = true; }

int open_host(int dir, const char *path, int flags, mode_t mode) {
  if (has_left) {
    errno = EXDEV;
    return -1;
  }
  return (int)syscall(SYS_openat, dir, path, flags | O_CLOEXEC, mode);
}

int write_host_file(const char *path, const char *text, size_t length) {
  cleanup_close int fd = open_host(AT_FDCWD, path, O_WRONLY, 0);
  if (fd < 0) return -1;
  return write(fd, text, length) == (ssize_t)length ? 0 : -1;
}

ssize_t read_host_file(const char *path, char *buffer, size_t size) {
  cleanup_close int fd = open_host(AT_FDCWD, path, O_RDONLY, 0);
  if (fd < 0) return -1;
  size_t used = 0;
  while (used < size - 1) {
    ssize_t got = read(fd, buffer + used, size - 1 - used);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return -1;
    if (got == 0) break;
    used += (size_t)got;
  }
  buffer[used] = '\0';
  return (ssize_t)used;
}

bool read_all(int fd, void *buffer, size_t length) {
  char *at = buffer;
  while (length > 0) {
    ssize_t got = read(fd, at, length);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    at += got;
    length -= (size_t)got;
  }
  return true;
}

bool write_all(int fd, const void *buffer, size_t length) {
  const char *at = buffer;
  while (length > 0) {
    ssize_t put = write(fd, at, length);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return false;
    at += put;
    length -= (size_t)put;
  }
  return true;
}

static uint64_t read_clock(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

uint64_t now_ms(void) { return read_clock(CLOCK_REALTIME); }
uint64_t monotonic_ms(void) { return read_clock(CLOCK_MONOTONIC); }
