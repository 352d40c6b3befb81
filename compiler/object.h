/* Party programs -> executables: one process a party emits its object file and links it with libtfe. */
#ifndef TFEC_OBJECT_H
#define TFEC_OBJECT_H

#include "emit.h"

typedef struct ObjectJob {
  Program *party;
  EmitInfo info;
  const char *path; /* of the executable */
} ObjectJob;

/* A file that goes with the executables (the manifest). */
typedef struct ObjectText {
  const char *path, *text;
} ObjectText;

/* Builds the executables of all parties, side by side as far as there are processors, or only that of job `only`
 * (-1: all): the same bytes. Files get their names only when everything has been built: nothing half-written is
 * left, also if a signal ends tfec. Returns an error message (in the arena) or NULL. */
const char *object_build(Arena *a, ObjectJob *jobs, int count, int only, const EmitOptions *options,
                         const ObjectText *text);

#endif
