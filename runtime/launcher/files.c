/* Paths inside a root that is not to be trusted, and small helpers around read and write. */
#include <limits.h>
#include <linux/openat2.h>
#include <time.h>

#include "launcher.h"

int open_file(int dir, const char *path, int flags, mode_t mode) {
  return (int)syscall(SYS_openat, dir, path, flags | O_CLOEXEC, mode);
}

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

/* Makes `name` in `parent` and opens it as `prefix`, which is the same seen from the root. */
static int step_into(int root, int parent, const char *prefix, const char *name, uint64_t resolve,
                     struct new_folder kind) {
  if (mkdirat(parent, name, kind.mode) < 0) {
    /* "..", or someone was faster. */
    if (errno != EEXIST) return -1;
  } else if ((kind.uid != 0 || kind.gid != 0) &&
             fchownat(parent, name, kind.uid, kind.gid, AT_SYMLINK_NOFOLLOW) < 0) {
    return -1;
  }
  return open_beneath(root, prefix, O_PATH | O_DIRECTORY, resolve);
}

/* Where the last component of the first `length` bytes begins, with the slashes before it. */
static size_t cut_last(const char *path, size_t length) {
  while (length > 0 && path[length - 1] == '/') length--;
  while (length > 0 && path[length - 1] != '/') length--;
  while (length > 0 && path[length - 1] == '/') length--;
  return length;
}

int make_folders(int root, const char *path, uint64_t resolve, struct new_folder kind) {
  char prefix[PATH_MAX];
  size_t used = strlen(path);
  if (used >= sizeof prefix) {
    errno = ENAMETOOLONG;
    return -1;
  }
  int parent = open_beneath(root, path, O_PATH | O_DIRECTORY, resolve);
  if (parent >= 0 || errno != ENOENT) return parent;
  /* Mostly just the last is missing, so what exists is looked for from the end. */
  memcpy(prefix, path, used + 1);
  while (parent < 0 && errno == ENOENT && used > 0) {
    prefix[used = cut_last(path, used)] = '\0';
    parent = open_beneath(root, used == 0 ? "." : prefix, O_PATH | O_DIRECTORY, resolve);
  }
  while (parent >= 0 && path[used] != '\0') {
    size_t name = used + strspn(path + used, "/"), end = name + strcspn(path + name, "/");
    if (name == end) break;
    memcpy(prefix + used, path + used, end - used);
    prefix[end] = '\0';
    int next = step_into(root, parent, prefix, prefix + name, resolve, kind);
    int error = errno;
    close(parent);
    errno = error;
    parent = next;
    used = end;
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
    int parent = make_folders(root, folder, resolve, (struct new_folder){.mode = 0755});
    if (parent < 0) return -1;
    close(parent);
  }
  int made = open_beneath(root, path, O_CREAT | O_WRONLY | O_NOCTTY | O_NONBLOCK, resolve);
  if (made < 0) return -1;
  close(made);
  return open_beneath(root, path, O_PATH, resolve);
}

int write_file(const char *path, const char *text, size_t length) {
  cleanup_close int fd = open_file(AT_FDCWD, path, O_WRONLY, 0);
  if (fd < 0) return -1;
  return write(fd, text, length) == (ssize_t)length ? 0 : -1;
}

ssize_t read_file(const char *path, char *buffer, size_t size) {
  cleanup_close int fd = open_file(AT_FDCWD, path, O_RDONLY, 0);
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
