/* Error reports: the failed step, what it was about, and errno in words. */
#include <ctype.h>
#include <stdarg.h>
#include <sys/socket.h>

#include "frames.h"
#include "launcher.h"

int report_fd = -1;

const char *error_words(int error) {
  static char words[128];
  snprintf(words, sizeof words, "%s", strerror(error));
  words[0] = (char)tolower((unsigned char)words[0]);
  return words;
}

int fail(const char *step, const char *format, ...) {
  int error = errno;
  char frame[1536];
  struct frame_header header = {.type = FRAME_ERROR};
  uint32_t number = (uint32_t)error;
  size_t used = sizeof header;
  memcpy(frame + used, &number, sizeof number);
  used += sizeof number;
  used += (size_t)snprintf(frame + used, 64, "%.63s", step) + 1;

  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(frame + used, 1024, format, arguments);
  va_end(arguments);
  used += (size_t)(length > 1023 ? 1023 : length);
  if (error != 0) used += (size_t)snprintf(frame + used, 160, ": %s", error_words(error));
  used++;

  header.length = (uint32_t)(used - sizeof header);
  memcpy(frame, &header, sizeof header);
  if (report_fd >= 0) send(report_fd, frame, used, MSG_NOSIGNAL);
  errno = error;
  return -1;
}
