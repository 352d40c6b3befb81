/* The pool (pool.h). The caller's thread works too. Parts are handed out one by one, so a thread that the
 * system keeps from running holds up no more than its own part. Workers look for new work for a moment
 * before they sleep, since waking a thread takes longer than many a kernel. A pool of which a thread cannot
 * be made works with those that could. */
#include "pool.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>

enum { POOL_MOST = 256, POOL_LOOKS = 200 };

typedef struct Pool {
  int threads, workers; /* wanted, and started beside the caller */
  pthread_mutex_t lock;
  pthread_cond_t begun;
  TfePoolBody *body;
  void *data;
  int64_t n, grain;
  _Atomic int64_t next;    /* first item that nobody has taken */
  _Atomic int64_t left;    /* workers that have not finished this round */
  _Atomic uint64_t rounds; /* begun so far */
} Pool;

static Pool pool = {.threads = 1, .lock = PTHREAD_MUTEX_INITIALIZER, .begun = PTHREAD_COND_INITIALIZER};

void tfe_pool_set(int threads) {
  pool.threads = threads < 1 ? 1 : threads > POOL_MOST ? POOL_MOST : threads;
}

int tfe_pool_threads(void) {
  return pool.threads;
}

static void pool_work(void) {
  for (;;) {
    int64_t from = atomic_fetch_add(&pool.next, pool.grain);
    if (from >= pool.n)
      return;
    pool.body(pool.data, from, pool.n - from < pool.grain ? pool.n : from + pool.grain);
  }
}

static void pool_await(uint64_t seen) {
  for (int i = 0; i < POOL_LOOKS; i++) {
    if (atomic_load(&pool.rounds) != seen)
      return;
    sched_yield();
  }
  pthread_mutex_lock(&pool.lock);
  while (atomic_load(&pool.rounds) == seen)
    pthread_cond_wait(&pool.begun, &pool.lock);
  pthread_mutex_unlock(&pool.lock);
}

static void *pool_worker(void *unused) {
  (void)unused;
  for (uint64_t seen = 0;; seen++) {
    pool_await(seen);
    pool_work();
    atomic_fetch_sub(&pool.left, 1);
  }
  return NULL;
}

/* Signals are for the party's own thread. */
static void pool_start(void) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t thread;
  while (pool.workers + 1 < pool.threads && pthread_create(&thread, NULL, pool_worker, NULL) == 0) {
    pthread_detach(thread);
    pool.workers++;
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pool.threads = pool.workers + 1;
}

void tfe_pool_run(int64_t n, int64_t grain, TfePoolBody *body, void *data) {
  if (pool.threads == 1 || n <= grain) {
    if (n > 0)
      body(data, 0, n);
    return;
  }
  if (pool.workers == 0)
    pool_start();
  pool.body = body;
  pool.data = data;
  pool.n = n;
  pool.grain = grain;
  atomic_store(&pool.next, 0);
  atomic_store(&pool.left, pool.workers);
  pthread_mutex_lock(&pool.lock);
  atomic_fetch_add(&pool.rounds, 1);
  pthread_cond_broadcast(&pool.begun);
  pthread_mutex_unlock(&pool.lock);
  pool_work();
  while (atomic_load(&pool.left) > 0)
    sched_yield();
}
