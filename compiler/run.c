/* `tfec run`: the parties of a program as processes on this machine.
 *
 * The parent makes keys (each party's own `keygen`), opens the listening sockets on loopback so that every
 * address is known before anyone starts, writes hosts.toml, starts the parties with their sockets inherited,
 * and merges what they print. A party that fails ends the others by itself (its peers notice); whoever is
 * still there some seconds later is stopped. A party marks what all parties print: record separator, text
 * (maybe of several lines), unit separator (TFE_MARK_LINES).
 */
#include "run.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MARK = 0x1e, LINE_END = 0x1f, KILL_SECONDS = 3 };

/* How long others may take to end by themselves after the first failure: long if it may be theirs to tell
 * why, short if the cause is known. */
static const double grace_unknown = 2, grace_known = 0.3;

/* What gathers from one pipe until a line is whole. */
typedef struct Stream {
  int fd; /* -1: closed */
  char *text;
  size_t length, capacity;
} Stream;

typedef struct Party {
  const char *name; /* "clinic.2" */
  const PartyDecl *decl;
  int member;
  int listen_fd;
  int port;
  pid_t pid;   /* 0: not running */
  bool killed; /* by us: it did not stop when it was asked to */
  int exit_code;
  Stream out, err;
  VEC(const char *) complaints;
} Party;

typedef struct Run {
  Arena *arena;
  const Program *program;
  const RunOptions *options;
  const char *directory;
  Party *parties;
  int count;
  int bar; /* party whose progress is shown, or -1 */
  bool bar_shown;
  int first_failure; /* party, or -1 */
} Run;

static volatile sig_atomic_t stop_signal;

static void on_stop(int signal_number) {
  stop_signal = signal_number;
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- the directory --------------------------------------------------------------------------------- */

const char *run_directory(Arena *a, const char **error) {
  struct sigaction action = {.sa_handler = on_stop, .sa_flags = SA_RESTART};
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGHUP, &action, NULL);
  sigaction(SIGPIPE, &action, NULL); /* nobody reads what is printed any more */
  if (stop_signal) {
    *error = "stopped";
    return NULL;
  }
  const char *base = getenv("TMPDIR");
  char *path = arena_printf(a, "%s/tfec-XXXXXX", base && *base ? base : "/tmp");
  if (mkdtemp(path))
    return path;
  *error = arena_printf(a, "cannot make a directory %s: %s", path, strerror(errno));
  return NULL;
}

void run_remove_directory(const char *directory) {
  DIR *d = opendir(directory);
  if (!d)
    return;
  for (struct dirent *e = readdir(d); e; e = readdir(d))
    if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
      unlinkat(dirfd(d), e->d_name, 0);
  closedir(d);
  rmdir(directory);
}

/* ---- keys, sockets, hosts.toml --------------------------------------------------------------------- */

static const char *executable(const Run *r, const Party *p) {
  return arena_printf(r->arena, "%s/party-%s", r->directory, p->decl->name);
}

/* A path of our command line, for a process in another directory. */
static const char *absolute_target(const Run *r, const char *what) {
  char here[PATH_MAX];
  if (strcmp(what, "-") == 0 || *what == '/' || !getcwd(here, sizeof here))
    return what;
  return arena_printf(r->arena, "%s/%s", here, what);
}

static const char *key_file(const Run *r, const Party *p) {
  const char *folder = r->options->state_dir ? absolute_target(r, r->options->state_dir) : r->directory;
  return arena_printf(r->arena, "%s/%s.key", folder, p->name);
}

static bool complain(const char *what) {
  fprintf(stderr, "tfec: error: %s: %s\n", what, strerror(errno));
  return false;
}

/* Runs `party-NAME keygen` and finds the public key in what it prints. */
static const char *new_key(Run *r, Party *p) {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0)
    return NULL;
  pid_t pid = fork();
  if (pid == 0) {
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    dup2(fds[1], STDOUT_FILENO);
    dup2(nowhere, STDERR_FILENO);
    execl(executable(r, p), executable(r, p), "keygen", "-o", key_file(r, p), (char *)NULL);
    _exit(127);
  }
  close(fds[1]);
  char text[4096];
  size_t length = 0;
  for (ssize_t n; pid > 0 && (n = read(fds[0], text + length, sizeof text - 1 - length)) > 0;)
    length += (size_t)n;
  close(fds[0]);
  text[length] = 0;
  int status = 0;
  if (pid < 0 || waitpid(pid, &status, 0) < 0 || status != 0)
    return NULL;
  char *key = strstr(text, "tfe1:");
  if (!key)
    return NULL;
  return arena_intern(r->arena, key, strcspn(key, "\"' \t\r\n"));
}

/* With --state a party keeps its key from run to run, and its line for hosts.toml beside it. */
static const char *make_key(Run *r, Party *p) {
  char text[128] = "";
  const char *line = arena_printf(r->arena, "%s.line", key_file(r, p));
  if (!r->options->state_dir)
    return new_key(r, p);
  FILE *f = access(key_file(r, p), F_OK) == 0 ? fopen(line, "re") : NULL;
  bool known = f && fscanf(f, "%127s", text) == 1;
  if (f)
    fclose(f);
  if (known)
    return arena_intern_z(r->arena, text);
  unlink(key_file(r, p));
  const char *key = new_key(r, p);
  f = key ? fopen(line, "we") : NULL;
  bool written = f && fprintf(f, "%s\n", key) > 0;
  return f && fclose(f) == 0 && written ? key : NULL;
}

static bool open_listener(Party *p) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  p->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (p->listen_fd < 0 || bind(p->listen_fd, (struct sockaddr *)&address, size) != 0 ||
      listen(p->listen_fd, 64) != 0 || getsockname(p->listen_fd, (struct sockaddr *)&address, &size) != 0)
    return complain("cannot listen on loopback");
  p->port = ntohs(address.sin_port);
  return true;
}

static bool write_hosts(Run *r) {
  FILE *f = fopen(arena_printf(r->arena, "%s/hosts.toml", r->directory), "w");
  if (!f)
    return complain("cannot write hosts.toml");
  for (int i = 0; i < r->count; i++) {
    Party *p = &r->parties[i];
    const char *key = make_key(r, p);
    if (!key) {
      fclose(f);
      fprintf(stderr, "tfec: error: %s keygen failed\n", executable(r, p));
      return false;
    }
    fprintf(f, "[%s]\naddress = \"127.0.0.1:%d\"\nkey = \"%s\"\n\n", p->name, p->port, key);
  }
  return fclose(f) == 0 || complain("cannot write hosts.toml");
}

/* ---- starting -------------------------------------------------------------------------------------- */

typedef VEC(const char *) Words;

static void word(Run *r, Words *w, const char *text) {
  VEC_PUSH(r->arena, w, text);
}

/* An option of ours that the parties have too. */
static void pass_option(Run *r, Words *w, const char *name, const char *value) {
  if (!value)
    return;
  word(r, w, name);
  word(r, w, value);
}

/* A file named on our command line is meant from our directory, not from the party's. */
static const char *absolute(Run *r, const char *what) {
  char path[PATH_MAX];
  return strcmp(what, "-") != 0 && realpath(what, path) ? arena_intern_z(r->arena, path) : what;
}

/* Splits "PARTY:NAME=WHAT" and "NAME=WHAT"; *party NULL without one. */
static bool split_binding(Run *r, const char *text, const char **party, const char **name,
                          const char **what) {
  const char *equals = strchr(text, '=');
  if (!equals || equals == text)
    return false;
  const char *colon = memchr(text, ':', (size_t)(equals - text));
  *party = colon ? arena_intern(r->arena, text, (size_t)(colon - text)) : NULL;
  const char *start = colon ? colon + 1 : text;
  *name = arena_intern(r->arena, start, (size_t)(equals - start));
  *what = equals + 1;
  return true;
}

static bool owns_slot(const Run *r, int party, const char *name, bool is_output) {
  for (int i = 0; i < r->program->slots.count; i++) {
    const Slot *s = &r->program->slots.data[i];
    if (s->is_output == is_output && strcmp(ir_slot_name(r->arena, s), name) == 0 &&
        party_has(s->owner, party))
      return true;
  }
  return false;
}

static bool bindings_known(Run *r, const char *const *list, int count, bool is_output) {
  const char *option = is_output ? "--output" : "--input";
  for (int i = 0; i < count; i++) {
    const char *party, *name, *what;
    if (!split_binding(r, list[i], &party, &name, &what)) {
      fprintf(stderr, "tfec: error: %s %s: write %s NAME=FILE or %s PARTY:NAME=FILE\n", option, list[i],
              option, option);
      return false;
    }
    bool found = false;
    for (int k = 0; k < r->count; k++)
      found =
          found || (owns_slot(r, k, name, is_output) && (!party || strcmp(party, r->parties[k].name) == 0));
    if (!found) {
      fprintf(stderr, "tfec: error: no party%s%s has an %s `%s`\n", party ? " " : "", party ? party : "",
              is_output ? "output" : "input", name);
      fprintf(stderr, "  = help: `tfec parties` lists them\n");
      return false;
    }
  }
  return true;
}

static void add_bindings(Run *r, int k, Words *w, const char *const *list, int count, bool is_output) {
  for (int i = 0; i < count; i++) {
    const char *party, *name, *what;
    split_binding(r, list[i], &party, &name, &what);
    if (!owns_slot(r, k, name, is_output) || (party && strcmp(party, r->parties[k].name) != 0))
      continue;
    word(r, w, is_output ? "--output" : "--input");
    word(r, w,
         arena_printf(r->arena, "%s=%s", name, is_output ? absolute_target(r, what) : absolute(r, what)));
  }
}

static Words command_line(Run *r, int k) {
  const RunOptions *o = r->options;
  Party *p = &r->parties[k];
  Words w = {0};
  word(r, &w, executable(r, p));
  if (p->decl->family) {
    word(r, &w, "--index");
    word(r, &w, arena_printf(r->arena, "%d", p->member));
  }
  word(r, &w, "--hosts");
  word(r, &w, arena_printf(r->arena, "%s/hosts.toml", r->directory));
  word(r, &w, "--key");
  word(r, &w, key_file(r, p));
  word(r, &w, "--listen-fd");
  word(r, &w, arena_printf(r->arena, "%d", p->listen_fd));
  word(r, &w, "--progress");
  word(r, &w, k != r->bar ? "none" : o->progress ? o->progress : "bar");
  if (r->program->clear)
    word(r, &w, "--allow-clear");
  pass_option(r, &w, "--seed", o->seed);
  pass_option(r, &w, "--timeout", o->timeout);
  if (o->state_dir)
    pass_option(r, &w, "--state", absolute_target(r, o->state_dir));
  if (o->resume)
    word(r, &w, "--resume");
  pass_option(r, &w, "--rtt", o->rtt);
  pass_option(r, &w, "--bandwidth", o->bandwidth);
  if (o->stats_dir) {
    word(r, &w, "--stats");
    word(r, &w, absolute_target(r, arena_printf(r->arena, "%s/%s.json", o->stats_dir, p->name)));
  }
  if (o->verbose)
    word(r, &w, "-v");
  add_bindings(r, k, &w, o->inputs.data, o->inputs.count, false);
  add_bindings(r, k, &w, o->outputs.data, o->outputs.count, true);
  word(r, &w, NULL);
  return w;
}

/* In the child. */
static void become(Run *r, int k, const Words *w, pid_t parent) {
  Party *p = &r->parties[k];
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent)
    _exit(143);
  fcntl(p->listen_fd, F_SETFD, 0);
  setenv("TFE_MARK_LINES", "1", 1);
  const char *data = r->options->data_dir;
  if (data) {
    const char *own = arena_printf(r->arena, "%s/%s", data, p->name);
    if (chdir(own) != 0 && chdir(data) != 0)
      _exit(126);
  }
  execv(w->data[0], (char *const *)(uintptr_t)w->data);
  _exit(127);
}

static bool start(Run *r, int k) {
  Party *p = &r->parties[k];
  Words w = command_line(r, k);
  int out[2], err[2];
  if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0)
    return complain("cannot make a pipe");
  pid_t parent = getpid();
  p->pid = fork();
  if (p->pid < 0)
    return complain("cannot start a process");
  if (p->pid == 0) {
    dup2(out[1], STDOUT_FILENO);
    dup2(err[1], STDERR_FILENO);
    become(r, k, &w, parent);
  }
  close(out[1]);
  close(err[1]);
  close(p->listen_fd);
  p->listen_fd = -1;
  p->out.fd = out[0];
  p->err.fd = err[0];
  fcntl(p->out.fd, F_SETFL, O_NONBLOCK);
  fcntl(p->err.fd, F_SETFL, O_NONBLOCK);
  return true;
}

/* ---- what they print ------------------------------------------------------------------------------- */

static void clear_bar(Run *r) {
  if (r->bar_shown)
    fputs("\r\033[K", stderr);
  r->bar_shown = false;
}

/* A line that several parties print is shown when the speaker prints it: it prints them all, in order. */
static void joint_line(const Run *r, const Party *p, const char *text) {
  if (p == &r->parties[r->program->speaker])
    printf("%s\n", text);
}

static void out_line(Run *r, Party *p, const char *text) {
  clear_bar(r);
  if (*text == LINE_MARK)
    joint_line(r, p, text + 1);
  else
    printf("%s: %s\n", p->name, text);
  fflush(stdout);
}

/* Messages begin with the name of the executable, or with what belongs to one. */
static bool is_progress(const char *text) {
  return strncmp(text, "party-", 6) != 0 && strncmp(text, "  = ", 4) != 0;
}

static void err_line(Run *r, Party *p, const char *text) {
  if (p == &r->parties[r->bar < 0 ? 0 : r->bar] && r->bar >= 0 && strchr(text, '\r')) {
    fputs(text, stderr);
    r->bar_shown = true;
  } else if (r->bar >= 0 && p == &r->parties[r->bar] && r->options->progress && is_progress(text)) {
    fprintf(stderr, "%s\n", text);
  } else if (r->options->verbose) {
    clear_bar(r);
    fprintf(stderr, "%s\n", text);
  } else {
    VEC_PUSH(r->arena, &p->complaints, arena_printf(r->arena, "%s", text));
  }
}

static void push(Stream *s, char c) {
  if (s->length + 2 > s->capacity) {
    s->capacity = s->capacity ? 2 * s->capacity : 256;
    s->text = realloc(s->text, s->capacity);
    if (!s->text)
      abort();
  }
  s->text[s->length++] = c;
  s->text[s->length] = 0;
}

static void pass_on(Run *r, Party *p, Stream *s, bool is_err) {
  if (s->length > 0 && s->text[s->length - 1] == LINE_END)
    s->text[--s->length] = 0;
  if (is_err)
    err_line(r, p, s->text ? s->text : "");
  else
    out_line(r, p, s->text ? s->text : "");
  s->length = 0;
  if (s->text)
    *s->text = 0;
}

/* A marked text goes on over line ends until its end mark. */
static bool is_open(const Stream *s) {
  return s->length > 0 && s->text[0] == LINE_MARK && s->text[s->length - 1] != LINE_END;
}

/* Reads what there is; a line is passed on when it is whole (progress: at every carriage return). */
static void drain(Run *r, Party *p, Stream *s, bool is_err) {
  char chunk[4096];
  ssize_t n;
  while ((n = read(s->fd, chunk, sizeof chunk)) > 0) {
    for (ssize_t i = 0; i < n; i++) {
      bool bar = is_err && chunk[i] == '\r' && s->length > 0;
      if (bar || (chunk[i] == '\n' && !is_open(s)))
        pass_on(r, p, s, is_err);
      if (bar || chunk[i] != '\n' || is_open(s))
        push(s, chunk[i]);
    }
  }
  if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
    if (s->length > 0)
      pass_on(r, p, s, is_err);
    close(s->fd);
    free(s->text);
    *s = (Stream){.fd = -1};
  }
}

/* ---- until all have ended -------------------------------------------------------------------------- */

static void wait_for_output(Run *r) {
  struct pollfd fds[2 * MAX_PARTIES];
  Stream *streams[2 * MAX_PARTIES];
  Party *owners[2 * MAX_PARTIES];
  int n = 0;
  for (int i = 0; i < r->count; i++)
    for (int k = 0; k < 2; k++) {
      Stream *s = k ? &r->parties[i].err : &r->parties[i].out;
      if (s->fd < 0)
        continue;
      fds[n] = (struct pollfd){.fd = s->fd, .events = POLLIN};
      streams[n] = s;
      owners[n++] = &r->parties[i];
    }
  if (poll(fds, (nfds_t)n, n > 0 ? 50 : 5) <= 0)
    return;
  for (int i = 0; i < n; i++)
    if (fds[i].revents)
      drain(r, owners[i], streams[i], streams[i] == &owners[i]->err);
}

static int running(const Run *r) {
  int n = 0;
  for (int i = 0; i < r->count; i++)
    n += r->parties[i].pid > 0;
  return n;
}

static int exit_code_of(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void reap(Run *r) {
  for (int i = 0; i < r->count; i++) {
    Party *p = &r->parties[i];
    int status;
    if (p->pid <= 0 || waitpid(p->pid, &status, WNOHANG) != p->pid)
      continue;
    p->pid = 0;
    p->exit_code = exit_code_of(status);
    if (p->exit_code != 0 && r->first_failure < 0)
      r->first_failure = i;
  }
}

static void signal_all(Run *r, int signal_number) {
  for (int i = 0; i < r->count; i++)
    if (r->parties[i].pid > 0)
      kill(r->parties[i].pid, signal_number);
}

/* Followers of a failure say only that they lost somebody, or that they were asked to stop. */
static bool is_follower(const Party *p) {
  return p->exit_code == 69 || p->exit_code == 75 || p->exit_code == 128 + SIGTERM || p->killed;
}

static void wait_for_all(Run *r) {
  double deadline = 0; /* of the present step towards the end */
  int step = 0;        /* 0 running, 1 waiting for others to follow, 2 asked to stop, 3 killed */
  while (running(r) > 0) {
    wait_for_output(r);
    reap(r);
    if (step == 0 && r->first_failure >= 0) {
      step = 1;
      const Party *first = &r->parties[r->first_failure];
      deadline = now() + (is_follower(first) || first->exit_code > 128 ? grace_unknown : grace_known);
    }
    bool late = step > 0 && now() > deadline;
    if (step < 2 && (stop_signal || late)) {
      signal_all(r, SIGTERM);
      step = 2;
      deadline = now() + (double)KILL_SECONDS;
    } else if (step == 2 && late) {
      for (int i = 0; i < r->count; i++)
        r->parties[i].killed = r->parties[i].pid > 0;
      signal_all(r, SIGKILL);
      step = 3;
    }
  }
  for (int i = 0; i < r->count; i++)
    while (r->parties[i].out.fd >= 0 || r->parties[i].err.fd >= 0)
      wait_for_output(r);
  clear_bar(r);
}

static int report(Run *r) {
  if (stop_signal) {
    if (stop_signal != SIGPIPE)
      fprintf(stderr, "tfec: stopped\n");
    return 128 + (int)stop_signal;
  }
  int cause = -1;
  for (int i = 0; i < r->count; i++)
    if (r->parties[i].exit_code != 0 && !is_follower(&r->parties[i]) && cause < 0)
      cause = i;
  if (cause < 0)
    cause = r->first_failure;
  for (int i = 0; i < r->count; i++) {
    Party *p = &r->parties[i];
    if (cause >= 0 && i != cause && (p->exit_code == 0 || is_follower(p)))
      continue;
    if (r->options->quiet && cause < 0)
      continue;
    for (int k = 0; k < p->complaints.count; k++)
      fprintf(stderr, "%s\n", p->complaints.data[k]);
    if (p->exit_code > 128)
      fprintf(stderr, "party-%s: ended by signal %d\n", p->name, p->exit_code - 128);
    else if (p->exit_code == 126 || p->exit_code == 127)
      fprintf(stderr, "tfec: error: cannot start %s\n", executable(r, p));
  }
  return cause < 0 ? 0 : r->parties[cause].exit_code;
}

/* Parties write into a pipe; the one whose progress is shown must know how much there is room for. */
static void tell_columns(Run *r) {
  struct winsize size;
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
    setenv("COLUMNS", arena_printf(r->arena, "%d", size.ws_col), 1);
}

static bool prepare(Run *r) {
  const Program *program = r->program;
  r->count = program->party_count;
  r->parties = ARENA_ARRAY(r->arena, Party, r->count);
  for (int i = 0; i < r->count; i++) {
    Party *p = &r->parties[i];
    p->name = party_name(program, i);
    p->decl = party_decl(program, i);
    p->member = i - p->decl->first;
    p->listen_fd = p->out.fd = p->err.fd = -1;
  }
  r->bar = -1;
  bool shows = r->options->progress ? strcmp(r->options->progress, "none") != 0
                                    : isatty(STDERR_FILENO) && !r->options->quiet;
  tell_columns(r);
  if (shows)
    r->bar = program->protocols.count ? program->protocols.data[0].servers.data[0] : 0;
  if (!bindings_known(r, r->options->inputs.data, r->options->inputs.count, false) ||
      !bindings_known(r, r->options->outputs.data, r->options->outputs.count, true))
    return false;
  for (int i = 0; i < r->count; i++)
    if (!open_listener(&r->parties[i]))
      return false;
  if (r->options->stats_dir && mkdir(r->options->stats_dir, 0777) != 0 && errno != EEXIST)
    return complain(r->options->stats_dir);
  if (r->options->state_dir && mkdir(r->options->state_dir, 0700) != 0 && errno != EEXIST)
    return complain(r->options->state_dir);
  return write_hosts(r);
}

int run_parties(Arena *a, const Program *program, const char *directory, const RunOptions *options) {
  Run r = {.arena = a, .program = program, .options = options, .directory = directory, .first_failure = -1};
  int code = 2;
  if (!stop_signal && prepare(&r)) {
    bool started = true;
    for (int i = 0; i < r.count && started && !stop_signal; i++)
      started = start(&r, i);
    if (!started)
      signal_all(&r, SIGTERM);
    wait_for_all(&r);
    code = started ? report(&r) : 1;
  }
  for (int i = 0; i < r.count; i++)
    if (r.parties[i].listen_fd >= 0)
      close(r.parties[i].listen_fd);
  return stop_signal ? 128 + (int)stop_signal : code;
}
