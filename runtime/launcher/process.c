/* The last steps before the user's program, the same for a container's init and for an exec. */
#include "process.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <termios.h>

#include "frames.h"

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif
#define DEVPTS_MAGIC 0x1cd1

int send_frame(int socket, uint32_t type, int fd) {
  struct frame_header header = {.type = type};
  struct iovec part = {&header, sizeof header};
  union {
    char bytes[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
  } control;
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  if (fd >= 0) {
    memset(&control, 0, sizeof control);
    message.msg_control = control.bytes;
    message.msg_controllen = sizeof control.bytes;
    struct cmsghdr *entry = CMSG_FIRSTHDR(&message);
    entry->cmsg_level = SOL_SOCKET;
    entry->cmsg_type = SCM_RIGHTS;
    entry->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(entry), &fd, sizeof fd);
  }
  return sendmsg(socket, &message, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

int join_cgroups(const struct plan *plan) {
  for (size_t i = 0; i < plan->cgroup_count; i++) {
    if (write_file(plan->cgroup_joins[i], "0", 1) < 0) {
      return fail("cgroup", "join %s", plan->cgroup_joins[i]);
    }
  }
  return 0;
}

int set_oom_score(const struct plan *plan) {
  if (!plan->has_oom_score_adj) return 0;
  char text[16];
  int length = snprintf(text, sizeof text, "%d", (int)plan->oom_score_adj);
  /* Lowering needs CAP_SYS_RESOURCE; a host without it runs the container all the same. */
  if (write_file("/proc/self/oom_score_adj", text, (size_t)length) < 0 && errno != EACCES) {
    return fail("oom", "set the oom score to %s", text);
  }
  return 0;
}

static int bind_console(int slave) {
  unsigned number;
  char path[40];
  (void)slave;
  if (ioctl(slave, TIOCGPTN, &number) < 0) return fail("terminal", "find the terminal's number");
  snprintf(path, sizeof path, "/dev/pts/%u", number);
  int made = open("/dev/console", O_CREAT | O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0620);
  if (made >= 0) close(made);
  if (mount(path, "/dev/console", NULL, MS_BIND, NULL) < 0) {
    return fail("terminal", "bind /dev/console");
  }
  return 0;
}

int open_terminal(const struct plan *plan, struct stdio *stdio, bool with_console) {
  int master = open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
  struct statfs kind;
  struct stat info;
  if (master < 0) return fail("terminal", "open /dev/pts/ptmx");
  /* In a running container someone may have put another file there. */
  if (fstatfs(master, &kind) < 0 || kind.f_type != DEVPTS_MAGIC || fstat(master, &info) < 0 ||
      info.st_rdev != makedev(5, 2)) {
    errno = ENODEV;
    return fail("terminal", "open /dev/pts/ptmx");
  }
  int unlocked = 0;
  if (ioctl(master, TIOCSPTLCK, &unlocked) < 0) return fail("terminal", "unlock the terminal");
  int slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (slave < 0) return fail("terminal", "open the terminal");
  if (plan->columns > 0 && plan->rows > 0) {
    struct winsize size = {.ws_col = (uint16_t)plan->columns, .ws_row = (uint16_t)plan->rows};
    ioctl(master, TIOCSWINSZ, &size);
  }
  if (with_console && bind_console(master) < 0) return -1;
  for (int i = 0; i < 3; i++) stdio->fds[i] = slave;
  return master;
}

/* Undoes what `main` ignores and the monitor blocks; all other signals are as they were made there. */
static void reset_signals(void) {
  static const int ignored[] = {SIGHUP, SIGPIPE, SIGCHLD};
  struct sigaction action = {.sa_handler = SIG_DFL};
  for (int i = 0; i < 3; i++) sigaction(ignored[i], &action, NULL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Of the numbers 0 to 3, which are about to be given anew. */
static int out_of_the_way(int fd) { return fd > 3 ? fd : fcntl(fd, F_DUPFD_CLOEXEC, 4); }

int prepare_process(const struct plan *plan, const struct stdio *stdio, int socket) {
  if (setsid() < 0) return fail("session", "make a session");
  int saved[3], kept = out_of_the_way(socket);
  for (int i = 0; i < 3; i++) saved[i] = out_of_the_way(stdio->fds[i]);
  for (int i = 0; i < 3; i++) {
    struct stat info;
    if (dup2(saved[i], i) < 0) return fail("stdio", "set descriptor %d", i);
    /* The user may open /dev/stdout again by its path. */
    if (plan->uid != 0 && fstat(i, &info) == 0 && (S_ISFIFO(info.st_mode) || plan->tty)) {
      fchown(i, plan->uid, (gid_t)-1);
    }
  }
  if (plan->tty && ioctl(0, TIOCSCTTY, 0) < 0) return fail("terminal", "take the terminal");
  if (dup3(kept, 3, O_CLOEXEC) < 0) return fail("stdio", "keep the socket");
  report_fd = 3;
  if (syscall(NR_CLOSE_RANGE, 4u, ~0u, 0u) < 0) return fail("stdio", "close descriptors");
  umask(0022);
  reset_signals();
  return 0;
}

static int enter_cwd(const struct plan *plan) {
  if (chdir(plan->cwd) == 0) {
    /* Outside the root the kernel answers "(unreachable)": never go on from there. */
    char path[4096];
    if (syscall(SYS_getcwd, path, sizeof path) > 0 && path[0] == '/') return 0;
    errno = ENOENT;
  }
  return fail("cwd", "cannot enter working directory %s as uid %u", plan->cwd, plan->uid);
}

static int load_seccomp(const struct plan *plan) {
  if (plan->seccomp_bytes == 0) return 0;
  /* Where it stands in the plan, aligned or not: only the kernel reads it. */
  struct sock_fprog program = {
      .len = (unsigned short)(plan->seccomp_bytes / sizeof(struct sock_filter)),
      .filter = (struct sock_filter *)(uintptr_t)plan->seccomp,
  };
  if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0) {
    return fail("seccomp", "load the filter");
  }
  return 0;
}

/* Replaces this program. On failure errno is the most telling of those seen along PATH. */
static void exec_along_path(const struct plan *plan) {
  const char *name = plan->args[0], *path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  if (strchr(name, '/') != NULL) {
    execve(name, plan->args, plan->env);
    return;
  }
  for (size_t i = 0; i < plan->env_count; i++) {
    if (strncmp(plan->env[i], "PATH=", 5) == 0) path = plan->env[i] + 5;
  }
  int best = ENOENT;
  for (;; path++) {
    char file[4096];
    size_t length = strcspn(path, ":");
    int used = snprintf(file, sizeof file, "%.*s/%s", (int)length, length == 0 ? "." : path, name);
    if (length > 0 && used < (int)sizeof file) {
      execve(file, plan->args, plan->env);
      if (errno != ENOENT && errno != ENOTDIR) best = errno;
    }
    path += length;
    if (*path == '\0') break;
  }
  errno = best;
}

static int exec_failed(const char *name) {
  if (errno == ENOENT && strchr(name, '/') == NULL) {
    errno = 0;
    return fail("exec", "exec: \"%s\": executable file not found in $PATH", name);
  }
  return fail("exec", "exec: \"%s\"", name);
}

static int become_user(const struct plan *plan) {
  bool is_root = plan->uid == 0;
  /* Any other user loses them at execve; without them now, the working directory is judged by the
   * rights the program will have. */
  if (set_user_ids(plan) < 0 || set_capabilities(is_root ? plan->capabilities : 0) < 0) return -1;
  return is_root ? 0 : enter_cwd(plan);
}

int run_process(struct plan *plan, void (*await_start)(void)) {
  if (add_home(plan) < 0) return -1;
  /* Root enters a private folder of another user while it still may. */
  if (plan->uid == 0 && enter_cwd(plan) < 0) return -1;
  if (drop_bounding_set(plan->capabilities) < 0) return -1;
  if (plan->no_new_privs) {
    if (become_user(plan) < 0) return -1;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return fail("seccomp", "no_new_privs");
  }
  /* The filter comes after the wait, because it may forbid to read. */
  await_start();
  if (load_seccomp(plan) < 0) return -1;
  /* Without no_new_privs loading a filter needs CAP_SYS_ADMIN, which goes only now. */
  if (!plan->no_new_privs && become_user(plan) < 0) return -1;
  exec_along_path(plan);
  return exec_failed(plan->args[0]);
}
