/* Code and executables, each made by a forked process: as many at a time as there are processors, and a
 * failure of LLVM or of the linker becomes a message. The linker is called through the C compiler's driver,
 * which knows the system's start files; a fast linker is used if there is one. libtfe and OpenSSL are linked
 * statically, the C library dynamically, so that host names resolve as on any other program of the machine.
 * The loops of all parties are linked to each; the linker drops those that it does not call. */
#include "object.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef TFE_LIB_DIR
#define TFE_LIB_DIR "."
#endif
#ifndef TFE_INSTALL_LIB
#define TFE_INSTALL_LIB "/usr/local/lib"
#endif
#ifndef TFE_CC
#define TFE_CC "cc"
#endif
#ifndef TFE_LINK_FLAGS
#define TFE_LINK_FLAGS ""
#endif

/* ---- signals: who stops tfec finds nothing half-written ---------------------------------------------- */

static volatile sig_atomic_t stop_signal;

static void on_stop(int signal_number) {
  stop_signal = signal_number;
}

static const int stop_signals[] = {SIGINT, SIGTERM, SIGHUP};
enum { STOP_SIGNALS = sizeof stop_signals / sizeof *stop_signals };

/* Notes signals that would end tfec at once; a handler of the caller's stays. */
static void hold_signals(void) {
  struct sigaction old, action = {.sa_handler = on_stop, .sa_flags = SA_RESTART};
  for (int i = 0; i < STOP_SIGNALS; i++)
    if (sigaction(stop_signals[i], NULL, &old) == 0 && old.sa_handler == SIG_DFL)
      sigaction(stop_signals[i], &action, NULL);
}

static void let_signals(void) {
  struct sigaction old;
  for (int i = 0; i < STOP_SIGNALS; i++)
    if (sigaction(stop_signals[i], NULL, &old) == 0 && old.sa_handler == on_stop)
      signal(stop_signals[i], SIG_DFL);
}

/* ---- finding the tools ----------------------------------------------------------------------- */

static bool is_program(const char *path) {
  struct stat s;
  return stat(path, &s) == 0 && S_ISREG(s.st_mode) && access(path, X_OK) == 0;
}

/* The program's full name: as it is if it has a slash, else from PATH; NULL if there is none. */
static const char *find_tool(Arena *a, const char *name) {
  if (strchr(name, '/'))
    return is_program(name) ? name : NULL;
  const char *path = getenv("PATH");
  while (path && *path) {
    size_t n = strcspn(path, ":");
    const char *full = arena_printf(a, "%.*s/%s", (int)n, path, name);
    if (is_program(full))
      return full;
    path += n + (path[n] == ':');
  }
  return NULL;
}

static const char *find_driver(Arena *a) {
  const char *own = getenv("TFE_CC");
  const char *names[] = {own && *own ? own : TFE_CC, TFE_CC, "cc", "gcc", "clang"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    const char *found = find_tool(a, names[i]);
    if (found)
      return found;
  }
  return NULL;
}

static const char *find_library(Arena *a) {
  const char *own = getenv("TFE_LIB");
  const char *dirs[] = {own && *own ? own : TFE_LIB_DIR, TFE_LIB_DIR, TFE_INSTALL_LIB};
  for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++) {
    const char *file = arena_printf(a, "%s/libtfe.a", dirs[i]);
    if (access(file, R_OK) == 0)
      return file;
  }
  return NULL;
}

typedef VEC(char *) Command;

static void add(Arena *a, Command *c, const char *word) {
  VEC_PUSH(a, c, arena_printf(a, "%s", word));
}

static void add_words(Arena *a, Command *c, const char *text) {
  while (*text) {
    size_t n = strcspn(text, " ");
    if (n)
      add(a, c, arena_printf(a, "%.*s", (int)n, text));
    text += n + (text[n] == ' ');
  }
}

/* ---- the work of one process --------------------------------------------------------------------- */

/* All that is built together: objects of parties and of loops, then executables. */
typedef struct Build {
  Arena *arena;
  ObjectJob *jobs;
  int count;
  EmitUnit *unit;
  Emitter **parties;
  int parts; /* of loops */
  const char **loops, **objects, **executables;
  const char *driver, *library;
} Build;

static Command link_command(const Build *b, int job) {
  Arena *a = b->arena;
  Command c = {0};
  add(a, &c, b->driver);
  add(a, &c, "-o");
  add(a, &c, b->executables[job]);
  add(a, &c, b->objects[job]);
  for (int i = 0; i < b->parts; i++)
    add(a, &c, b->loops[i]);
  add(a, &c, b->library);
  if (is_program(TFE_LLVM_BIN "/ld.lld")) { /* the fastest, where it is installed */
    add(a, &c, "-B" TFE_LLVM_BIN);
    add(a, &c, "-fuse-ld=lld");
  } else if (find_tool(a, "ld.gold"))
    add(a, &c, "-fuse-ld=gold");
  add_words(a, &c, "-Wl,-z,relro,-z,now -Wl,-z,noexecstack -Wl,--gc-sections");
  add_words(a, &c, *TFE_LINK_FLAGS ? TFE_LINK_FLAGS : "-s");
  add_words(a, &c, "-Wl,-Bstatic -lssl -lcrypto -lz -Wl,-Bdynamic -lpthread -ldl -lm");
  VEC_PUSH(a, &c, NULL);
  return c;
}

/* A piece of work: the exit status of the process says whether it went well, stderr why not. */
typedef const char *Work(const Build *b, int number);

/* Loops first: they take longest. */
static const char *emit(const Build *b, int number) {
  int job = number - b->parts;
  return job < 0 ? emit_loops_object(b->unit, number, b->loops[number])
                 : emit_party_object(b->parties[job], b->objects[job]);
}

static const char *link_party(const Build *b, int number) {
  Command c = link_command(b, number);
  execv(c.data[0], c.data);
  return arena_printf(b->arena, "cannot start %s: %s", b->driver, strerror(errno));
}

typedef struct Worker {
  pid_t pid;  /* 0: it has ended */
  int errors; /* reads what the process says */
  const char *said;
} Worker;

static const char *start(const Build *b, Work *work, int number, Worker *w) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0)
    return arena_printf(b->arena, "cannot make a pipe: %s", strerror(errno));
  fflush(NULL);
  w->pid = fork();
  if (w->pid < 0) {
    close(ends[0]);
    close(ends[1]);
    return arena_printf(b->arena, "cannot start a process: %s", strerror(errno));
  }
  if (w->pid == 0) {
    let_signals();
    dup2(ends[1], STDERR_FILENO);
    dup2(ends[1], STDOUT_FILENO);
    const char *error = work(b, number);
    if (error)
      fprintf(stderr, "%s\n", error);
    fflush(stderr);
    _exit(error != NULL);
  }
  close(ends[1]);
  w->errors = ends[0];
  w->said = "";
  return NULL;
}

/* Takes what the process has said; false if that was all. */
static bool hear(Arena *a, Worker *w) {
  char buffer[4096];
  ssize_t n = read(w->errors, buffer, sizeof buffer);
  if (n > 0 && strlen(w->said) < 16 * sizeof buffer)
    w->said = arena_printf(a, "%s%.*s", w->said, (int)n, buffer);
  return n > 0 || (n < 0 && errno == EINTR);
}

/* what: that it builds. */
static const char *finish(Arena *a, const char *what, Worker *w) {
  close(w->errors);
  int status = 0;
  while (waitpid(w->pid, &status, 0) < 0 && errno == EINTR)
    ;
  w->pid = 0;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
    return NULL;
  return arena_printf(a, "cannot build %s\n%s", what, w->said);
}

static int processors(void) {
  long n = sysconf(_SC_NPROCESSORS_ONLN);
  return n > 1 ? (int)n : 1;
}

/* `count` pieces of work, as many at a time as there are processors; the next one starts when any has ended. The last ones
 * are about jobs. Where several fail, the first of them is told of, whichever was faster. */
static const char *run_workers(const Build *b, Work *work, int count) {
  Worker *workers = ARENA_ARRAY(b->arena, Worker, count + 1);
  struct pollfd *polled = ARENA_ARRAY(b->arena, struct pollfd, count + 1);
  int width = processors(), started = 0, running = 0, first = count; /* that failed */
  const char *error = NULL;
  for (;;) {
    while (started < count && running < width && !error && !stop_signal) {
      error = start(b, work, started, &workers[started]);
      started += !error;
      running += !error;
    }
    if (running == 0)
      return error;
    for (int i = 0; i < started; i++) /* those that have ended are passed over */
      polled[i] = (struct pollfd){.fd = workers[i].pid ? workers[i].errors : -1, .events = POLLIN};
    if (poll(polled, (nfds_t)started, -1) < 0)
      continue;
    for (int i = 0; i < started; i++) {
      if (!polled[i].revents || hear(b->arena, &workers[i]))
        continue;
      int job = i - (count - b->count);
      const char *failure = finish(b->arena, job < 0 ? "the loops" : b->jobs[job].path, &workers[i]);
      running--;
      if (failure && i < first) {
        error = failure;
        first = i;
      }
    }
  }
}

/* ---- all of them ----------------------------------------------------------------------------- */

static const char *cannot(Arena *a, const char *what, const char *path) {
  return arena_printf(a, "cannot %s %s: %s", what, path, strerror(errno));
}

/* `path` is where it goes in the end. */
static const char *write_text(Arena *a, const char *temporary, const char *path, const char *text) {
  FILE *f = fopen(temporary, "w");
  if (!f)
    return cannot(a, "write", path);
  bool good = fputs(text, f) >= 0;
  good = fclose(f) == 0 && good;
  return good ? NULL : cannot(a, "write", path);
}

static const char *find_tools(Build *b) {
  b->driver = find_driver(b->arena);
  b->library = find_library(b->arena);
  if (!b->driver)
    return "no C compiler found to link with: install gcc or clang, or name one in the environment variable "
           "TFE_CC";
  if (!b->library)
    return arena_printf(
        b->arena, "libtfe.a is neither in %s nor in %s; the environment variable TFE_LIB can name its folder",
        TFE_LIB_DIR, TFE_INSTALL_LIB);
  return NULL;
}

/* Names beside the executables, of this process. */
static const char **temporaries(const Build *b, int count, const char *suffix) {
  const char **names = ARENA_ARRAY(b->arena, const char *, count + 1);
  for (int i = 0; i < count; i++)
    names[i] = arena_printf(b->arena, "%s.%ld%s", b->jobs[i < b->count ? i : 0].path, (long)getpid(),
                            arena_printf(b->arena, suffix, i));
  return names;
}

static void remove_all(const char **paths, int count) {
  for (int i = 0; i < count; i++)
    unlink(paths[i]);
}

/* Not the number of processors: executables are the same bytes wherever they are built. */
enum { LOOP_PARTS = 4 };

/* All parties are emitted, also if one is built: loops are numbered through them. */
static void emit_all(Build *b, const EmitOptions *options, int only) {
  b->unit = emit_unit(b->arena, options, LOOP_PARTS);
  b->parties = ARENA_ARRAY(b->arena, Emitter *, b->count + 1);
  for (int i = 0; i < b->count; i++)
    b->parties[i] = emit_party(b->unit, b->jobs[i].party, &b->jobs[i].info);
  if (only < 0)
    return;
  b->jobs += only;
  b->parties += only;
  b->count = 1;
}

static const char *build_executables(Build *b) {
  b->parts = emit_loop_parts(b->unit);
  b->loops = temporaries(b, b->parts, ".loops%d.o");
  const char *error = run_workers(b, emit, b->parts + b->count);
  emit_unit_free(b->unit);
  if (!error)
    error = run_workers(b, link_party, b->count);
  remove_all(b->loops, b->parts);
  remove_all(b->objects, b->count);
  return stop_signal ? "stopped" : error;
}

/* Files get their names when all of them are there. */
static const char *name_files(const Build *b, const char *manifest, const ObjectText *text) {
  const char *error = NULL;
  int named = 0;
  while (named < b->count && !error)
    if (rename(b->executables[named], b->jobs[named].path) == 0)
      named++;
    else
      error = cannot(b->arena, "write", b->jobs[named].path);
  if (!error && rename(manifest, text->path) != 0)
    error = cannot(b->arena, "write", text->path);
  for (int i = 0; i < named && error; i++)
    unlink(b->jobs[i].path);
  return error;
}

const char *object_build(Arena *a, ObjectJob *jobs, int count, int only, const EmitOptions *options,
                         const ObjectText *text) {
  Build b = {.arena = a, .jobs = jobs, .count = count};
  const char *manifest = arena_printf(a, "%s.%ld.tmp", text->path, (long)getpid());
  hold_signals();
  const char *error = find_tools(&b);
  if (!error)
    error = write_text(a, manifest, text->path, text->text);
  if (!error) {
    emit_all(&b, options, only);
    b.objects = temporaries(&b, b.count, ".o");
    b.executables = temporaries(&b, b.count, ".tmp");
    error = build_executables(&b);
    if (!error)
      error = name_files(&b, manifest, text);
    if (error)
      remove_all(b.executables, b.count);
  }
  if (error)
    unlink(manifest);
  let_signals();
  if (stop_signal)
    raise(stop_signal);
  return error;
}
