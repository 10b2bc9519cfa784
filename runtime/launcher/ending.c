/* The end of a watched process: written down, then told. */
#include <poll.h>

#include "monitor.h"

enum { EXIT_BYTES = 3072 };

static void json_string(char *to, size_t size, const char *from) {
  size_t used = 0;
  for (; *from != '\0' && used + 8 < size; from++) {
    unsigned char byte = (unsigned char)*from;
    if (byte == '"' || byte == '\\') to[used++] = '\\';
    if (byte < 0x20) used += (size_t)snprintf(to + used, 8, "\\u%04x", byte);
    else to[used++] = (char)byte;
  }
  to[used] = '\0';
}

int reserve_exit_file(struct monitor *monitor) {
  cleanup_close int dir = open_host(AT_FDCWD, monitor->plan->dir, O_PATH | O_DIRECTORY, 0);
  monitor->exit_fd = open_host(dir, "exit.new", O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (monitor->exit_fd >= 0 &&
      (fallocate(monitor->exit_fd, 0, 0, EXIT_BYTES) == 0 || errno == EOPNOTSUPP)) {
    return 0;
  }
  return fail("monitor", "reserve room for the exit");
}

/* Durable and whole before anyone is told. */
static void write_exit_file(const struct monitor *monitor) {
  char text[EXIT_BYTES], error[2600];
  json_string(error, sizeof error, monitor->start_error);
  int length = snprintf(
      text, sizeof text,
      "{\"exitCode\":%u,\"signalNumber\":%u,\"oomKilled\":%s,\"startedAtMs\":%llu,"
      "\"finishedAtMs\":%llu,\"startError\":\"%s\"}\n",
      monitor->exit_code, monitor->signal_number, monitor->oom_killed ? "true" : "false",
      (unsigned long long)monitor->started_at_ms, (unsigned long long)monitor->finished_at_ms,
      error);
  cleanup_close int dir = open_host(AT_FDCWD, monitor->plan->dir, O_PATH | O_DIRECTORY, 0);
  int fd = monitor->exit_fd;
  if (!write_all(fd, text, (size_t)length) || ftruncate(fd, length) < 0) return;
  fsync(fd);
  renameat(dir, "exit.new", dir, "exit");
}

void tell_exit(struct monitor *monitor, struct connection *connection) {
  struct {
    struct exit_frame frame;
    char error[sizeof monitor->start_error];
  } message;
  message.frame = (struct exit_frame){
      .exit_code = monitor->exit_code,
      .signal_number = monitor->signal_number,
      .oom_killed = monitor->oom_killed,
      .timed_out = monitor->timed_out,
      .started_at_ms = monitor->started_at_ms,
      .finished_at_ms = monitor->finished_at_ms,
  };
  strcpy(message.error, monitor->start_error);
  connection_send(monitor, connection, FRAME_EXIT, &message,
                  sizeof message.frame + strlen(monitor->start_error) + 1);
}

void announce_exit(struct monitor *monitor) {
  log_finish(&monitor->log);
  if (monitor->start_error[0] != '\0') monitor->exit_code = 128;
  monitor->status = STATUS_EXITED;
  if (!monitor->is_exec) write_exit_file(monitor);
  for (int i = 0; i < MAX_CONNECTIONS; i++) {
    struct connection *connection = &monitor->connections[i];
    if (connection->fd >= 0 && connection->is_subscribed) tell_exit(monitor, connection);
  }
}

/* Who comes from now on finds the exit file; who was on the way is let in, to be answered. */
static void close_listener(struct monitor *monitor) {
  if (monitor->listener < 0) return;
  unlink(monitor->plan->socket_path);
  while (has_place(monitor) && accept_client(monitor)) continue;
  close(monitor->listener);
  monitor->listener = -1;
}

/* One round; how many clients are left. */
static int see_off_once(struct monitor *monitor, int timeout_ms, bool *moved) {
  struct pollfd slots[MAX_CONNECTIONS];
  int left = 0;
  for (int i = 0; i < MAX_CONNECTIONS; i++) {
    const struct connection *connection = &monitor->connections[i];
    bool has_output = connection->out_start < connection->out_end;
    slots[i] = (struct pollfd){connection->fd, (short)(POLLIN | (has_output ? POLLOUT : 0)), 0};
    if (connection->fd >= 0) left++;
  }
  if (left == 0 || poll(slots, MAX_CONNECTIONS, timeout_ms) <= 0) return left;
  for (int i = 0; i < MAX_CONNECTIONS; i++) {
    struct connection *connection = &monitor->connections[i];
    if (connection->fd < 0 || slots[i].revents == 0) continue;
    *moved = true;
    if ((slots[i].revents & POLLOUT) != 0) connection_flush(monitor, connection);
    if (connection->fd < 0 || (slots[i].revents & ~POLLOUT) == 0) continue;
    connection_read(monitor, connection);
  }
  return left;
}

void see_off_clients(struct monitor *monitor) {
  close_listener(monitor);
  /* Input that still comes is read and dropped: nobody is left to take it. */
  if (monitor->input >= 0) close(monitor->input);
  monitor->input = -1;
  monitor->input_start = monitor->input_end = 0;
  /* An exec has one reader, who may be slow; a container's must not keep a monitor for long. */
  uint64_t patience_ms = monitor->is_exec ? 600000 : 30000, until = monotonic_ms() + patience_ms;
  while (monotonic_ms() < until) {
    bool moved = false;
    if (see_off_once(monitor, 1000, &moved) == 0) return;
    if (moved) until = monotonic_ms() + patience_ms;
  }
}
