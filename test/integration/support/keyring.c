/* keyring add|find NAME: puts a key into the session keyring, or looks for it there. Prints the number of
 * the keyring first, then `found` or the error. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SESSION (-3)   /* KEY_SPEC_SESSION_KEYRING */
#define GET_ID 0       /* KEYCTL_GET_KEYRING_ID */
#define SEARCH 10      /* KEYCTL_SEARCH */

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  printf("%ld\n", syscall(SYS_keyctl, GET_ID, SESSION, 1));
  long key = strcmp(argv[1], "add") == 0
                 ? syscall(SYS_add_key, "user", argv[2], "x", 1ul, SESSION)
                 : syscall(SYS_keyctl, SEARCH, SESSION, "user", argv[2], 0);
  puts(key >= 0 ? "found" : strerror(errno));
  return 0;
}
