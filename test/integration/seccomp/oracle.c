/* Reads rules from stdin, writes the BPF that libseccomp makes of them to stdout. Names it does not
 * know go to stderr. Lines: "arch NAME", "default ACTION", "rule ACTION NAME [INDEX OP A B]..." */
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static scmp_filter_ctx filter;

static void check(int result, const char *what) {
  if (result >= 0) return;
  fprintf(stderr, "error %s: %s\n", what, strerror(-result));
  exit(1);
}

static void add_rule(char *rest) {
  char *action = strtok(rest, " "), *name = strtok(NULL, " "), *word;
  struct scmp_arg_cmp tests[6];
  unsigned count = 0;
  while (count < 6 && (word = strtok(NULL, " "))) {
    tests[count].arg = (unsigned)atoi(word);
    tests[count].op = (enum scmp_compare)atoi(strtok(NULL, " "));
    tests[count].datum_a = strtoull(strtok(NULL, " "), NULL, 10);
    tests[count++].datum_b = strtoull(strtok(NULL, " "), NULL, 10);
  }
  int number = seccomp_syscall_resolve_name(name);
  if (number == __NR_SCMP_ERROR)
    fprintf(stderr, "unknown %s\n", name);
  else
    check(seccomp_rule_add_array(filter, (uint32_t)strtoul(action, NULL, 10), number, count, tests), name);
}

int main(void) {
  char line[512];
  while (fgets(line, sizeof line, stdin)) {
    line[strcspn(line, "\n")] = 0;
    if (!strncmp(line, "default ", 8))
      filter = seccomp_init((uint32_t)strtoul(line + 8, NULL, 10));
    else if (!strncmp(line, "arch ", 5))
      check(seccomp_arch_add(filter, seccomp_arch_resolve_name(line + 5)), line);
    else if (!strncmp(line, "rule ", 5))
      add_rule(line + 5);
  }
  check(seccomp_export_bpf(filter, 1), "export");
  return 0;
}
