/* The invariants of each form of the program. A violation is our bug, never the user's. */
#ifndef TFEC_VERIFY_H
#define TFEC_VERIFY_H

#include "ir.h"

typedef enum VerifyStage { VERIFY_JOINT, VERIFY_CHOREOGRAPHY, VERIFY_PARTY } VerifyStage;

/* What is wrong, naming the operation (text in the program's arena); NULL: nothing. */
const char *verify_find(const Program *p, VerifyStage stage);
/* Prints the message and the program to stderr and aborts if something is wrong. */
void verify(const Program *p, VerifyStage stage);

#endif
