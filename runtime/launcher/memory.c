/* All memory there is: one array, handed out in order and never taken back. What nobody touches costs
 * nothing. What is touched lies together, so that forks, execve and exit copy and tear down few page
 * tables; with libc's heap and maps that was a quarter of a container's cost. */
#include "launcher.h"

enum { ARENA_BYTES = 16 << 20, ALIGNMENT = 16 };

/* Behind all other variables, so that these and what is taken first share their page tables. */
static _Alignas(ALIGNMENT) char arena[ARENA_BYTES]
    __attribute__((section(".arena,\"aw\",@nobits#")));
static size_t used;

#ifdef __SANITIZE_ADDRESS__
/* The launcher has no environment. Nothing here is ever given back, and nothing may trace it. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) { return "detect_leaks=0"; }
#endif

void *take_memory(size_t bytes) {
  size_t start = (used + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
  if (bytes > ARENA_BYTES - start) {
    errno = ENOMEM;
    return NULL;
  }
  used = start + bytes;
  return arena + start;
}
