/* Ring widths: how many bits of each private number the program needs. Works on the joint program, before
 * protocol expansion, because what a protocol does for an operation may depend on them. */
#ifndef TFEC_RINGS_H
#define TFEC_RINGS_H

#include "ast.h"
#include "ir.h"

/* Sets Op.width and Op.need of all operations on private numbers, as the `width` functions of their protocol
 * kinds ask for it (reference 18.4); kinds that have none keep the whole ring everywhere. False if a message
 * was given. */
bool rings_choose(Arena *arena, Diags *diags, const Program *joint);

#endif
