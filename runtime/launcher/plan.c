/* Reads a launch plan. Every length is checked: the plan comes over a socket. */
#include "plan.h"

struct value {
  char *at;
  size_t left;
};

static uint32_t take_u32(struct value *value) {
  uint32_t number = 0;
  if (value->left < sizeof number) {
    value->at = NULL;
    value->left = 0;
    return 0;
  }
  memcpy(&number, value->at, sizeof number);
  value->at += sizeof number;
  value->left -= sizeof number;
  return number;
}

static uint64_t take_u64(struct value *value) {
  uint64_t low = take_u32(value);
  return low | (uint64_t)take_u32(value) << 32;
}

static char *take_string(struct value *value) {
  size_t length = value->left == 0 ? 0 : strnlen(value->at, value->left);
  if (value->left == 0 || length == value->left) {
    value->at = NULL;
    value->left = 0;
    return NULL;
  }
  char *text = value->at;
  value->at += length + 1;
  value->left -= length + 1;
  return text;
}

static int malformed(unsigned tag) {
  errno = 0;
  return fail("plan", "entry with tag %u is malformed or one too many", tag);
}

static bool is_step(uint16_t tag) {
  return (tag >= TAG_MOUNT && tag <= TAG_READONLY) || tag == TAG_TERMINAL ||
         tag == TAG_PLACED_DEVICE;
}

static int add_step(struct plan *plan, uint16_t tag, struct value *value) {
  static const struct {
    uint8_t numbers, strings;
  } shape[] = {
      [TAG_MOUNT] = {2, 4},  [TAG_BIND] = {2, 3}, [TAG_SYMLINK] = {0, 2},
      [TAG_DEVICE] = {5, 1}, [TAG_PLACED_DEVICE] = {5, 1},
      [TAG_MASK] = {0, 1}, [TAG_READONLY] = {0, 1}, [TAG_TERMINAL] = {1, 0},
  };
  struct plan_step *step = &plan->steps[plan->step_count++];
  step->tag = tag;
  step->tree_fd = -1;
  for (int i = 0; i < shape[tag].numbers; i++) step->numbers[i] = take_u32(value);
  for (int i = 0; i < shape[tag].strings; i++) {
    if ((step->strings[i] = take_string(value)) == NULL) return malformed(tag);
  }
  return 0;
}

static int add_string(const char **list, size_t *count, size_t max, uint16_t tag,
                      struct value *value) {
  char *text = take_string(value);
  if (text == NULL || *count == max) return malformed(tag);
  list[(*count)++] = text;
  return 0;
}

static int add_path(struct plan_path *list, size_t *count, uint16_t tag, struct value *value) {
  if (*count == MAX_NAMESPACES) return malformed(tag);
  struct plan_path *entry = &list[(*count)++];
  entry->flag = take_u32(value);
  entry->path = take_string(value);
  return entry->path == NULL ? malformed(tag) : 0;
}

static int set_string(const char **field, uint16_t tag, struct value *value) {
  *field = take_string(value);
  return *field == NULL ? malformed(tag) : 0;
}

static int set_user(struct plan *plan, struct value *value) {
  plan->uid = take_u32(value);
  plan->gid = take_u32(value);
  plan->gids = value->at;
  plan->gid_count = value->left / sizeof(gid_t);
  return plan->gid_count > MAX_GIDS ? malformed(TAG_USER) : 0;
}

static int add_sysctl(struct plan *plan, struct value *value) {
  if (plan->sysctl_count == MAX_PAIRS) return malformed(TAG_SYSCTL);
  struct plan_pair *pair = &plan->sysctls[plan->sysctl_count++];
  pair->key = take_string(value);
  pair->value = take_string(value);
  return pair->value == NULL ? malformed(TAG_SYSCTL) : 0;
}

static int add_word(char **list, size_t *count, uint16_t tag, struct value *value) {
  char *text = take_string(value);
  if (text == NULL) return malformed(tag);
  list[(*count)++] = text;
  return 0;
}

static int set_number(struct plan *plan, uint16_t tag, struct value *value) {
  switch (tag) {
    case TAG_OOM_GROUP: plan->oom_group = true; break;
    case TAG_UNSHARE: plan->unshare_flags = take_u32(value); break;
    case TAG_ROOT_READONLY: plan->root_readonly = true; break;
    case TAG_ROOT_NODEV: plan->root_nodev = true; break;
    case TAG_CAPABILITIES: plan->capabilities = take_u64(value); break;
    case TAG_NO_NEW_PRIVS:
      plan->no_new_privs = true;
      plan->filter_early = value->left > 0 && take_u32(value) != 0;
      break;
    case TAG_TTY: plan->tty = true; break;
    case TAG_STDIN: plan->has_stdin = true; break;
    case TAG_KILL_LEFTOVERS: plan->kill_leftovers = true; break;
    case TAG_TIMEOUT_MS: plan->timeout_ms = take_u64(value); break;
    case TAG_OOM_SCORE_ADJ:
      plan->oom_score_adj = (int32_t)take_u32(value);
      plan->has_oom_score_adj = true;
      break;
    case TAG_TERMINAL_SIZE:
      plan->columns = take_u32(value);
      plan->rows = take_u32(value);
      break;
    default: return malformed(tag);
  }
  return 0;
}

static int parse_entry(struct plan *plan, uint16_t tag, struct value *value) {
  switch (tag) {
    case TAG_DIR: return set_string(&plan->dir, tag, value);
    case TAG_CGROUP_DIR: return set_string(&plan->cgroup_dir, tag, value);
    case TAG_OOM_DIR: return set_string(&plan->oom_dir, tag, value);
    case TAG_SOCKET: return set_string(&plan->socket_path, tag, value);
    case TAG_PID_FILE: return set_string(&plan->pid_file, tag, value);
    case TAG_CONSOLE: return set_string(&plan->console_path, tag, value);
    case TAG_STAGE: return set_string(&plan->stage, tag, value);
    case TAG_TOOL_LOG: return set_string(&plan->tool_log, tag, value);
    case TAG_UPPER: return set_string(&plan->upper, tag, value);
    case TAG_WORK: return set_string(&plan->work, tag, value);
    case TAG_ROOTFS: return set_string(&plan->rootfs, tag, value);
    case TAG_CWD: return set_string(&plan->cwd, tag, value);
    case TAG_HOSTNAME: return set_string(&plan->hostname, tag, value);
    case TAG_LOG:
      plan->log_bytes = take_u64(value);
      plan->log_files = take_u32(value);
      return set_string(&plan->log_path, tag, value);
    case TAG_SHM:
      plan->shm_bytes = take_u64(value);
      return set_string(&plan->shm_path, tag, value);
    case TAG_PID_OF:
      plan->pid_of = (pid_t)take_u32(value);
      return set_string(&plan->pid_cgroup, tag, value);
    case TAG_CGROUP_JOIN:
      return add_string(plan->cgroup_joins, &plan->cgroup_count, MAX_CGROUPS, tag, value);
    case TAG_LOWER: return add_string(plan->lowers, &plan->lower_count, MAX_LOWERS, tag, value);
    case TAG_PATH: return add_string(plan->paths, &plan->path_count, MAX_PATHS, tag, value);
    case TAG_NAMESPACE: return add_path(plan->namespaces, &plan->namespace_count, tag, value);
    case TAG_PIN: return add_path(plan->pins, &plan->pin_count, tag, value);
    case TAG_ARG: return add_word(plan->args, &plan->arg_count, tag, value);
    case TAG_START_ARG: return add_word(plan->start_args, &plan->start_arg_count, tag, value);
    case TAG_ENV: return add_word(plan->env, &plan->env_count, tag, value);
    case TAG_USER: return set_user(plan, value);
    case TAG_SYSCTL: return add_sysctl(plan, value);
    case TAG_SECCOMP:
      plan->seccomp = value->at;
      plan->seccomp_bytes = value->left;
      return 0;
    default: return is_step(tag) ? add_step(plan, tag, value) : set_number(plan, tag, value);
  }
}

/* Cuts the next entry off the front of the plan. */
static bool next_entry(struct value *plan, uint16_t *tag, struct value *value) {
  uint32_t size;
  if (plan->left < 8) return false;
  memcpy(tag, plan->at, sizeof *tag);
  memcpy(&size, plan->at + 4, sizeof size);
  if (size > plan->left - 8) return false;
  *value = (struct value){plan->at + 8, size};
  plan->at += 8 + size;
  plan->left -= 8 + size;
  return true;
}

/* Takes as much memory as this plan needs. */
static struct plan *make_room(struct value bytes) {
  size_t args = 0, start_args = 0, env = 0, steps = 0;
  uint16_t tag;
  for (struct value value; next_entry(&bytes, &tag, &value);) {
    args += tag == TAG_ARG;
    start_args += tag == TAG_START_ARG;
    env += tag == TAG_ENV;
    steps += is_step(tag);
  }
  struct plan *plan = take_memory(sizeof *plan);
  if (plan == NULL || args > MAX_WORDS || start_args > MAX_WORDS ||
      env > MAX_WORDS || steps > MAX_STEPS) {
    return NULL;
  }
  /* One more for the NULL at the end, and in `env` for HOME. */
  plan->args = take_memory((args + 1) * sizeof *plan->args);
  plan->start_args = start_args == 0 ? NULL : take_memory((start_args + 1) * sizeof *plan->args);
  plan->env = take_memory((env + 2) * sizeof *plan->env);
  plan->steps = take_memory(steps * sizeof *plan->steps);
  return plan->args == NULL || plan->env == NULL || plan->steps == NULL ? NULL : plan;
}

static int parse_entries(struct plan *plan, struct value rest) {
  uint16_t tag = 0;
  struct value value;
  while (rest.left > 0) {
    if (!next_entry(&rest, &tag, &value)) return malformed(tag);
    if (parse_entry(plan, tag, &value) < 0) return -1;
    if (value.at == NULL) return malformed(tag);
  }
  return 0;
}

struct plan *plan_parse(char *bytes, size_t length) {
  struct value entries = {bytes, length};
  struct plan *plan = make_room(entries);
  errno = 0;
  if (plan == NULL) fail("plan", "it is too large");
  else if (parse_entries(plan, entries) == 0) return plan;
  return NULL;
}
