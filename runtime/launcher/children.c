/* What a monitor hears of its child: a container's init, or an exec's entry and then its keeper. */
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "monitor.h"
#include "process.h"

/* Long for one that only has to be scheduled, also where the processor is limited. */
enum { KEEPER_PATIENCE_MS = 10000 };

int watch_children(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  sigprocmask(SIG_BLOCK, &set, NULL);
  return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

void await_keeper(struct monitor *monitor) {
  if (monitor->keeper_due_ms == 0) monitor->keeper_due_ms = monotonic_ms() + KEEPER_PATIENCE_MS;
}

/* A container may stop its keepers: without this each would stay, and its monitor, as long as it does. */
void check_keeper(struct monitor *monitor) {
  if (monitor->keeper_due_ms == 0 || monitor->child_gone) return;
  if (monotonic_ms() < monitor->keeper_due_ms) return;
  monitor->keeper_due_ms = UINT64_MAX;
  pidfd_kill(monitor->child_fd, SIGKILL);
}

/* The whole group, from outside: in the container the right to may be missing. */
static void kill_program(struct monitor *monitor) {
  if (monitor->program == 0) return;
  /* First, so that the keeper knows it when the program ends. */
  if (monitor->socket >= 0) send(monitor->socket, "k", 1, MSG_NOSIGNAL);
  if (pidfd_kill_group(monitor->program_fd, SIGKILL) == 0 || errno == ESRCH) return;
  /* Before Linux 6.9. Unless the keeper is telling its end just now, the number is still taken. */
  kill(-monitor->program, SIGKILL);
  pidfd_kill(monitor->program_fd, SIGKILL);
}

void monitor_signal(struct monitor *monitor, int signal_number) {
  if (monitor->child_gone) return;
  if (!monitor->is_exec) {
    pidfd_kill(monitor->child_fd, signal_number);
    return;
  }
  monitor->is_killed = true;
  await_keeper(monitor);
  if (monitor->has_entered) kill_program(monitor);
  else pidfd_kill(monitor->child_fd, SIGKILL);
}

static void mark_running(struct monitor *monitor) {
  if (monitor->status != STATUS_CREATED) return;
  monitor->status = STATUS_RUNNING;
  monitor->started_at_ms = now_ms();
  for (int i = 0; i < MAX_CONNECTIONS; i++) {
    struct connection *connection = &monitor->connections[i];
    if (connection->fd >= 0 && connection->is_subscribed) send_state(monitor, connection);
  }
}

/* Only once, and from an exec only before anything in the container can have reached its socket. */
static void take_terminal(struct monitor *monitor, int master) {
  if (!monitor->plan->tty || monitor->output[0] >= 0 || monitor->has_entered) {
    close(master);
    return;
  }
  set_nonblocking(master);
  monitor->output[0] = master;
  monitor->input = fcntl(master, F_DUPFD_CLOEXEC, 3);
}

/* An error of the child: before it was ready the creation failed, later the start did. */
static void take_error(struct monitor *monitor, const char *payload, size_t length) {
  if (!monitor->is_ready || monitor->is_exec) broadcast(monitor, FRAME_ERROR, payload, length);
  if (length <= sizeof(uint32_t)) return;
  const char *step = payload + sizeof(uint32_t);
  const char *message = step + strnlen(step, length - sizeof(uint32_t)) + 1;
  if (message >= payload + length) return;
  snprintf(monitor->start_error, sizeof monitor->start_error, "%s", message);
}

static void take_exit(struct monitor *monitor, const char *payload, size_t length) {
  struct exit_frame exit;
  if (length < sizeof exit) return;
  memcpy(&exit, payload, sizeof exit);
  monitor->has_exit = true;
  monitor->exit_code = exit.exit_code;
  monitor->signal_number = exit.signal_number;
  monitor->program = 0;
}

/* The entry has made the keeper and ends. The kernel says who sent it. */
static void take_keeper(struct monitor *monitor, pid_t sender, const char *payload, size_t length) {
  uint32_t keeper;
  if (!monitor->is_exec || monitor->has_entered || sender != monitor->child || length < sizeof keeper) {
    return;
  }
  memcpy(&keeper, payload, sizeof keeper);
  close(monitor->child_fd);
  monitor->entry = monitor->child;
  monitor->has_entered = monitor->reap_due = true;
  monitor->child = (pid_t)keeper;
  monitor->child_fd = pidfd_open(monitor->child);
  if (monitor->is_killed) kill_program(monitor);
}

static void take_program(struct monitor *monitor, pid_t sender, const char *payload, size_t length) {
  if (!monitor->is_exec || monitor->program != 0 || monitor->has_exit || sender <= 0) return;
  uint32_t named;
  /* Outside of all containers is the one that speaks for another runtime's process. */
  if (is_supervised(monitor->plan) && sender == monitor->child && length >= sizeof named) {
    memcpy(&named, payload, sizeof named);
    sender = (pid_t)named;
  }
  monitor->program_fd = pidfd_open(sender);
  monitor->program = sender;
  if (monitor->is_killed) kill_program(monitor);
}

/* A container's init that another runtime has made; of ours the number is known already. */
static void take_init(struct monitor *monitor, const char *payload, size_t length) {
  uint32_t named;
  if (!is_supervised(monitor->plan) || length < sizeof named) return;
  memcpy(&named, payload, sizeof named);
  monitor->program = (pid_t)named;
}

/* What came along with a packet: a descriptor to keep or close, or -1; and its sender, or 0. */
static void read_control(struct msghdr *message, int *fd, pid_t *sender) {
  struct ucred peer;
  for (struct cmsghdr *entry = CMSG_FIRSTHDR(message); entry != NULL;
       entry = CMSG_NXTHDR(message, entry)) {
    if (entry->cmsg_level != SOL_SOCKET) continue;
    if (entry->cmsg_type == SCM_RIGHTS) memcpy(fd, CMSG_DATA(entry), sizeof *fd);
    if (entry->cmsg_type != SCM_CREDENTIALS) continue;
    memcpy(&peer, CMSG_DATA(entry), sizeof peer);
    *sender = peer.pid;
  }
}

static void obey_child(struct monitor *monitor, const struct frame_header *header,
                       const char *payload, size_t length, pid_t sender) {
  switch (header->type) {
    case FRAME_OK:
      monitor->is_ready = true;
      broadcast(monitor, FRAME_OK, NULL, 0);
      break;
    case FRAME_STARTED: mark_running(monitor); break;
    case FRAME_ERROR: take_error(monitor, payload, length); break;
    case FRAME_EXIT: take_exit(monitor, payload, length); break;
    case FRAME_ENTERED: take_keeper(monitor, sender, payload, length); break;
    case FRAME_PROGRAM:
      if (monitor->is_exec) take_program(monitor, sender, payload, length);
      else take_init(monitor, payload, length);
      break;
    default: break;
  }
}

void read_child(struct monitor *monitor) {
  char packet[2048];
  /* Room for one descriptor: the kernel closes what does not fit. */
  union {
    char bytes[CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
    struct cmsghdr align;
  } control;
  struct iovec part = {packet, sizeof packet};
  struct msghdr message = {.msg_iov = &part,
                           .msg_iovlen = 1,
                           .msg_control = control.bytes,
                           .msg_controllen = sizeof control};
  ssize_t got = recvmsg(monitor->socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got < (ssize_t)sizeof(struct frame_header)) {
    close(monitor->socket);
    monitor->socket = -1;
    if (monitor->start_sent && monitor->start_error[0] == '\0') mark_running(monitor);
    return;
  }
  int fd = -1;
  pid_t sender = 0;
  read_control(&message, &fd, &sender);
  struct frame_header header;
  memcpy(&header, packet, sizeof header);
  if (header.type == FRAME_TERMINAL && fd >= 0) {
    take_terminal(monitor, fd);
    return;
  }
  if (fd >= 0) close(fd);
  obey_child(monitor, &header, packet + sizeof header, (size_t)got - sizeof header, sender);
}

/* What the child still has to say comes before its end. */
static void hear_out(struct monitor *monitor) {
  while (monitor->socket >= 0) {
    struct pollfd waiting = {monitor->socket, POLLIN, 0};
    if (poll(&waiting, 1, 0) <= 0) break;
    read_child(monitor);
  }
}

static void mark_gone(struct monitor *monitor, int status) {
  monitor->child_gone = true;
  monitor->gone_at_ms = monotonic_ms();
  monitor->finished_at_ms = now_ms();
  if (monitor->has_exit) return;
  monitor->signal_number = WIFSIGNALED(status) ? (uint32_t)WTERMSIG(status) : 0;
  monitor->exit_code =
      WIFSIGNALED(status) ? 128 + monitor->signal_number : (uint32_t)WEXITSTATUS(status);
}

/* The entry, then the keeper, and nobody else. */
static void reap_exec(struct monitor *monitor) {
  int status;
  siginfo_t ended = {0};
  if (monitor->entry > 0 && waitpid(monitor->entry, NULL, WNOHANG) > 0) monitor->entry = 0;
  if (monitor->child_gone) return;
  waitid(P_PID, (id_t)monitor->child, &ended, WEXITED | WNOHANG | WNOWAIT);
  if (ended.si_pid == 0) return;
  pid_t child = monitor->child;
  hear_out(monitor);
  if (monitor->child != child) return reap_exec(monitor);
  waitpid(child, &status, 0);
  mark_gone(monitor, status);
  /* The container may have ended, by what this very program did, before the keeper could speak of it. */
  if (monitor->program != 0 && monitor->start_error[0] == '\0') mark_running(monitor);
  /* It died with its program alive. */
  kill_program(monitor);
  if (monitor->status != STATUS_CREATED || monitor->is_killed || monitor->start_error[0] != '\0') return;
  errno = 0;
  fail("exec", "the process that was to enter the container was killed by signal %u",
       monitor->signal_number);
}

static void reap_all(struct monitor *monitor) {
  int status;
  pid_t pid;
  while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
    if (pid != monitor->child) continue;
    hear_out(monitor);
    mark_gone(monitor, status);
  }
  if (!monitor->child_gone) return;
  monitor->oom_killed = count_oom_kills(&monitor->oom) > 0;
  if (monitor->plan->kill_leftovers && monitor->plan->cgroup_dir != NULL) {
    kill_cgroup(monitor->plan->cgroup_dir);
  }
}

void reap(struct monitor *monitor) {
  struct signalfd_siginfo ignored;
  while (read(monitor->signals, &ignored, sizeof ignored) > 0) continue;
  monitor->reap_due = false;
  if (monitor->is_exec) reap_exec(monitor);
  else reap_all(monitor);
}
