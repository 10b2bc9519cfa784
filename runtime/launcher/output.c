/* The CRI log: `<RFC3339Nano> <stream> <F|P> <text>`, with rotation by size. The first entry of each
 * file has one tag more, `F:after=N`: how many whole lines were written before it. Who finds files
 * gone can so tell how many lines went with them. */
#include <inttypes.h>
#include <sys/uio.h>

#include "monitor.h"

static int open_log(const char *path) {
  return open_host(AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0640);
}

int log_open(struct log *log, const struct plan *plan) {
  log->path = plan->log_path;
  log->max_bytes = plan->log_bytes;
  log->max_files = plan->log_files;
  log->streams[0].name = "stdout";
  log->streams[1].name = "stderr";
  log->fd = -1;
  if (log->path == NULL) return 0;
  log->fd = open_log(log->path);
  if (log->fd < 0) return fail("log", "open %s", log->path);
  struct stat info;
  if (fstat(log->fd, &info) == 0) log->size = (uint64_t)info.st_size;
  log->lines = 0;
  log->counts_lines = log->size == 0;
  return 0;
}

bool log_rotate(struct log *log) {
  char from[4096], to[4096], fresh[4096];
  if (log->fd < 0) return false;
  /* The new file first: without one, moving the others on would only lose the oldest. */
  snprintf(fresh, sizeof fresh, "%s.new", log->path);
  int fd = open_log(fresh);
  if (fd < 0) return false;
  for (uint32_t i = log->max_files > 1 ? log->max_files - 1 : 1; i > 0; i--) {
    snprintf(to, sizeof to, "%s.%u", log->path, i);
    if (i == 1) snprintf(from, sizeof from, "%s", log->path);
    else snprintf(from, sizeof from, "%s.%u", log->path, i - 1);
    rename(from, to);
  }
  rename(fresh, log->path);
  close(log->fd);
  log->fd = fd;
  log->size = 0;
  return true;
}

/* What stands before an entry's text; its length. */
static size_t format_head(const struct log *log, const struct log_stream *stream, bool is_partial,
                          char *head, size_t room) {
  struct timespec now;
  struct tm date;
  clock_gettime(CLOCK_REALTIME, &now);
  gmtime_r(&now.tv_sec, &date);
  size_t used = strftime(head, room, "%Y-%m-%dT%H:%M:%S", &date);
  used += (size_t)snprintf(head + used, room - used, ".%09ldZ %s %c", now.tv_nsec, stream->name,
                           is_partial ? 'P' : 'F');
  if (log->size == 0 && log->counts_lines)
    used += (size_t)snprintf(head + used, room - used, ":after=%" PRIu64, log->lines);
  head[used++] = ' ';
  return used;
}

/* One entry, whole or not at all. A full disk loses log lines; it must not stop the container. */
static void write_entry(struct log *log, const struct log_stream *stream, bool is_partial,
                        const char *text, size_t length) {
  char head[128];
  size_t used = format_head(log, stream, is_partial, head, sizeof head);
  size_t total = used + length + 1;
  /* A line without end is no way around the limit: its parts may lie in several files. */
  if (log->max_bytes > 0 && log->size > 0 && log->size + total > log->max_bytes) {
    if (!log_rotate(log)) return;
    used = format_head(log, stream, is_partial, head, sizeof head);
    total = used + length + 1;
  }
  struct iovec parts[] = {{head, used}, {(void *)(uintptr_t)text, length}, {"\n", 1}};
  ssize_t written = writev(log->fd, parts, 3);
  if (written == (ssize_t)total) {
    log->size += total;
    if (!is_partial) log->lines++;
  }
  /* Half an entry would swallow the next. */
  else if (written > 0 && ftruncate(log->fd, (off_t)log->size) < 0) log->size += (uint64_t)written;
}

void log_write(struct log *log, int index, const char *bytes, size_t length) {
  struct log_stream *stream = &log->streams[index];
  if (log->fd < 0) return;
  while (length > 0) {
    const char *newline = memchr(bytes, '\n', length);
    size_t piece = newline == NULL ? length : (size_t)(newline - bytes);
    size_t room = PIECE_BYTES - stream->used;
    if (piece > room) piece = room;
    /* Whole lines go out from where they are. */
    if (newline != NULL && stream->used == 0 && bytes + piece == newline) {
      write_entry(log, stream, false, bytes, piece);
      bytes += piece + 1;
      length -= piece + 1;
      continue;
    }
    memcpy(stream->line + stream->used, bytes, piece);
    stream->used += piece;
    bytes += piece;
    length -= piece;
    bool is_whole = newline != NULL && bytes == newline;
    if (is_whole) {
      bytes++;
      length--;
    }
    if (is_whole || stream->used == PIECE_BYTES) {
      write_entry(log, stream, !is_whole, stream->line, stream->used);
      stream->used = 0;
    }
  }
}

void log_finish(struct log *log) {
  for (int i = 0; i < 2; i++) {
    struct log_stream *stream = &log->streams[i];
    if (log->fd >= 0 && stream->used > 0) {
      write_entry(log, stream, true, stream->line, stream->used);
    }
    stream->used = 0;
  }
}
