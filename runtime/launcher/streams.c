/* Standard input, output and error of the watched process: pipes or a terminal, pumped by the loop. */
#include "monitor.h"
#include "process.h"

int monitor_pipes(struct monitor *monitor, struct stdio *stdio) {
  for (int i = 0; i < 3; i++) stdio->fds[i] = -1;
  if (monitor->plan->tty) return 0;
  for (int i = 0; i < 3; i++) {
    int ends[2];
    /* Then the process reads its container's own null device. */
    if (i == 0 && !monitor->plan->has_stdin) continue;
    if (pipe2(ends, O_CLOEXEC) < 0) return fail("stdio", "make pipes");
    stdio->fds[i] = ends[i == 0 ? 0 : 1];
    int ours = ends[i == 0 ? 1 : 0];
    set_nonblocking(ours);
    if (i == 0) monitor->input = ours;
    else monitor->output[i - 1] = ours;
  }
  return 0;
}

static void close_input(struct monitor *monitor) {
  if (monitor->input >= 0) close(monitor->input);
  monitor->input = -1;
  monitor->input_start = monitor->input_end = 0;
}

void write_input(struct monitor *monitor) {
  while (monitor->input_start < monitor->input_end) {
    ssize_t put = write(monitor->input, monitor->input_bytes + monitor->input_start,
                        monitor->input_end - monitor->input_start);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0 && errno == EAGAIN) return;
    if (put < 0) {
      close_input(monitor);
      return;
    }
    monitor->input_start += (size_t)put;
  }
  if (!monitor->input_closes || monitor->input < 0) return;
  /* A terminal stays open: its end of input is a character. */
  if (monitor->plan->tty) write(monitor->input, "\4", 1);
  close_input(monitor);
}

void read_output(struct monitor *monitor, int index) {
  static char piece[PIECE_BYTES];
  ssize_t got = read(monitor->output[index], piece, sizeof piece);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) { /* EIO: no process holds the terminal any more */
    if (!monitor->plan->tty || monitor->child_gone) {
      close(monitor->output[index]);
      monitor->output[index] = -1;
    }
    return;
  }
  log_write(&monitor->log, index, piece, (size_t)got);
  broadcast(monitor, index == 0 ? FRAME_STDOUT : FRAME_STDERR, piece, (size_t)got);
}

/* A reader that does not take it holds an exec back; from a container's output it is cut off after a
 * while, since a stuck client must not stop the container. */
bool takes_output(struct monitor *monitor) {
  bool takes = true;
  for (int i = 0; i < MAX_CONNECTIONS; i++) {
    struct connection *connection = &monitor->connections[i];
    if (connection->fd < 0 || !connection->is_attached) continue;
    if (connection_fits(connection, PIECE_BYTES)) continue;
    uint64_t now = monotonic_ms();
    if (connection->stalled_since_ms == 0) connection->stalled_since_ms = now;
    if (!monitor->is_exec && now - connection->stalled_since_ms > 5000) {
      connection_drop(monitor, connection);
    } else {
      takes = false;
    }
  }
  return takes;
}

bool is_drained(const struct monitor *monitor, bool had_output) {
  if (monitor->output[0] < 0 && monitor->output[1] < 0) return true;
  if (had_output || !monitor->polls_output) return false;
  uint64_t waited = monotonic_ms() - monitor->gone_at_ms;
  /* A background child may hold a pipe for ever; what the main process wrote is all in there. A
   * terminal hands its last bytes over a moment later. */
  if (monitor->is_exec) return !monitor->plan->tty || waited > 200;
  return waited > 1000;
}
