/* From the choreography to one program for each party declaration. */
#ifndef TFEC_PROJECT_H
#define TFEC_PROJECT_H

#include "ir.h"

/* Bits of ints[2] of a projected SEND. Never both: a message between two members of one family is two
 * operations. */
enum { PROJECT_SENDS = 1, PROJECT_RECEIVES = 2 };

/* The program of parties.data[decl]: a copy of the operations in which a member takes part, ids kept, self =
 * decl. `where` is what it was, restricted to the members. Blocks keep only the carried values and results
 * that some member needs. Slots are those of the members.
 *
 * A SEND has ints {from, to, role}:
 *   PROJECT_SENDS     member `from` sends its operand; no result: the operand is used where that was.
 *                     A half of a member-to-member message has a fresh id.
 *   PROJECT_RECEIVES  member `to` receives the result. Other members in `where` hold the operand already and
 *                     alias it; the operand is missing (args.count 0) when no member holds it.
 * The SENDs of one level stand together, sends before receives, parts of one message side by side. */
Program *project(const Program *p, int decl);

#endif
