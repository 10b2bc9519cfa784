/* The last steps before the user's program, the same for a container's init and for an exec. */
#include "process.h"

#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <termios.h>

#include "frames.h"
#include "inside.h"

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif
#define DEVPTS_MAGIC 0x1cd1

static int send_packet(int socket, const void *packet, size_t length, int fd) {
  struct iovec part = {(void *)(uintptr_t)packet, length};
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

int send_frame(int socket, uint32_t type, int fd) {
  struct frame_header header = {.type = type};
  return send_packet(socket, &header, sizeof header, fd);
}

int send_number(int socket, uint32_t type, uint32_t number) {
  struct {
    struct frame_header header;
    uint32_t number;
  } packet = {.header = {type, sizeof number}, .number = number};
  return send_packet(socket, &packet, sizeof packet, -1);
}

void send_exit(int socket, int status) {
  struct {
    struct frame_header header;
    struct exit_frame exit;
  } packet = {.header = {FRAME_EXIT, sizeof packet.exit}};
  packet.exit.signal_number = WIFSIGNALED(status) ? (uint32_t)WTERMSIG(status) : 0;
  packet.exit.exit_code =
      WIFSIGNALED(status) ? 128u + (uint32_t)WTERMSIG(status) : (uint32_t)WEXITSTATUS(status);
  send(socket, &packet, sizeof packet, MSG_NOSIGNAL);
}

int join_cgroups(const struct plan *plan) {
  for (size_t i = 0; i < plan->cgroup_count; i++) {
    if (write_host_file(plan->cgroup_joins[i], "0", 1) < 0) {
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
  if (write_host_file("/proc/self/oom_score_adj", text, (size_t)length) < 0 && errno != EACCES) {
    return fail("oom", "set the oom score to %s", text);
  }
  return 0;
}

int open_terminal(const struct plan *plan, int root, int *terminal) {
  struct statfs kind;
  int master = open_device(root, "dev/pts/ptmx", makedev(5, 2));
  if (master < 0) return fail("terminal", "open /dev/pts/ptmx");
  if (fstatfs(master, &kind) < 0 || kind.f_type != DEVPTS_MAGIC) {
    errno = ENODEV;
    return fail("terminal", "open /dev/pts/ptmx");
  }
  int unlocked = 0;
  if (ioctl(master, TIOCSPTLCK, &unlocked) < 0) return fail("terminal", "unlock the terminal");
  /* By the master and never by name. */
  *terminal = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (*terminal < 0) return fail("terminal", "open the terminal");
  if (plan->columns > 0 && plan->rows > 0) {
    struct winsize size = {.ws_col = (uint16_t)plan->columns, .ws_row = (uint16_t)plan->rows};
    ioctl(master, TIOCSWINSZ, &size);
  }
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

int place_descriptors(const struct plan *plan, const struct stdio *stdio, int socket) {
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
  if (dup3(kept, 3, O_CLOEXEC) < 0) return fail("stdio", "keep the socket");
  report_fd = 3;
  if (syscall(NR_CLOSE_RANGE, 4u, ~0u, 0u) < 0) return fail("stdio", "close descriptors");
  umask(0022);
  return 0;
}

int lead_session(const struct plan *plan) {
  if (setsid() < 0) return fail("session", "make a session");
  if (plan->tty && !is_supervised(plan) && ioctl(0, TIOCSCTTY, 0) < 0) return fail("terminal", "take the terminal");
  reset_signals();
  return 0;
}

static int enter_cwd(const struct plan *plan, int root) {
  if (enter_folder(root, plan->cwd) == 0) return 0;
  return fail("cwd", "cannot enter working directory %s as uid %u", plan->cwd, plan->uid);
}

static bool filters_as_admin(const struct plan *plan) {
  return plan->seccomp_bytes > 0 && !plan->no_new_privs;
}

/* Any user but root loses them at execve; without them now, the working directory is judged by the
 * rights the program will have. */
static uint64_t final_capabilities(const struct plan *plan) {
  return plan->uid == 0 ? plan->capabilities : 0;
}

int become_user(struct plan *plan) {
  cleanup_close int root = open_root();
  if (root < 0) return fail("rootfs", "open /");
  if (add_home(plan, root) < 0) return -1;
  /* Root enters a private folder of another user while it still may. */
  if (plan->uid == 0 && enter_cwd(plan, root) < 0) return -1;
  uint64_t admin = filters_as_admin(plan) ? 1ull << CAP_SYS_ADMIN : 0;
  if (drop_bounding_set(plan->capabilities) < 0 || set_user_ids(plan) < 0 ||
      set_capabilities(final_capabilities(plan) | admin) < 0) {
    return -1;
  }
  /* A change of user may have made this memory readable for it. */
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  if (plan->uid != 0 && enter_cwd(plan, root) < 0) return -1;
  if (plan->no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
    return fail("seccomp", "no_new_privs");
  }
  return 0;
}

int load_filter(const struct plan *plan) {
  if (plan->seccomp_bytes == 0) return 0;
  /* Where it stands in the plan, aligned or not: only the kernel reads it. */
  struct sock_fprog program = {
      .len = (unsigned short)(plan->seccomp_bytes / sizeof(struct sock_filter)),
      .filter = (struct sock_filter *)(uintptr_t)plan->seccomp,
  };
  if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0) {
    return fail("seccomp", "load the filter");
  }
  return filters_as_admin(plan) ? set_capabilities(final_capabilities(plan)) : 0;
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

int run_program(const struct plan *plan) {
  exec_along_path(plan);
  return exec_failed(plan->args[0]);
}
