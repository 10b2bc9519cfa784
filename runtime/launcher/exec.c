/* A further process in a running container.
 *
 *   monitor ─fork─► exec monitor (outside; has the client) ─fork─► entry ┈┈► keeper ─fork─► the program
 *
 * The entry leaves everything of the host while it is still outside the container's pid namespace, where
 * nobody in there can see it: it joins the other namespaces, closes all descriptors but the program's and
 * a socket, and becomes the user with what the program may have. Only then it makes the keeper, as a child
 * of the exec monitor, and ends. The keeper is a subreaper: it reaps what the program leaves behind, which
 * a container's init often never does. Killing is done from outside, where no right is missing for it. */
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "inside.h"
#include "monitor.h"
#include "process.h"
#include "rootfs.h"

enum { STACK_BYTES = 32 << 10 };

/* Reaps all children that have ended; true when `pid` was among them. */
static bool reap_until(pid_t pid, int *status) {
  bool found = false;
  int other;
  pid_t ended;
  while ((ended = waitpid(-1, &other, WNOHANG)) > 0) {
    if (ended != pid) continue;
    *status = other;
    found = true;
  }
  return found;
}

/* What the exec monitor says: that it kills the group, or nothing, when it is gone. */
static bool hears_of_killing(int socket, pid_t program) {
  char order;
  ssize_t got = recv(socket, &order, 1, MSG_DONTWAIT);
  if (got == 0) {
    /* Nobody outside is left to do it. */
    kill(-program, SIGKILL);
    kill(program, SIGKILL);
  }
  return got >= 0;
}

/* Waits for the program. */
static void keep(pid_t program, int socket, int signals) {
  bool was_killed = false;
  int status = 0;
  while (!reap_until(program, &status)) {
    struct pollfd slots[] = {{was_killed ? -1 : socket, POLLIN, 0}, {signals, POLLIN, 0}};
    /* A container's own filter may forbid to poll. */
    if (poll(slots, 2, -1) < 0 && errno != EINTR && waitpid(program, &status, 0) == program) break;
    struct signalfd_siginfo ignored;
    while (read(signals, &ignored, sizeof ignored) > 0) continue;
    if (slots[0].revents != 0) was_killed = hears_of_killing(socket, program);
  }
  if (!was_killed) was_killed = hears_of_killing(socket, program);
  /* Its group is dying, and its children are ours now: leave no zombie to a careless init. Whoever has
   * left the group lives on, and is not waited for. */
  for (int i = 0; was_killed && i < 5000 && waitpid(-program, NULL, WNOHANG) >= 0; i++) usleep(2000);
  send_exit(socket, status);
}

/* Nobody should enter unfiltered; but with no_new_privs a filter can come last and so may forbid even
 * what the keeper and the program still have to do. */
static bool filters_before(const struct plan *plan) {
  return plan->filter_early || !plan->no_new_privs;
}

/* What the program shares with its keeper, which sleeps until execve. */
struct start {
  const struct plan *plan;
  bool has_failed;
};

static int become_program(void *argument) {
  struct start *start = argument;
  const struct plan *plan = start->plan;
  if (lead_session(plan) == 0) {
    /* By this message the exec monitor learns who we are outside. */
    send_frame(3, FRAME_PROGRAM, -1);
    if (filters_before(plan) || load_filter(plan) == 0) run_program(plan);
  }
  start->has_failed = true;
  _exit(128);
}

static int fail_to_fork(void) {
  /* The cgroup has been joined. */
  const char *why = errno == EAGAIN ? "the limit of processes is reached: " : "";
  return fail("exec", "%smake a process", why);
}

/* The program is made on the keeper's own memory, which is much quicker than on a copy of it. */
static int keep_program(const struct plan *plan) {
  struct start start = {.plan = plan};
  int signals = watch_children();
  char *stack = take_memory(STACK_BYTES);
  if (signals < 0 || stack == NULL) return fail("exec", "watch the program");
  prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  pid_t program =
      clone(become_program, stack + STACK_BYTES, CLONE_VM | CLONE_VFORK | SIGCHLD, &start);
  if (program < 0) return fail_to_fork();
  for (int i = 0; i < 3; i++) close(i);
  if (confine_keeper() < 0) {
    kill(program, SIGKILL);
    return -1;
  }
  if (!start.has_failed) send_frame(3, FRAME_STARTED, -1);
  keep(program, 3, signals);
  return 0;
}

static int fail_as_ended(void) {
  errno = 0;
  return fail("exec", "the container is not running");
}

/* Leaves the host; the pid namespace is only for children. */
static int leave(const struct plan *plan, const struct monitor *container) {
  int flags = CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP | CLONE_NEWPID;
  if (join_cgroups(container->plan) < 0 || set_oom_score(plan) < 0) return -1;
  leave_host();
  if (setns(container->child_fd, flags) == 0) return 0;
  /* It has ended since, or this monitor has not heard of it yet. */
  return errno == ESRCH ? fail_as_ended() : fail("exec", "enter the container");
}

/* The null device of the container; where it has none, a pipe that nobody writes to. */
static int open_empty_input(int root) {
  int ends[2], null = open_device(root, "dev/null", NULL_DEVICE);
  if (null >= 0) return null;
  if (pipe2(ends, O_CLOEXEC) < 0) return fail("stdio", "make a pipe");
  close(ends[1]);
  return ends[0];
}

static int open_streams(const struct plan *plan, int socket, struct stdio *stdio) {
  cleanup_close int root = open_root();
  if (root < 0) return fail("exec", "open / of the container");
  if (!plan->tty) {
    if (stdio->fds[0] < 0) stdio->fds[0] = open_empty_input(root);
    return stdio->fds[0] < 0 ? -1 : 0;
  }
  int terminal;
  cleanup_close int master = open_terminal(plan, root, &terminal);
  if (master < 0) return -1;
  for (int i = 0; i < 3; i++) stdio->fds[i] = terminal;
  return send_frame(socket, FRAME_TERMINAL, master) < 0 ? fail("terminal", "hand it over") : 0;
}

/* The other runtime enters by itself. */
static int stay(const struct plan *plan, int socket, struct stdio *stdio) {
  int null = open_host(AT_FDCWD, "/dev/null", O_RDWR, 0);
  if (null < 0) return fail("stdio", "open /dev/null");
  for (int i = 0; i < 3; i++) {
    if (stdio->fds[i] < 0) stdio->fds[i] = null;
  }
  if (place_descriptors(plan, stdio, socket) < 0 || lead_session(plan) < 0) return -1;
  return supervise_exec(plan);
}

static int enter(struct plan *plan, const struct monitor *container, int socket, struct stdio *stdio) {
  if (is_supervised(plan)) return stay(plan, socket, stdio);
  if (leave(plan, container) < 0 || open_streams(plan, socket, stdio) < 0 ||
      place_descriptors(plan, stdio, socket) < 0) {
    return -1;
  }
  if (become_user(plan) < 0) return -1;
  if (filters_before(plan) && load_filter(plan) < 0) return -1;
  pid_t keeper = fork_with(CLONE_PARENT);
  if (keeper == 0) _exit(keep_program(plan) < 0 ? 128 : 0);
  if (keeper < 0) return fail_to_fork();
  return send_number(3, FRAME_ENTERED, (uint32_t)keeper);
}

static int start_entry(struct monitor *monitor, const struct monitor *container) {
  struct stdio stdio;
  int pair[2], yes = 1;
  if (monitor_pipes(monitor, &stdio) < 0) return -1;
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0 ||
      setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes) < 0) {
    return fail("exec", "make a socket pair");
  }
  monitor->child = fork_with(0);
  if (monitor->child == 0) {
    report_fd = pair[1];
    prctl(PR_SET_NAME, "dhow-exec");
    _exit(enter(monitor->plan, container, pair[1], &stdio) < 0 ? 128 : 0);
  }
  if (monitor->child < 0) return fail("exec", "fork");
  monitor->child_fd = pidfd_open(monitor->child);
  monitor->socket = pair[0];
  close(pair[1]);
  for (int i = 0; i < 3; i++) {
    if (stdio.fds[i] >= 0) close(stdio.fds[i]);
  }
  return 0;
}

void run_exec(struct monitor *container, int client, uint32_t plan_bytes) {
  /* The container's own affairs stay with its monitor. */
  close(container->listener);
  close(container->signals);
  for (int i = 0; i < MAX_CONNECTIONS; i++) {
    if (container->connections[i].fd >= 0) close(container->connections[i].fd);
  }
  if (container->log.fd >= 0) close(container->log.fd);
  if (container->exit_fd >= 0) close(container->exit_fd);
  if (container->input >= 0) close(container->input);
  if (container->oom.dir >= 0) close(container->oom.dir);
  if (container->oom.event >= 0) close(container->oom.event);
  if (container->socket >= 0) close(container->socket);
  for (int i = 0; i < 2; i++) {
    if (container->output[i] >= 0) close(container->output[i]);
  }
  report_fd = client;
  fcntl(client, F_SETFL, 0); /* read the plan in one go */
  prctl(PR_SET_NAME, "dhow-execmon");
  struct plan *plan = read_plan(client, plan_bytes);
  if (plan == NULL) _exit(1);
  if (container->status != STATUS_RUNNING || container->child_gone) {
    fail_as_ended();
    _exit(1);
  }
  struct monitor *monitor = plan->arg_count == 0 ? NULL : monitor_new(plan, client);
  if (monitor == NULL) _exit(1);
  monitor->is_exec = true;
  monitor->connections[0].is_attached = true;
  if (plan->timeout_ms > 0) monitor->deadline_ms = monotonic_ms() + plan->timeout_ms;
  monitor->signals = watch_children();
  if (start_entry(monitor, container) == 0) monitor_loop(monitor);
  _exit(0);
}
