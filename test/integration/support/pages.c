/* pages COUNT: maps huge pages of 2 MiB one after the other and writes to each. Prints how many it got. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE_BYTES (2ul << 20)
#define OF_2_MIB (21 << MAP_HUGE_SHIFT)

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | OF_2_MIB;
  long got = 0;
  for (; got < atol(argv[1]); got++) {
    void *page = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (page == MAP_FAILED) break;
    memset(page, 1, PAGE_BYTES);
  }
  printf("%ld\n", got);
  return 0;
}
