/* Paths inside a root that is not to be trusted, and small helpers around read and write. */
#include <limits.h>
#include <linux/openat2.h>
#include <time.h>

#include "launcher.h"

int open_beneath(int root, const char *path, int flags, uint64_t resolve) {
  struct open_how how = {
      .flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
      .mode = (flags & O_CREAT) != 0 ? 0644 : 0,
      .resolve = resolve,
  };
  long fd;
  /* EAGAIN: a component moved during the walk; the kernel asks to try again. */
  for (int i = 0; i < 128; i++) {
    fd = syscall(NR_OPENAT2, root, path, &how, sizeof how);
    if (fd >= 0 || errno != EAGAIN) break;
  }
  return (int)fd;
}

/* Opens `prefix`, making its last component in `parent` when it is missing. */
static int step_into(int root, int parent, const char *prefix, const char *name, uint64_t resolve,
                     struct owner owner) {
  int fd = open_beneath(root, prefix, O_PATH | O_DIRECTORY, resolve);
  if (fd >= 0 || errno != ENOENT) return fd;
  if (mkdirat(parent, name, 0755) == 0) {
    if (fchownat(parent, name, owner.uid, owner.gid, AT_SYMLINK_NOFOLLOW) < 0) return -1;
  } else if (errno != EEXIST) {
    return -1;
  }
  return open_beneath(root, prefix, O_PATH | O_DIRECTORY, resolve);
}

int make_folders(int root, const char *path, uint64_t resolve, struct owner owner) {
  int fd = open_beneath(root, path, O_PATH | O_DIRECTORY, resolve);
  if (fd >= 0 || errno != ENOENT) return fd;

  char prefix[PATH_MAX] = "";
  size_t used = 0;
  int parent = open_beneath(root, ".", O_PATH | O_DIRECTORY, resolve);
  while (parent >= 0 && *path != '\0') {
    while (*path == '/') path++;
    size_t length = strcspn(path, "/");
    if (length == 0) break;
    if (used + length + 2 > sizeof prefix || length > NAME_MAX) {
      close(parent);
      errno = ENAMETOOLONG;
      return -1;
    }
    if (used > 0) prefix[used++] = '/';
    memcpy(prefix + used, path, length);
    prefix[used + length] = '\0';
    int next = step_into(root, parent, prefix, prefix + used, resolve, owner);
    int error = errno;
    close(parent);
    errno = error;
    parent = next;
    used += length;
    path += length;
  }
  return parent;
}

int make_file(int root, const char *path, uint64_t resolve) {
  int fd = open_beneath(root, path, O_PATH, resolve);
  if (fd >= 0 || errno != ENOENT) return fd;
  const char *slash = strrchr(path, '/');
  if (slash != NULL && slash != path) {
    char folder[PATH_MAX];
    if ((size_t)(slash - path) >= sizeof folder) {
      errno = ENAMETOOLONG;
      return -1;
    }
    memcpy(folder, path, (size_t)(slash - path));
    folder[slash - path] = '\0';
    int parent = make_folders(root, folder, resolve, (struct owner){0, 0});
    if (parent < 0) return -1;
    close(parent);
  }
  int made = open_beneath(root, path, O_CREAT | O_WRONLY | O_NOCTTY | O_NONBLOCK, resolve);
  if (made < 0) return -1;
  close(made);
  return open_beneath(root, path, O_PATH, resolve);
}

int write_file(const char *path, const char *text, size_t length) {
  cleanup_close int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  return write(fd, text, length) == (ssize_t)length ? 0 : -1;
}

ssize_t read_file(const char *path, char *buffer, size_t size) {
  cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
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
