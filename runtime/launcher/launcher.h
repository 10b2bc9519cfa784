/* What every part of the launcher uses: scoped cleanup, error reports, kernel calls libc lacks. */
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

/* Numbers above 423 are the same on every architecture. */
#define NR_PIDFD_SEND_SIGNAL 424
#define NR_OPEN_TREE 428
#define NR_MOVE_MOUNT 429
#define NR_PIDFD_OPEN 434
#define NR_CLOSE_RANGE 436
#define NR_OPENAT2 437
#define NR_MOUNT_SETATTR 442

static inline void close_fd(int *fd) {
  if (*fd >= 0) close(*fd);
}
/* The descriptor closes itself when its variable leaves the scope. */
#define cleanup_close __attribute__((cleanup(close_fd)))

/* report.c */

/* Where `fail` writes its frame: the client's socket, or a child's socket to its monitor. */
extern int report_fd;
/* Reports step, detail and errno (if not 0) as one FRAME_ERROR; always returns -1. */
int fail(const char *step, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The words people know from `strerror`, starting in lower case. */
const char *error_words(int error);

/* memory.c */

/* Zeroed bytes that stay for ever, or NULL when there are no more. */
void *take_memory(size_t bytes);

/* files.c: files of the host. What a container can shape is opened by inside.c alone. */

/* From now on this process looks up names in a container: nothing below opens a file any more. */
void leave_host(void);
/* `open` and `openat` by system call: musl's mark each descriptor a second time as close-on-exec. */
int open_host(int dir, const char *path, int flags, mode_t mode);
int write_host_file(const char *path, const char *text, size_t length);
/* Reads at most size - 1 bytes and ends them with NUL; -1 on error. */
ssize_t read_host_file(const char *path, char *buffer, size_t size);
/* Reads or writes all of it; false on error or end of file. */
bool read_all(int fd, void *buffer, size_t length);
bool write_all(int fd, const void *buffer, size_t length);
uint64_t now_ms(void);
uint64_t monotonic_ms(void);

static inline void set_nonblocking(int fd) { fcntl(fd, F_SETFL, O_NONBLOCK); }
static inline int pidfd_open(pid_t pid) { return (int)syscall(NR_PIDFD_OPEN, pid, 0); }
static inline int pidfd_kill(int pidfd, int signal_number) {
  return (int)syscall(NR_PIDFD_SEND_SIGNAL, pidfd, signal_number, NULL, 0);
}
/* The process group that the process leads, or led: never another that was given its number. */
static inline int pidfd_kill_group(int pidfd, int signal_number) {
  return (int)syscall(NR_PIDFD_SEND_SIGNAL, pidfd, signal_number, NULL, 1u << 2);
}
/* A plain fork with further clone flags; the child runs on a copy of this stack. */
static inline pid_t fork_with(unsigned long flags) {
#if defined(__s390x__)
  return (pid_t)syscall(SYS_clone, NULL, flags | SIGCHLD, NULL, NULL, NULL);
#else
  return (pid_t)syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, NULL);
#endif
}
