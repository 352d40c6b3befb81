/* What a program costs: rounds, messages and bytes, read off the messages of the choreography by following it
 * with the loop counts that are known at compile time. The runtime counts the same way; the two agree
 * exactly. */
#ifndef TFEC_COST_H
#define TFEC_COST_H

#include "ir.h"

typedef struct CostParty {
  int64_t rounds; /* largest logical clock this party received or sent */
  int64_t messages_sent, bytes_sent, messages_received, bytes_received; /* bytes with headers */
} CostParty;

/* One row of the table: a line of source under the calls that led to it. Figures include the rows below it.
 * */
typedef struct CostLine {
  Span span;                       /* the expression, or the first of several on the line */
  bool several;                    /* several expressions of this line cost something */
  int parent, depth;               /* -1: none */
  int64_t times;                   /* how often the line runs */
  bool per_pass;                   /* inside a loop whose passes are not known: figures are for one pass */
  int64_t rounds, messages, bytes; /* over the whole run */
  int64_t *bytes_sent;             /* by party */
} CostLine;

typedef struct Cost {
  bool known; /* false: some loop or branch is decided at run time */
  int64_t rounds, messages, bytes;
  CostParty *party;    /* [party_count] */
  VEC(CostLine) lines; /* callers before callees */
} Cost;

/* Needs a choreography after pass_rounds. */
Cost *cost_of(const Program *p);
/* TfeProgram.expected of one party declaration: [members][5]. */
const int64_t *cost_expected(const Cost *c, const Program *p, int decl);
/* Bytes of a value on the wire. */
int64_t cost_payload(const IrType *t);

#endif
