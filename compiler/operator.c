/* See operator.h. */
#include "operator.h"

OpKind operator_op(Operator o) {
  switch (o) {
  case OPR_ADD: return OP_ADD;
  case OPR_SUB: return OP_SUB;
  case OPR_MUL: return OP_MUL;
  case OPR_DIV: return OP_DIV;
  case OPR_FLOORDIV: return OP_FLOORDIV;
  case OPR_MOD: return OP_MOD;
  case OPR_POW: return OP_POW;
  case OPR_MATMUL: return OP_MATMUL;
  case OPR_EQ: return OP_EQ;
  case OPR_NE: return OP_NE;
  case OPR_LT:
  case OPR_GT: return OP_LT;
  case OPR_LE:
  case OPR_GE: return OP_LE;
  case OPR_AND: return OP_AND;
  case OPR_OR: return OP_OR;
  case OPR_NOT: return OP_NOT;
  case OPR_NEG: return OP_NEG;
  }
  return OP_NONE;
}
