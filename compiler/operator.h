/* Operators of the language as operations. */
#ifndef TFEC_OPERATOR_H
#define TFEC_OPERATOR_H

#include "ast.h"
#include "ir.h"

/* The operation of an operator. x > y and x >= y are y < x and y <= x: the caller swaps the operands. */
OpKind operator_op(Operator o);

#endif
