/* Emitting and linking, one forked process a party: LLVM's contexts are apart, and a failure cannot hurt
 * the others. The linker is called through the C compiler's driver, which knows the system's start files;
 * a fast linker is used if there is one. libtfe and OpenSSL are linked statically, the C library
 * dynamically, so that host names resolve as on any other program of the machine. */
#include "object.h"

#include <errno.h>
#include <fcntl.h>
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

typedef struct Worker {
  pid_t pid;
  int errors; /* reads what the process says */
  const char *object, *kernels, *executable;
} Worker;

static Command link_command(Arena *a, const char *driver, const char *library, const Worker *w) {
  Command c = {0};
  add(a, &c, driver);
  add(a, &c, "-o");
  add(a, &c, w->executable);
  add(a, &c, w->object);
  add(a, &c, w->kernels);
  add(a, &c, library);
  if (find_tool(a, "ld.gold"))
    add(a, &c, "-fuse-ld=gold");
  else if (find_tool(a, "ld.lld"))
    add(a, &c, "-fuse-ld=lld");
  add_words(a, &c, "-Wl,-z,relro,-z,now -Wl,-z,noexecstack");
  add_words(a, &c, *TFE_LINK_FLAGS ? TFE_LINK_FLAGS : "-s");
  add_words(a, &c, "-Wl,-Bstatic -lssl -lcrypto -lz -Wl,-Bdynamic -lpthread -ldl -lm");
  VEC_PUSH(a, &c, NULL);
  return c;
}

/* ---- one party, in a process of its own ------------------------------------------------------ */

/* Does not return: the exit status says whether it went well, stderr why not. */
static void work(Arena *a, ObjectJob *job, const EmitOptions *options, const Worker *w, const char *driver,
                 const char *library) {
  const char *error = emit_objects(job->party, &job->info, options, w->object, w->kernels);
  if (error) {
    fprintf(stderr, "%s\n", error);
    fflush(stderr);
    _exit(1);
  }
  Command c = link_command(a, driver, library, w);
  execv(c.data[0], c.data);
  fprintf(stderr, "cannot start %s: %s\n", driver, strerror(errno));
  fflush(stderr);
  _exit(1);
}

static const char *start(Arena *a, ObjectJob *job, const EmitOptions *options, Worker *w, const char *driver,
                         const char *library) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0)
    return arena_printf(a, "cannot make a pipe: %s", strerror(errno));
  fflush(NULL);
  w->pid = fork();
  if (w->pid < 0) {
    close(ends[0]);
    close(ends[1]);
    return arena_printf(a, "cannot start a process: %s", strerror(errno));
  }
  if (w->pid == 0) {
    dup2(ends[1], STDERR_FILENO);
    dup2(ends[1], STDOUT_FILENO);
    work(a, job, options, w, driver, library);
  }
  close(ends[1]);
  w->errors = ends[0];
  return NULL;
}

/* Everything the process says, then its status. */
static const char *finish(Arena *a, const ObjectJob *job, Worker *w) {
  const char *said = "";
  char buffer[4096];
  for (;;) {
    ssize_t n = read(w->errors, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      break;
    if (strlen(said) < 16 * sizeof buffer)
      said = arena_printf(a, "%s%.*s", said, (int)n, buffer);
  }
  close(w->errors);
  int status = 0;
  while (waitpid(w->pid, &status, 0) < 0 && errno == EINTR)
    ;
  w->pid = 0;
  unlink(w->object);
  unlink(w->kernels);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
    return NULL;
  return arena_printf(a, "cannot build %s\n%s", job->path, said);
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

static const char *run_workers(Arena *a, ObjectJob *jobs, Worker *workers, int count,
                               const EmitOptions *options) {
  const char *driver = find_driver(a), *library = find_library(a);
  if (!driver)
    return "no C compiler found to link with: install gcc or clang, or name one in the environment variable "
           "TFE_CC";
  if (!library)
    return arena_printf(
        a, "libtfe.a is neither in %s nor in %s; the environment variable TFE_LIB can name its folder",
        TFE_LIB_DIR, TFE_INSTALL_LIB);
  long processors = sysconf(_SC_NPROCESSORS_ONLN);
  int width = processors > 1 ? (int)processors : 1, started = 0;
  const char *error = NULL;
  for (int done = 0; done < count; done++) {
    while (started < count && started < done + width && !error) {
      error = start(a, &jobs[started], options, &workers[started], driver, library);
      started += !error;
    }
    if (done >= started)
      break;
    const char *failure = finish(a, &jobs[done], &workers[done]);
    error = error ? error : failure;
  }
  return error;
}

const char *object_build(Arena *a, ObjectJob *jobs, int count, const EmitOptions *options,
                         const ObjectText *text) {
  Worker *workers = ARENA_ARRAY(a, Worker, count + 1);
  for (int i = 0; i < count; i++) {
    workers[i].object = arena_printf(a, "%s.%ld.o", jobs[i].path, (long)getpid());
    workers[i].kernels = arena_printf(a, "%s.%ld.k.o", jobs[i].path, (long)getpid());
    workers[i].executable = arena_printf(a, "%s.%ld.tmp", jobs[i].path, (long)getpid());
  }
  const char *temporary = text ? arena_printf(a, "%s.%ld.tmp", text->path, (long)getpid()) : NULL;
  const char *error = text ? write_text(a, temporary, text->path, text->text) : NULL;
  if (!error)
    error = run_workers(a, jobs, workers, count, options);
  int named = 0;
  while (named < count && !error)
    if (rename(workers[named].executable, jobs[named].path) == 0)
      named++;
    else
      error = cannot(a, "write", jobs[named].path);
  if (!error && text && rename(temporary, text->path) != 0)
    error = cannot(a, "write", text->path);
  for (int i = 0; i < count && error; i++)
    unlink(i < named ? jobs[i].path : workers[i].executable);
  if (error && temporary)
    unlink(temporary);
  return error;
}
