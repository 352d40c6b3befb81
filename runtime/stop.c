/* SIGINT and SIGTERM: a flag and a pipe that wakes poll (see stop.h). */
#define _GNU_SOURCE
#include "stop.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t stop_signal;
static volatile sig_atomic_t stop_write_fd = -1;
static int stop_read_fd = -1;

static void stop_handle(int number) {
  int saved = errno;
  stop_signal = number;
  if (stop_write_fd >= 0) {
    ssize_t ignored = write(stop_write_fd, "", 1);
    (void)ignored;
  }
  errno = saved;
}

void tfe_stop_install(void) {
  if (stop_read_fd >= 0)
    return;
  int ends[2];
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0) {
    stop_read_fd = ends[0];
    stop_write_fd = ends[1];
  }
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = stop_handle;
  action.sa_flags = (int)SA_RESETHAND;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  action.sa_handler = SIG_IGN;
  action.sa_flags = 0;
  sigaction(SIGPIPE, &action, NULL);
}

int tfe_stop_signal(void) {
  return (int)stop_signal;
}

int tfe_stop_fd(void) {
  return stop_read_fd;
}
