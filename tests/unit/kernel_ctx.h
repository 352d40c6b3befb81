/* A context without connections, for unit tests of the runtime: parties ann, clinic.0 .. clinic.2, bob; we
 * are clinic. */
#ifndef KERNEL_CTX_H
#define KERNEL_CTX_H

#include "../../runtime/ctx.h"
#include "../../runtime/prg/prg.h"

static const TfePartyDecl test_decls[] = {{"ann", 0, 1, 0}, {"clinic", 1, 3, 1}, {"bob", 4, 1, 0}};
static const char *const test_sites[] = {"model.tfe:7", "logreg.tfe:25 in fit, called from model.tfe:9"};
static const TfeProgram test_program = {
    .abi_version = TFE_ABI_VERSION,
    .party_decl_count = 3,
    .party_decls = test_decls,
    .party_count = 5,
    .self = 1,
    .site_count = 2,
    .sites = test_sites,
    .arena_words = 10,
};

#endif
