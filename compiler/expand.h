/* Protocol expansion: joint program -> choreography. */
#ifndef TFEC_EXPAND_H
#define TFEC_EXPAND_H

#include "ast.h"
#include "ir.h"

/* Each operation on private values becomes the body that its protocol kind's file gives for it
 * (ProtocolInstance.definition), in the rings that rings_choose has chosen. NULL if a message was given. */
Program *expand_program(Arena *arena, Diags *diags, const Program *joint);

#endif
