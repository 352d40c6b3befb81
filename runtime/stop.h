/* SIGINT and SIGTERM. The handler only notes the signal and wakes whoever waits in poll; the event loop
 * (chan/chan.c) and the party's main then end the run in good order. A second signal of the same kind ends
 * the process at once. The one exception to "no mutable file-scope state": a signal handler has nothing
 * else to write to. */
#ifndef TFE_STOP_H
#define TFE_STOP_H

/* Installs the handlers; SIGPIPE is ignored. Harmless when called twice. */
void tfe_stop_install(void);
/* The signal that asked us to stop; 0: none. */
int tfe_stop_signal(void);
/* Readable once a signal came, for poll; -1 before tfe_stop_install. */
int tfe_stop_fd(void);

#endif
