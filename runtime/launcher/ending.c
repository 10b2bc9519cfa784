/* The end of a watched process: written down, then told. */
#include <poll.h>

#include "monitor.h"

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

/* Durable and whole before anyone is told. */
static void write_exit_file(const struct monitor *monitor) {
  char text[3072], error[2600];
  json_string(error, sizeof error, monitor->start_error);
  int length = snprintf(
      text, sizeof text,
      "{\"exitCode\":%u,\"signalNumber\":%u,\"oomKilled\":%s,\"startedAtMs\":%llu,"
      "\"finishedAtMs\":%llu,\"startError\":\"%s\"}\n",
      monitor->exit_code, monitor->signal_number, monitor->oom_killed ? "true" : "false",
      (unsigned long long)monitor->started_at_ms, (unsigned long long)monitor->finished_at_ms,
      error);
  cleanup_close int dir = open_host(AT_FDCWD, monitor->plan->dir, O_PATH | O_DIRECTORY, 0);
  cleanup_close int fd = open_host(dir, "exit.new", O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (fd < 0 || !write_all(fd, text, (size_t)length)) return;
  fsync(fd);
  renameat(dir, "exit.new", dir, "exit");
}

void announce_exit(struct monitor *monitor) {
  struct {
    struct exit_frame frame;
    char error[sizeof monitor->start_error];
  } message;
  log_finish(&monitor->log);
  if (monitor->start_error[0] != '\0') monitor->exit_code = 128;
  monitor->status = STATUS_EXITED;
  if (!monitor->is_exec) write_exit_file(monitor);
  message.frame = (struct exit_frame){
      .exit_code = monitor->exit_code,
      .signal_number = monitor->signal_number,
      .oom_killed = monitor->oom_killed,
      .timed_out = monitor->timed_out,
      .started_at_ms = monitor->started_at_ms,
      .finished_at_ms = monitor->finished_at_ms,
  };
  strcpy(message.error, monitor->start_error);
  broadcast(monitor, FRAME_EXIT, &message,
            sizeof message.frame + strlen(monitor->start_error) + 1);
}

void flush_clients(struct monitor *monitor) {
  uint64_t until = monotonic_ms() + 5000;
  for (int i = 0; i < MAX_CONNECTIONS; i++) {
    struct connection *connection = &monitor->connections[i];
    while (connection->fd >= 0 && connection->out_start < connection->out_end) {
      struct pollfd writable = {connection->fd, POLLOUT, 0};
      if (monotonic_ms() > until || poll(&writable, 1, 1000) <= 0) break;
      connection_flush(monitor, connection);
    }
  }
}
