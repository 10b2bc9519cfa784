/* Clients of a monitor: frames in, frames out, with bounded buffers and no allocation. */
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>

#include "monitor.h"

struct connection *connection_add(struct monitor *monitor, int fd) {
  for (int i = 0; i < MAX_CONNECTIONS; i++) {
    struct connection *connection = &monitor->connections[i];
    if (connection->fd >= 0) continue;
    set_nonblocking(fd);
    connection->fd = fd;
    connection->is_subscribed = connection->is_attached = connection->closes_input = false;
    connection->header_used = connection->body_used = 0;
    connection->out_start = connection->out_end = 0;
    connection->stalled_since_ms = connection->gone_since_ms = 0;
    return connection;
  }
  close(fd);
  return NULL;
}

bool has_place(const struct monitor *monitor) {
  for (int i = 0; i < MAX_CONNECTIONS; i++) {
    if (monitor->connections[i].fd < 0) return true;
  }
  return false;
}

bool accept_client(struct monitor *monitor) {
  int fd = accept4(monitor->listener, NULL, NULL, SOCK_CLOEXEC);
  struct ucred peer;
  socklen_t size = sizeof peer;
  if (fd < 0) return false;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || peer.uid != 0) close(fd);
  else connection_add(monitor, fd);
  return true;
}

void connection_drop(struct monitor *monitor, struct connection *connection) {
  if (connection->fd < 0) return;
  close(connection->fd);
  connection->fd = -1;
  if (connection->closes_input) monitor->input_closes = true;
  /* Nobody is left to read an exec: end it. */
  if (monitor->is_exec) {
    if (monitor->child_gone) monitor->quits = true;
    else monitor_signal(monitor, SIGKILL);
  }
}

void connection_flush(struct monitor *monitor, struct connection *connection) {
  while (connection->out_start < connection->out_end) {
    ssize_t sent = send(connection->fd, connection->out + connection->out_start,
                        connection->out_end - connection->out_start, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN) return;
    if (sent < 0) {
      /* It reads no more; what it has sent before it went is still to be read. */
      connection->is_subscribed = connection->is_attached = false;
      connection->out_start = connection->out_end = 0;
      if (monitor->is_exec) connection_drop(monitor, connection);
      return;
    }
    connection->out_start += (size_t)sent;
    connection->stalled_since_ms = 0;
  }
  connection->out_start = connection->out_end = 0;
}

static bool fits(const struct connection *connection, size_t length, size_t room) {
  size_t waiting = connection->out_end - connection->out_start;
  return waiting + sizeof(struct frame_header) + length <= room;
}

bool connection_fits(const struct connection *connection, size_t length) {
  return fits(connection, length, OUTPUT_BYTES);
}

static void queue(struct connection *connection, const void *bytes, size_t length) {
  if (connection->out_end + length > OUT_BYTES) {
    size_t waiting = connection->out_end - connection->out_start;
    memmove(connection->out, connection->out + connection->out_start, waiting);
    connection->out_start = 0;
    connection->out_end = waiting;
  }
  memcpy(connection->out + connection->out_end, bytes, length);
  connection->out_end += length;
}

/* Most often a frame goes straight out, and the buffer is never touched. An error shows again later. */
static size_t send_now(int fd, const struct frame_header *header, const void *payload, size_t length) {
  struct iovec parts[] = {{(void *)(uintptr_t)header, sizeof *header},
                          {(void *)(uintptr_t)payload, length}};
  struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
  ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL);
  return sent < 0 ? 0 : (size_t)sent;
}

void connection_send(struct monitor *monitor, struct connection *connection, uint32_t type,
                     const void *payload, size_t length) {
  struct frame_header header = {type, (uint32_t)length};
  if (connection->fd < 0) return;
  if (!fits(connection, length, OUT_BYTES)) {
    connection_drop(monitor, connection);
    return;
  }
  size_t sent = connection->out_end == 0 ? send_now(connection->fd, &header, payload, length) : 0;
  if (sent == sizeof header + length) return;
  if (sent < sizeof header) queue(connection, (char *)&header + sent, sizeof header - sent);
  size_t skipped = sent < sizeof header ? 0 : sent - sizeof header;
  if (length > skipped) queue(connection, (const char *)payload + skipped, length - skipped);
  connection_flush(monitor, connection);
}

void broadcast(struct monitor *monitor, uint32_t type, const void *payload, size_t length) {
  bool is_output = type == FRAME_STDOUT || type == FRAME_STDERR;
  for (int i = 0; i < MAX_CONNECTIONS; i++) {
    struct connection *connection = &monitor->connections[i];
    if (connection->fd < 0) continue;
    if (is_output ? !connection->is_attached : !connection->is_subscribed) continue;
    connection_send(monitor, connection, type, payload, length);
  }
}

void send_state(struct monitor *monitor, struct connection *connection) {
  bool has_other = !monitor->is_exec && monitor->program > 0;
  pid_t pid = has_other ? monitor->program : monitor->child;
  struct state_frame state = {monitor->status, (uint32_t)pid, monitor->started_at_ms};
  connection_send(monitor, connection, FRAME_STATE, &state, sizeof state);
}

static uint32_t body_number(const struct connection *connection, size_t index) {
  uint32_t number = 0;
  if ((index + 1) * sizeof number <= connection->body_used) {
    memcpy(&number, connection->body + index * sizeof number, sizeof number);
  }
  return number;
}

static void resize(struct monitor *monitor, uint32_t columns, uint32_t rows) {
  struct winsize size = {.ws_col = (uint16_t)columns, .ws_row = (uint16_t)rows};
  if (monitor->plan->tty && monitor->output[0] >= 0) ioctl(monitor->output[0], TIOCSWINSZ, &size);
}

/* Lets the child pass its last step; once. */
static void start(struct monitor *monitor) {
  if (monitor->status != STATUS_CREATED || !monitor->is_ready || monitor->child_gone) return;
  if (monitor->start_sent) return;
  monitor->start_sent = send(monitor->socket, "s", 1, MSG_NOSIGNAL) == 1;
}

/* To one who asks; also of what has ended before it was asked for. */
static void tell_state(struct monitor *monitor, struct connection *connection) {
  send_state(monitor, connection);
  if (monitor->status == STATUS_EXITED) tell_exit(monitor, connection);
}

/* A client of the main process that finds no place is told why, and stays until it has read that. */
static void attach(struct monitor *monitor, struct connection *connection) {
  int attached = 0;
  for (int i = 0; i < MAX_CONNECTIONS; i++) {
    const struct connection *other = &monitor->connections[i];
    if (other != connection && other->fd >= 0 && other->is_attached) attached++;
  }
  if (attached >= MAX_ATTACHED) {
    char refusal[256] = {0};
    size_t used = sizeof(uint32_t);
    used += (size_t)snprintf(refusal + used, 16, "attach") + 1;
    used += (size_t)snprintf(refusal + used, 128, "%d clients are attached already, which is the most",
                             attached) + 1;
    connection_send(monitor, connection, FRAME_ERROR, refusal, used);
    return;
  }
  connection->is_attached = connection->is_subscribed = true;
  connection->closes_input = body_number(connection, 0) == 1;
  tell_state(monitor, connection);
}

static void obey(struct monitor *monitor, struct connection *connection) {
  switch (connection->header.type) {
    case FRAME_START: start(monitor); break;
    case FRAME_KILL: monitor_signal(monitor, (int)body_number(connection, 0)); break;
    case FRAME_RESIZE:
      resize(monitor, body_number(connection, 0), body_number(connection, 1));
      break;
    case FRAME_CLOSE_STDIN: monitor->input_closes = true; break;
    case FRAME_ROTATE_LOG: log_rotate(&monitor->log); break;
    case FRAME_ATTACH: attach(monitor, connection); break;
    case FRAME_SUBSCRIBE:
      connection->is_subscribed = true;
      tell_state(monitor, connection);
      break;
    default: connection_drop(monitor, connection);
  }
}

/* Bytes for stdin go straight into the one input buffer, which must be empty. False: wait. */
static bool take_input(struct monitor *monitor, struct connection *connection) {
  if (monitor->input_start < monitor->input_end) return false;
  size_t want = connection->header.length;
  if (want > PIECE_BYTES) want = PIECE_BYTES;
  ssize_t got = read(connection->fd, monitor->input_bytes, want);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (got <= 0) {
    connection_drop(monitor, connection);
    return false;
  }
  connection->header.length -= (uint32_t)got;
  monitor->input_start = 0;
  monitor->input_end = monitor->input < 0 || monitor->input_closes ? 0 : (size_t)got;
  return true;
}

/* Reads up to `want` bytes into `buffer`; false when the rest has not come yet. */
static bool take_bytes(struct monitor *monitor, struct connection *connection, void *buffer,
                       size_t *used, size_t want) {
  while (*used < want) {
    ssize_t got = read(connection->fd, (char *)buffer + *used, want - *used);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return false;
    if (got <= 0) {
      connection_drop(monitor, connection);
      return false;
    }
    *used += (size_t)got;
  }
  return true;
}

/* Hands the connection to a fork that runs the further process. */
static void fork_exec(struct monitor *monitor, struct connection *connection) {
  uint32_t plan_bytes = connection->header.length;
  int client = connection->fd;
  if (fork_with(0) == 0) {
    connection->fd = -1;
    run_exec(monitor, client, plan_bytes);
  }
  connection_drop(monitor, connection);
}

void connection_read(struct monitor *monitor, struct connection *connection) {
  for (int i = 0; i < 64 && connection->fd >= 0; i++) {
    if (!take_bytes(monitor, connection, &connection->header, &connection->header_used,
                    sizeof connection->header)) {
      return;
    }
    struct frame_header *header = &connection->header;
    if (header->type == FRAME_STDIN && header->length <= MAX_STDIN_FRAME_BYTES) {
      if (header->length > 0 && !take_input(monitor, connection)) return;
      if (header->length > 0) continue;
    } else if (header->type == FRAME_EXEC && !monitor->is_exec) {
      fork_exec(monitor, connection);
      return;
    } else if (header->length > sizeof connection->body) {
      connection_drop(monitor, connection);
      return;
    } else {
      if (!take_bytes(monitor, connection, connection->body, &connection->body_used,
                      header->length)) {
        return;
      }
      obey(monitor, connection);
    }
    connection->header_used = connection->body_used = 0;
  }
}
