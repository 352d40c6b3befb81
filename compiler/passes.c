/* The order of the passes over the choreography, and what several of them ask of an operation. */
#include "pass.h"
#include "verify.h"

bool pass_is_guard(const Op *op) {
  return op->kind == OP_ASSERT || op->kind == OP_ASSERT_NEAR;
}

bool pass_is_disclosure(const Op *op) {
  return op->kind == OP_SEND && !(op->text && strcmp(op->text, "pure") == 0);
}

static void stage(Program *p, void (*pass)(Program *), const char *name, PassDump dump, void *data) {
  pass(p);
  verify(p, VERIFY_CHOREOGRAPHY);
  if (dump)
    dump(p, name, data);
}

void passes_run(Program *p, PassDump dump, void *data) {
  verify(p, VERIFY_CHOREOGRAPHY);
  stage(p, pass_fold, "fold", dump, data);
  stage(p, pass_cse, "cse", dump, data);
  stage(p, pass_licm, "licm", dump, data);
  stage(p, pass_cse, "cse2", dump, data);
  stage(p, pass_demand, "demand", dump, data);
  stage(p, pass_rounds, "rounds", dump, data);
  ir_hash(p);
}
