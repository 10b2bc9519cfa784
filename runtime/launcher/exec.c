/* A further process in a running container.
 *
 *   monitor ─fork─► exec monitor (outside; has the client) ─fork─► keeper ─fork─► the program
 *
 * The keeper lives in the container's pid namespace, as subreaper: it kills the whole group when told
 * to and reaps what the program leaves behind, which a container's init often never does. */
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "monitor.h"
#include "process.h"

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

static void send_exit(int socket, int status) {
  struct {
    struct frame_header header;
    struct exit_frame exit;
  } packet = {.header = {FRAME_EXIT, sizeof packet.exit}};
  packet.exit.signal_number = WIFSIGNALED(status) ? (uint32_t)WTERMSIG(status) : 0;
  packet.exit.exit_code =
      WIFSIGNALED(status) ? 128u + (uint32_t)WTERMSIG(status) : (uint32_t)WEXITSTATUS(status);
  send(socket, &packet, sizeof packet, MSG_NOSIGNAL);
}

static void kill_group(pid_t pid) {
  kill(-pid, SIGKILL);
  kill(pid, SIGKILL);
}

/* Waits for the program, obeying "k" and a closed socket. */
static void keep(int socket, int signals, pid_t program) {
  bool was_killed = false;
  int status = 0;
  for (;;) {
    struct pollfd slots[] = {{was_killed ? -1 : socket, POLLIN, 0}, {signals, POLLIN, 0}};
    poll(slots, 2, -1);
    if (slots[0].revents != 0) {
      /* Read it: closing a socket with unread data would discard what we send, too. */
      char order;
      recv(socket, &order, 1, MSG_DONTWAIT);
      kill_group(program);
      was_killed = true;
    }
    struct signalfd_siginfo ignored;
    while (read(signals, &ignored, sizeof ignored) > 0) continue;
    if (reap_until(program, &status)) break;
  }
  if (was_killed) {
    /* Its children are ours now and die with the group: leave no zombie to a careless init. */
    for (int i = 0; i < 200 && waitpid(-1, NULL, WNOHANG) >= 0; i++) usleep(2000);
  }
  send_exit(socket, status);
}

/* What the keeper may still do is kill; it must not be worth attacking from inside. */
static int drop_keeper(const struct plan *plan) {
  uint64_t cap_kill = 1ull << 5;
  return set_capabilities(plan->capabilities | cap_kill);
}

static int enter_container(const struct plan *plan, const struct monitor *container) {
  int flags = CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
  if (join_cgroups(container->plan) < 0 || set_oom_score(plan) < 0) return -1;
  if (setns(container->child_fd, flags) < 0) return fail("exec", "enter the container");
  if (chdir("/") < 0) return fail("exec", "enter the container");
  return 0;
}

static void start_at_once(void) {}

/* The program. Its errors go to the keeper, for which the socket's end means a successful execve. */
_Noreturn static void run_program(struct plan *plan, const struct stdio *stdio, int socket) {
  report_fd = socket;
  if (prepare_process(plan, stdio, socket) == 0) run_process(plan, start_at_once);
  _exit(128);
}

static int keep_program(struct plan *plan, const struct monitor *container, int socket,
                        struct stdio *stdio) {
  if (enter_container(plan, container) < 0) return -1;
  if (plan->tty) {
    cleanup_close int master = open_terminal(plan, stdio, false);
    if (master < 0) return -1;
    if (send_frame(socket, FRAME_TERMINAL, master) < 0) return fail("terminal", "hand it over");
  }
  int alive[2], signals = watch_children();
  if (signals < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, alive) < 0) {
    return fail("exec", "make a socket pair");
  }
  pid_t program = fork_with(0);
  if (program == 0) run_program(plan, stdio, alive[1]);
  if (program < 0) return fail("exec", "fork");
  close(alive[1]);
  for (int i = 0; i < 3; i++) {
    if (stdio->fds[i] >= 0) close(stdio->fds[i]);
  }
  if (drop_keeper(plan) < 0) return -1;
  /* An error frame, or the end of the socket at execve. */
  char packet[2048];
  ssize_t got = recv(alive[0], packet, sizeof packet, 0);
  if (got > 0) send(socket, packet, (size_t)got, MSG_NOSIGNAL);
  else send_frame(socket, FRAME_STARTED, -1);
  close(alive[0]);
  keep(socket, signals, program);
  return 0;
}

/* The keeper never execs, so what it must not hold open is closed by hand: the pipe's other ends
 * would keep the program from ever seeing the end of its input. */
static void close_monitor_ends(const struct monitor *monitor) {
  close(monitor->connections[0].fd);
  close(monitor->signals);
  if (monitor->input >= 0) close(monitor->input);
  for (int i = 0; i < 2; i++) {
    if (monitor->output[i] >= 0) close(monitor->output[i]);
  }
}

_Noreturn static void run_keeper(struct plan *plan, const struct monitor *container, int socket,
                                 struct stdio *stdio) {
  report_fd = socket;
  prctl(PR_SET_NAME, "dhow-exec");
  prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  _exit(keep_program(plan, container, socket, stdio) < 0 ? 128 : 0);
}

static int start_keeper(struct monitor *monitor, const struct monitor *container) {
  struct stdio stdio;
  int pair[2];
  if (monitor_pipes(monitor, &stdio) < 0) return -1;
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
    return fail("exec", "make a socket pair");
  }
  if (setns(container->child_fd, CLONE_NEWPID) < 0) return fail("exec", "enter the container");
  monitor->child = fork_with(0);
  if (monitor->child == 0) {
    close(pair[0]);
    close_monitor_ends(monitor);
    run_keeper(monitor->plan, container, pair[1], &stdio);
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
    errno = 0;
    fail("exec", "the container is not running");
    _exit(1);
  }
  struct monitor *monitor = plan->arg_count == 0 ? NULL : monitor_new(plan, client);
  if (monitor == NULL) _exit(1);
  monitor->is_exec = true;
  monitor->connections[0].is_attached = true;
  if (plan->timeout_ms > 0) monitor->deadline_ms = monotonic_ms() + plan->timeout_ms;
  monitor->signals = watch_children();
  if (start_keeper(monitor, container) == 0) monitor_loop(monitor);
  _exit(0);
}
