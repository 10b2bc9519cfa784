/* The monitor's loop: pumps output, obeys clients, and tells the truth about the end. */
#include "monitor.h"

#include <linux/keyctl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "process.h"

static void check_oom(struct monitor *monitor) {
  uint64_t count = count_oom_kills(&monitor->oom);
  if (count <= monitor->oom.seen) return;
  bool is_known = monitor->oom.seen > 0;
  monitor->oom.seen = count;
  /* The whole container ends with its first victim: the others, which v2 counts too, are no news. */
  if (is_known && monitor->plan->oom_group) return;
  broadcast(monitor, FRAME_OOM, NULL, 0);
  if (monitor->plan->oom_group) monitor_signal(monitor, SIGKILL);
}

/* The kernel says "out of memory" a moment before it counts the kill: look for a while. */
static void read_oom(struct monitor *monitor) {
  char drained[1024];
  if (read(monitor->oom.event, drained, sizeof drained) < 0 && errno != EAGAIN) {
    close(monitor->oom.event);
    monitor->oom.event = -1;
    return;
  }
  lseek(monitor->oom.event, 0, SEEK_SET);
  monitor->oom.check_until_ms = monotonic_ms() + 1000;
  check_oom(monitor);
}

static int time_until(uint64_t due_ms) {
  uint64_t now = monotonic_ms(), left = due_ms > now ? due_ms - now : 0;
  return left > 1000000 ? 1000000 : (int)left;
}

static int poll_timeout(const struct monitor *monitor) {
  uint64_t now = monotonic_ms();
  /* The last look waits for nothing: what there is to see is there. */
  if (monitor->child_gone) return is_drained(monitor, false) ? 0 : 10;
  if (monitor->oom.check_until_ms > now) return 20;
  if (monitor->keeper_due_ms > 0) return time_until(monitor->keeper_due_ms);
  if (monitor->deadline_ms > 0 && !monitor->timed_out) return time_until(monitor->deadline_ms);
  for (int i = 0; i < MAX_CONNECTIONS; i++) {
    const struct connection *connection = &monitor->connections[i];
    if (connection->fd < 0) continue;
    if (connection->stalled_since_ms != 0 || connection->gone_since_ms != 0) return 1000;
  }
  return -1;
}

static void check_deadline(struct monitor *monitor) {
  if (monitor->deadline_ms == 0 || monitor->timed_out || monitor->child_gone) return;
  if (monotonic_ms() < monitor->deadline_ms) return;
  monitor->timed_out = true;
  monitor_signal(monitor, SIGKILL);
}

enum { SLOT_SIGNALS, SLOT_LISTENER, SLOT_SOCKET, SLOT_STDOUT, SLOT_STDERR, SLOT_INPUT, SLOT_OOM,
       SLOT_PROGRAM, SLOT_CLIENTS };

static void fill_slots(struct monitor *monitor, struct pollfd *slots) {
  bool takes = monitor->polls_output = takes_output(monitor);
  bool has_input = monitor->input_start < monitor->input_end || monitor->input_closes;
  slots[SLOT_SIGNALS] = (struct pollfd){monitor->signals, POLLIN, 0};
  /* Nobody is let in to be thrown out: who comes waits for a place. */
  slots[SLOT_LISTENER] = (struct pollfd){has_place(monitor) ? monitor->listener : -1, POLLIN, 0};
  slots[SLOT_SOCKET] = (struct pollfd){monitor->socket, POLLIN, 0};
  slots[SLOT_STDOUT] = (struct pollfd){takes ? monitor->output[0] : -1, POLLIN, 0};
  slots[SLOT_STDERR] = (struct pollfd){takes ? monitor->output[1] : -1, POLLIN, 0};
  slots[SLOT_INPUT] = (struct pollfd){has_input ? monitor->input : -1, POLLOUT, 0};
  slots[SLOT_OOM] = (struct pollfd){monitor->oom.event, POLLIN | POLLPRI, 0};
  bool ends_by_keeper = monitor->keeper_due_ms == 0 && !monitor->child_gone;
  slots[SLOT_PROGRAM] = (struct pollfd){ends_by_keeper ? monitor->program_fd : -1, POLLIN, 0};
  for (int i = 0; i < MAX_CONNECTIONS; i++) {
    struct connection *connection = &monitor->connections[i];
    bool waits = connection->header_used == sizeof connection->header &&
                 connection->header.type == FRAME_STDIN && monitor->input_start < monitor->input_end;
    bool has_output = connection->out_start < connection->out_end;
    short events = waits ? 0 : POLLIN;
    if (has_output) events |= POLLOUT;
    bool is_waiting_on = waits && connection->gone_since_ms != 0;
    slots[SLOT_CLIENTS + i] = (struct pollfd){is_waiting_on ? -1 : connection->fd, events, 0};
  }
}

/* What it sent before it went is still for the container, which gets some time to take it; an exec
 * ends with its client. */
static void lose_client(struct monitor *monitor, struct connection *connection, bool has_input) {
  if (!has_input || monitor->is_exec) connection_drop(monitor, connection);
  else if (connection->gone_since_ms == 0) connection->gone_since_ms = monotonic_ms();
}

static void forget_gone_clients(struct monitor *monitor) {
  for (int i = 0; i < MAX_CONNECTIONS; i++) {
    struct connection *connection = &monitor->connections[i];
    if (connection->fd < 0 || connection->gone_since_ms == 0) continue;
    if (monotonic_ms() - connection->gone_since_ms > 10000) connection_drop(monitor, connection);
  }
}

static void serve_clients(struct monitor *monitor, const struct pollfd *slots) {
  for (int i = 0; i < MAX_CONNECTIONS; i++) {
    struct connection *connection = &monitor->connections[i];
    short events = slots[SLOT_CLIENTS + i].revents;
    if (connection->fd != slots[SLOT_CLIENTS + i].fd || events == 0) continue;
    if ((events & POLLOUT) != 0) connection_flush(monitor, connection);
    if (connection->fd >= 0 && (events & POLLIN) != 0) connection_read(monitor, connection);
    else if (connection->fd >= 0 && (events & (POLLHUP | POLLERR)) != 0) {
      lose_client(monitor, connection, (slots[SLOT_CLIENTS + i].events & POLLIN) == 0);
    }
  }
}

/* One round; false when the process has ended and all its output is out. */
static bool serve_once(struct monitor *monitor) {
  struct pollfd slots[SLOT_CLIENTS + MAX_CONNECTIONS];
  /* Only a look that began after the end has seen all output. */
  bool was_gone = monitor->child_gone;
  fill_slots(monitor, slots);
  if (poll(slots, SLOT_CLIENTS + MAX_CONNECTIONS, poll_timeout(monitor)) < 0) return true;
  if (slots[SLOT_SOCKET].revents != 0) read_child(monitor);
  for (int i = 0; i < 2; i++) {
    short events = slots[SLOT_STDOUT + i].revents;
    if (events != 0) read_output(monitor, i);
    /* Between two openers of the terminal there is nothing to read, only POLLHUP again and again. */
    if (events == POLLHUP && monitor->plan->tty && !monitor->child_gone) usleep(10000);
  }
  if (slots[SLOT_OOM].revents != 0) read_oom(monitor);
  else if (monitor->oom.check_until_ms > 0 && !monitor->child_gone) check_oom(monitor);
  if (slots[SLOT_SIGNALS].revents != 0 || monitor->reap_due) reap(monitor);
  serve_clients(monitor, slots);
  forget_gone_clients(monitor);
  if (monitor->input >= 0) write_input(monitor);
  if (slots[SLOT_LISTENER].revents != 0) accept_client(monitor);
  check_deadline(monitor);
  if (slots[SLOT_PROGRAM].revents != 0) await_keeper(monitor);
  check_keeper(monitor);
  bool had_output = slots[SLOT_STDOUT].revents != 0 || slots[SLOT_STDERR].revents != 0;
  return !(was_gone && is_drained(monitor, had_output));
}

void monitor_loop(struct monitor *monitor) {
  while (serve_once(monitor) && !monitor->quits) continue;
  /* A failed creation was answered with its error: nothing existed. */
  if (monitor->is_ready || monitor->is_exec || monitor->start_error[0] == '\0') {
    announce_exit(monitor);
  }
  see_off_clients(monitor);
}

struct monitor *monitor_new(struct plan *plan, int client) {
  struct monitor *monitor = take_memory(sizeof *monitor);
  char *buffers = take_memory(MAX_CONNECTIONS * OUT_BYTES + 3 * PIECE_BYTES);
  if (monitor == NULL || buffers == NULL) return NULL;
  monitor->plan = plan;
  monitor->status = STATUS_CREATED;
  monitor->child_fd = monitor->program_fd = monitor->socket = monitor->input = -1;
  monitor->listener = monitor->signals = monitor->exit_fd = monitor->log.fd = -1;
  monitor->oom.dir = monitor->oom.event = -1;
  monitor->output[0] = monitor->output[1] = -1;
  monitor->input_bytes = buffers;
  for (int i = 0; i < 2; i++) monitor->log.streams[i].line = buffers + (1 + i) * PIECE_BYTES;
  for (int i = 0; i < MAX_CONNECTIONS; i++) {
    monitor->connections[i].fd = -1;
    monitor->connections[i].out = buffers + 3 * PIECE_BYTES + i * OUT_BYTES;
  }
  connection_add(monitor, client)->is_subscribed = true;
  return monitor;
}

static int listen_at(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return fail("monitor", "listen at %s", path);
  }
  strcpy(address.sun_path, path);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  int bound = bind(fd, (struct sockaddr *)&address, sizeof address);
  if (bound < 0 && errno == EADDRINUSE) {
    /* Left from a monitor that was killed. */
    unlink(path);
    bound = bind(fd, (struct sockaddr *)&address, sizeof address);
  }
  return bound < 0 || listen(fd, 64) < 0 ? fail("monitor", "listen at %s", path) : fd;
}

static int start_child(struct monitor *monitor) {
  struct stdio stdio;
  int pair[2];
  if (monitor_pipes(monitor, &stdio) < 0) return -1;
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
    return fail("monitor", "make a socket pair");
  }
  monitor->child = fork_init(monitor->plan);
  if (monitor->child == 0) {
    close(pair[0]);
    run_init(monitor->plan, pair[1], stdio);
  }
  if (monitor->child < 0) return -1;
  monitor->child_fd = pidfd_open(monitor->child);
  monitor->socket = pair[0];
  close(pair[1]);
  for (int i = 0; i < 3; i++) {
    if (stdio.fds[i] >= 0) close(stdio.fds[i]);
  }
  return monitor->child_fd < 0 ? fail("clone", "hold the first process") : 0;
}

static int check_plan(const struct plan *plan) {
  errno = 0;
  return plan->dir == NULL || plan->socket_path == NULL || plan->rootfs == NULL ||
                 plan->cwd == NULL || plan->upper == NULL || plan->work == NULL ||
                 plan->arg_count == 0
             ? fail("plan", "something a container needs is missing")
             : 0;
}

/* While the child builds its root; before it may start. */
static int open_all(struct monitor *monitor) {
  const struct plan *plan = monitor->plan;
  watch_oom(&monitor->oom, plan->oom_dir);
  if (log_open(&monitor->log, plan) < 0 || reserve_exit_file(monitor) < 0) return -1;
  return (monitor->listener = listen_at(plan->socket_path)) < 0 ? -1 : 0;
}

/* Its session keyring is the container's own, of no name that others could join it by: init inherits it,
 * and every exec, which is a fork of this process too. Where the kernel has no keys there is none. */
static int join_own_keyring(void) {
  if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) >= 0 || errno == ENOSYS) return 0;
  return fail("keyring", "make a session keyring");
}

int run_monitor(int client, uint32_t plan_bytes) {
  struct plan *plan = read_plan(client, plan_bytes);
  if (plan == NULL || check_plan(plan) < 0) return 1;
  if (join_own_keyring() < 0) return 1;
  setsid();
  prctl(PR_SET_NAME, "dhow-monitor");
  prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  struct monitor *monitor = monitor_new(plan, client);
  if (monitor == NULL) return fail("monitor", "start");
  monitor->signals = watch_children();
  if (start_child(monitor) == 0) {
    if (open_all(monitor) == 0) {
      monitor_loop(monitor);
    } else {
      pidfd_kill(monitor->child_fd, SIGKILL);
      waitpid(monitor->child, NULL, 0);
    }
  }
  if (monitor->listener >= 0) unlink(plan->socket_path);
  return 0;
}
