/* The modules around a party's code: types, the functions of abi.def, texts and tables, the constant
 * tfe_program, and LLVM's optimiser and code generator. One LLVM context for all parties of a build. */
#include "emit.h"

#include <assert.h>
#include <llvm-c/Analysis.h>
#include <llvm-c/Linker.h>
#include <llvm-c/Support.h>
#include <llvm-c/Target.h>
#include <llvm-c/TargetMachine.h>
#include <llvm-c/Transforms/PassBuilder.h>
#include <pthread.h>
#include <stdlib.h>

#include "../runtime/include/program.h"
#include "emit_llvm.h"

/* ---- the runtime's functions ----------------------------------------------------------------- */

static const struct {
  const char *name, *result, *arguments;
} abi_table[ABI_COUNT] = {
#define ABI(name, result, arguments) {#name, #result, #arguments},
#include "../runtime/include/abi.def"
#undef ABI
};

/* The LLVM type of an argument as it is spelled in abi.def: abi_p -> p. */
static LLVMTypeRef abi_type(const Emitter *e, char letter) {
  switch (letter) {
  case 's': return e->i32;
  case 'v': return LLVMVoidTypeInContext(e->context);
  case 'i': return e->i64;
  case 'd': return e->f64;
  default: return e->ptr;
  }
}

static bool abi_has_status(AbiFunction f) {
  return abi_table[f].result[4] == 's';
}

/* Functions of numbers alone: calls can be moved, merged and dropped. */
static bool abi_is_pure(AbiFunction f) {
  return abi_table[f].result[4] == 'd' || f == ABI_tfe_rng_seed || f == ABI_tfe_rng_next;
}

void emit_attribute(const Emitter *e, LLVMValueRef function, int index, const char *name, uint64_t value) {
  unsigned kind = LLVMGetEnumAttributeKindForName(name, strlen(name));
  assert(kind);
  LLVMAddAttributeAtIndex(function, (LLVMAttributeIndex)index,
                          LLVMCreateEnumAttribute(e->context, kind, value));
}

static LLVMValueRef abi_declare(Emitter *e, AbiFunction f) {
  LLVMTypeRef types[16];
  unsigned count = 0;
  for (const char *t = abi_table[f].arguments; (t = strstr(t, "abi_")); t += 5)
    types[count++] = abi_type(e, t[4]);
  LLVMTypeRef type = LLVMFunctionType(abi_type(e, abi_table[f].result[4]), types, count, 0);
  LLVMValueRef function = LLVMAddFunction(e->into->module, abi_table[f].name, type);
  emit_attribute(e, function, LLVMAttributeFunctionIndex, "nounwind", 0);
  emit_attribute(e, function, LLVMAttributeFunctionIndex, "willreturn", 0);
  if (abi_is_pure(f))
    emit_attribute(e, function, LLVMAttributeFunctionIndex, "memory", 0); /* none */
  return function;
}

LLVMValueRef emit_call(Emitter *e, AbiFunction f, const LLVMValueRef *args, int count) {
  LLVMValueRef *function = &e->into->abi[f];
  if (!*function)
    *function = abi_declare(e, f);
  e->calls += e->into == &e->main;
  LLVMTypeRef type = LLVMGlobalGetValueType(*function);
  assert((unsigned)count == LLVMCountParamTypes(type));
  LLVMValueRef copy[16];
  memcpy(copy, args, sizeof *args * (size_t)count);
  LLVMValueRef result = LLVMBuildCall2(e->builder, type, *function, copy, (unsigned)count, "");
  if (abi_has_status(f))
    emit_check_status(e, result);
  return result;
}

void emit_check_status(Emitter *e, LLVMValueRef status) {
  LLVMBasicBlockRef here = LLVMGetInsertBlock(e->builder);
  LLVMBasicBlockRef next = LLVMAppendBasicBlockInContext(e->context, e->run, "");
  LLVMValueRef good = LLVMBuildICmp(e->builder, LLVMIntEQ, status, LLVMConstInt(e->i32, 0, 0), "");
  LLVMBuildCondBr(e->builder, good, next, e->failed);
  LLVMAddIncoming(e->status, &status, &here, 1);
  LLVMPositionBuilderAtEnd(e->builder, next);
}

/* ---- constants ------------------------------------------------------------------------------- */

LLVMTypeRef emit_elem_type(const Emitter *e, const IrType *t) {
  return t->elem == EL_FIXED ? e->f64 : e->i64;
}

LLVMValueRef emit_i64(const Emitter *e, int64_t v) {
  return LLVMConstInt(e->i64, (uint64_t)v, 1);
}

LLVMValueRef emit_global(Emitter *e, LLVMValueRef value, const char *name) {
  LLVMValueRef g = LLVMAddGlobal(e->into->module, LLVMTypeOf(value), name);
  LLVMSetInitializer(g, value);
  LLVMSetGlobalConstant(g, 1);
  LLVMSetLinkage(g, LLVMPrivateLinkage);
  LLVMSetUnnamedAddress(g, LLVMGlobalUnnamedAddr);
  LLVMSetAlignment(g, 8);
  return g;
}

LLVMValueRef emit_text(Emitter *e, const char *text) {
  if (!text)
    return LLVMConstNull(e->ptr);
  LLVMValueRef g =
      emit_global(e, LLVMConstStringInContext(e->context, text, (unsigned)strlen(text), 0), "text");
  LLVMSetAlignment(g, 1);
  return g;
}

LLVMValueRef emit_i64_array(Emitter *e, const int64_t *v, int count) {
  LLVMValueRef *items = ARENA_ARRAY(e->arena, LLVMValueRef, count + 1);
  for (int i = 0; i < count; i++)
    items[i] = emit_i64(e, v[i]);
  return emit_global(e, LLVMConstArray2(e->i64, items, (uint64_t)count), "numbers");
}

LLVMValueRef emit_site(Emitter *e, const Op *op) {
  const char *text = ir_site_text(e->arena, op->site);
  if (!*text)
    return emit_i64(e, -1);
  for (int i = 0; i < e->sites.count; i++)
    if (!strcmp(e->sites.data[i], text))
      return emit_i64(e, i);
  VEC_PUSH(e->arena, &e->sites, text);
  return emit_i64(e, e->sites.count - 1);
}

int emit_slot_index(Emitter *e, const Op *op) {
  for (int i = 0; i < e->slot_list.count; i++) {
    const Slot *s = e->slot_list.data[i];
    if (s->is_output == (op->kind == OP_OUTPUT) && !strcmp(s->name, op->text))
      return i;
  }
  assert(false && "an input or output without a slot");
  return -1;
}

LLVMValueRef emit_stored_row(Emitter *e, const Op *op) {
  VEC_PUSH(e->arena, &e->stored, op);
  return emit_i64(e, e->stored.count - 1);
}

/* ---- tfe_program ----------------------------------------------------------------------------- */

/* A record of the runtime: all fields are 8 bytes; `size` guards against one that was forgotten here. */
static LLVMValueRef record(Emitter *e, size_t size, LLVMValueRef *fields, unsigned count) {
  assert(size == 8 * (size_t)count);
  (void)size;
  return LLVMConstStructInContext(e->context, fields, count, 0);
}

#define RECORD(e, Type, ...)                                                                                 \
  record((e), sizeof(Type), (LLVMValueRef[]){__VA_ARGS__},                                                   \
         (unsigned)(sizeof((LLVMValueRef[]){__VA_ARGS__}) / sizeof(void *)))

/* An array of records; the null pointer if there are none. */
static LLVMValueRef table(Emitter *e, LLVMValueRef *rows, int count, const char *name) {
  if (count == 0)
    return LLVMConstNull(e->ptr);
  return emit_global(e, LLVMConstArray2(LLVMTypeOf(rows[0]), rows, (uint64_t)count), name);
}

static LLVMValueRef party_table(Emitter *e) {
  const Program *p = e->program;
  LLVMValueRef *rows = ARENA_ARRAY(e->arena, LLVMValueRef, p->parties.count);
  for (int i = 0; i < p->parties.count; i++) {
    const PartyDecl *d = &p->parties.data[i];
    rows[i] = RECORD(e, TfePartyDecl, emit_text(e, d->name), emit_i64(e, d->first), emit_i64(e, d->count),
                     emit_i64(e, d->family));
  }
  return table(e, rows, p->parties.count, "parties");
}

static int64_t slot_elem(const Slot *s) {
  return s->type.elem == EL_FIXED ? TFE_ELEM_FIXED : s->type.elem == EL_INT ? TFE_ELEM_INT : TFE_ELEM_BOOL;
}

/* One byte a member, 1 where it is one of the owners. */
static LLVMValueRef member_table(Emitter *e, PartySet owner) {
  char *own = arena_alloc(e->arena, (size_t)e->self->count);
  for (int i = 0; i < e->self->count; i++)
    own[i] = party_has(owner, e->self->first + i);
  return emit_global(e, LLVMConstStringInContext(e->context, own, (unsigned)e->self->count, 1), "members");
}

static LLVMValueRef slot_table(Emitter *e) {
  LLVMValueRef *rows = ARENA_ARRAY(e->arena, LLVMValueRef, e->slot_list.count + 1);
  for (int i = 0; i < e->slot_list.count; i++) {
    const Slot *s = e->slot_list.data[i];
    const Shape *shape = &s->type.shape;
    rows[i] = RECORD(e, TfeSlot, emit_text(e, ir_slot_name(e->arena, s)), emit_text(e, s->field),
                     emit_i64(e, slot_elem(s)), emit_i64(e, shape->rank),
                     emit_i64_array(e, shape->dim, shape->rank),
                     emit_text(e, s->span.source ? source_where(e->arena, s->span) : ""),
                     emit_i64(e, s->is_output), emit_i64(e, s->whole), member_table(e, s->owner));
  }
  return table(e, rows, e->slot_list.count, "slots");
}

static LLVMValueRef stored_row(Emitter *e, const Op *op) {
  const Stored *s = &e->program->stored.data[op->ints.data[0]];
  const ProtocolInstance *k = &e->program->protocols.data[s->protocol];
  const IrType *t = op->kind == OP_STORE ? &op->args.data[0]->type : &op->type;
  int64_t *holders = ARENA_ARRAY(e->arena, int64_t, k->servers.count);
  for (int i = 0; i < k->servers.count; i++)
    holders[i] = k->servers.data[i];
  const char *format = arena_printf(e->arena, "frac = %d, whole = %d, ring = %d", k->frac, k->whole, k->ring);
  bool is_ring = t->elem == EL_RING;
  return RECORD(
      e, TfeStored, emit_text(e, s->name), emit_text(e, op->texts.data[0]), emit_text(e, op->texts.data[1]),
      emit_i64(e, op->ints.data[0]), emit_i64(e, s->loads),
      emit_i64(e, is_ring              ? t->bits
                  : t->elem == EL_BOOL ? 1
                                       : 64),
      emit_i64(e, is_ring ? t->scale : -1), emit_i64(e, t->shape.rank),
      emit_i64_array(e, t->shape.dim, t->shape.rank), emit_text(e, k->kind), emit_text(e, format),
      emit_text(e, s->type), emit_i64(e, k->servers.count), emit_i64_array(e, holders, k->servers.count),
      emit_text(e, s->span.source ? source_where(e->arena, s->span) : ""), member_table(e, op->where));
}

static LLVMValueRef stored_table(Emitter *e) {
  LLVMValueRef *rows = ARENA_ARRAY(e->arena, LLVMValueRef, e->stored.count + 1);
  for (int i = 0; i < e->stored.count; i++)
    rows[i] = stored_row(e, e->stored.data[i]);
  return table(e, rows, e->stored.count, "stored");
}

static LLVMValueRef live_table(Emitter *e) {
  int count = emit_checkpoint_count(e);
  LLVMValueRef *rows = ARENA_ARRAY(e->arena, LLVMValueRef, count + 1);
  for (int i = 0; i < count; i++)
    rows[i] = emit_live(e, i);
  return table(e, rows, count, "live");
}

static LLVMValueRef site_table(Emitter *e) {
  LLVMValueRef *rows = ARENA_ARRAY(e->arena, LLVMValueRef, e->sites.count + 1);
  for (int i = 0; i < e->sites.count; i++)
    rows[i] = emit_text(e, e->sites.data[i]);
  return table(e, rows, e->sites.count, "sites");
}

static LLVMValueRef link_table(Emitter *e, const EmitInfo *info) {
  int64_t n = (int64_t)e->self->count * e->program->party_count;
  LLVMValueRef text = LLVMConstStringInContext(e->context, (const char *)info->links, (unsigned)n, 1);
  return emit_global(e, text, "links");
}

/* Field by field as struct TfeProgram. */
static void add_program(Emitter *e, const EmitInfo *info) {
  const Program *p = e->program;
  static const int64_t none[5];
  const int64_t *expected = info->expected_known ? info->expected : none;
  LLVMValueRef value = RECORD(
      e, TfeProgram, emit_i64(e, TFE_ABI_VERSION), emit_text(e, p->name), emit_text(e, p->hash),
      emit_text(e, info->compiler), emit_text(e, info->manifest), emit_i64(e, p->parties.count),
      party_table(e), emit_i64(e, p->party_count), emit_i64(e, p->self), link_table(e, info),
      emit_i64(e, e->slot_list.count), slot_table(e), emit_i64(e, e->stored.count), stored_table(e),
      emit_i64(e, e->sites.count), site_table(e), emit_i64(e, e->plan->arena_words), emit_i64(e, p->clear),
      emit_text(e, info->about), emit_text(e, info->parameters), emit_i64(e, info->expected_known),
      emit_i64_array(e, expected, info->expected_known ? 5 * e->self->count : 5),
      emit_i64(e, emit_checkpoint_count(e)), live_table(e), emit_i64(e, info->total_steps), e->run);
  LLVMValueRef g = LLVMAddGlobal(e->into->module, LLVMTypeOf(value), "tfe_program");
  LLVMSetInitializer(g, value);
  LLVMSetGlobalConstant(g, 1);
  LLVMSetAlignment(g, 8);
}

/* ---- the module ------------------------------------------------------------------------------ */

static void list_slots(Emitter *e) {
  PartySet members = party_range(e->self->first, e->self->count);
  for (int i = 0; i < e->program->slots.count; i++)
    if (!party_empty(party_and(e->program->slots.data[i].owner, members)))
      VEC_PUSH(e->arena, &e->slot_list, &e->program->slots.data[i]);
}

/* Code for x86-64 runs on any such processor and has loops for better ones as well. */
static bool is_x86(const char *triple) {
  return !strncmp(triple, "x86_64", 6);
}

static int vector_levels(void) {
  char *triple = LLVMGetDefaultTargetTriple();
  int levels = is_x86(triple) ? EMIT_VECTOR_LEVELS : 1;
  LLVMDisposeMessage(triple);
  return levels;
}

EmitUnit *emit_unit(Arena *a, const EmitOptions *options, int parts) {
  EmitUnit *u = ARENA_NEW(a, EmitUnit);
  u->arena = a;
  u->options = *options;
  u->parts = parts;
  u->levels = vector_levels();
  u->context = LLVMContextCreate();
  u->loops = ARENA_ARRAY(a, EmitModule, parts);
  for (int i = 0; i < parts; i++)
    u->loops[i].module = LLVMModuleCreateWithNameInContext("loops", u->context);
  return u;
}

int emit_loop_parts(const EmitUnit *unit) {
  int used = 0;
  while (used < unit->parts && LLVMGetFirstFunction(unit->loops[used].module))
    used++;
  return used;
}

static Emitter *open_party(EmitUnit *u, Program *party) {
  Emitter *e = ARENA_NEW(u->arena, Emitter);
  e->unit = u;
  e->program = party;
  e->self = &party->parties.data[party->self];
  e->arena = party->arena;
  e->plan = plan_make(party);
  e->context = u->context;
  e->main.module = LLVMModuleCreateWithNameInContext(party->name, e->context);
  e->into = &e->main;
  e->builder = LLVMCreateBuilderInContext(e->context);
  e->i1 = LLVMInt1TypeInContext(e->context);
  e->i8 = LLVMInt8TypeInContext(e->context);
  e->i32 = LLVMInt32TypeInContext(e->context);
  e->i64 = LLVMInt64TypeInContext(e->context);
  e->f64 = LLVMDoubleTypeInContext(e->context);
  e->ptr = LLVMPointerTypeInContext(e->context, 0);
  e->part = LLVMStructTypeInContext(e->context, (LLVMTypeRef[]){e->ptr, e->i64, e->i64}, 3, 0); /* TfePart */
  list_slots(e);
  return e;
}

static void verify(LLVMModuleRef module) {
  char *message = NULL;
  if (LLVMVerifyModule(module, LLVMReturnStatusAction, &message)) {
    LLVMDumpModule(module);
    fprintf(stderr, "%s\n", message);
    assert(false && "the emitted module is not valid");
  }
  LLVMDisposeMessage(message);
}

Emitter *emit_party(EmitUnit *unit, Program *party, const EmitInfo *info) {
  Emitter *e = open_party(unit, party);
  emit_run(e);
  add_program(e, info);
  VEC_PUSH(unit->arena, &unit->parties, e);
  return e;
}

void emit_unit_free(EmitUnit *unit) {
  for (int i = 0; i < unit->parties.count; i++) {
    LLVMDisposeBuilder(unit->parties.data[i]->builder);
    LLVMDisposeModule(unit->parties.data[i]->main.module);
  }
  for (int i = 0; i < unit->parts; i++)
    if (unit->loops[i].module)
      LLVMDisposeModule(unit->loops[i].module);
  LLVMContextDispose(unit->context);
}

/* A unit of one party, with everything in the party's module. */
static Emitter *whole_party(Program *party, const EmitInfo *info, const EmitOptions *options) {
  EmitUnit *unit = emit_unit(party->arena, options, 1);
  Emitter *e = emit_party(unit, party, info);
  bool failed = LLVMLinkModules2(e->main.module, unit->loops[0].module);
  assert(!failed);
  (void)failed;
  unit->loops[0].module = NULL;
  return e;
}

void emit_print(Program *party, const EmitInfo *info, FILE *out) {
  Emitter *e = whole_party(party, info, &(EmitOptions){0});
  verify(e->main.module);
  char *text = LLVMPrintModuleToString(e->main.module);
  fputs(text, out);
  LLVMDisposeMessage(text);
  emit_unit_free(e->unit);
}

/* ---- code ------------------------------------------------------------------------------------ */

enum { LARGE_RUN = 400 }; /* calls */

static const char *kept_message(Arena *a, char *message) {
  const char *text = arena_printf(a, "%s", message ? message : "LLVM failed");
  LLVMDisposeMessage(message);
  return text;
}

static void set_options(void) {
  static const char *const words[] = {"tfec", "-disable-cgp-select2branch", "-disable-select-optimize",
                                      "-disable-lsr",
#if defined(__x86_64__)
                                      "-x86-cmov-converter=false"
#endif
  };
  LLVMParseCommandLineOptions(sizeof words / sizeof *words, words, NULL);
}

/* LLVM makes selects of products with a bit, and branches of selects where it hopes that they are faster: on
 * shares and masks, which must not show (tests/secret). So selects stay. Strength reduction takes a quarter of the time
 * for loops, and these with one index for all arrays gain nothing from it. The options are the process's. */
static void set_options_once(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, set_options);
}

static const char *make_machine(Arena *a, int level, LLVMTargetMachineRef *machine) {
  set_options_once();
  LLVMInitializeNativeTarget();
  LLVMInitializeNativeAsmPrinter();
  char *triple = LLVMGetDefaultTargetTriple(), *message = NULL;
  LLVMTargetRef target;
  if (LLVMGetTargetFromTriple(triple, &target, &message)) {
    LLVMDisposeMessage(triple);
    return kept_message(a, message);
  }
  LLVMCodeGenOptLevel effort = level == 0   ? LLVMCodeGenLevelNone
                               : level == 1 ? LLVMCodeGenLevelLess
                               : level == 2 ? LLVMCodeGenLevelDefault
                                            : LLVMCodeGenLevelAggressive;
  *machine = LLVMCreateTargetMachine(target, triple, is_x86(triple) ? "x86-64" : "generic", "", effort,
                                     LLVMRelocPIC, LLVMCodeModelDefault);
  LLVMDisposeMessage(triple);
  return NULL;
}

/* What is made here is simple: one long function of calls, and loops of straight code. At the usual level the passes
 * that such code needs take half the time of LLVM's own selection, and leave as good code. */
static const char *pipeline(Arena *a, int level) {
  static const char *const usual = "function(sroa,early-cse,simplifycfg,instcombine<no-verify-fixpoint>,loop-"
                                   "simplify,lcssa,loop(loop-rotate),"
                                   "loop-vectorize,instcombine<no-verify-fixpoint>,early-cse,simplifycfg)";
  return level == 2 ? usual : arena_printf(a, "default<O%d>", level);
}

static const char *optimise(Arena *a, LLVMModuleRef module, LLVMTargetMachineRef machine, int level) {
  LLVMTargetDataRef data = LLVMCreateTargetDataLayout(machine);
  char *layout = LLVMCopyStringRepOfTargetData(data);
  char *triple = LLVMGetTargetMachineTriple(machine);
  LLVMSetDataLayout(module, layout);
  LLVMSetTarget(module, triple);
  LLVMDisposeMessage(layout);
  LLVMDisposeTargetData(data);
  LLVMDisposeMessage(triple);
  LLVMPassBuilderOptionsRef options = LLVMCreatePassBuilderOptions();
  LLVMErrorRef error = LLVMRunPasses(module, pipeline(a, level), machine, options);
  LLVMDisposePassBuilderOptions(options);
  if (!error)
    return NULL;
  char *message = LLVMGetErrorMessage(error);
  const char *text = arena_printf(a, "%s", message);
  LLVMDisposeErrorMessage(message);
  return text;
}

static const char *write_code(Arena *a, LLVMModuleRef module, int level, const char *path,
                              LLVMCodeGenFileType kind) {
  verify(module);
  LLVMTargetMachineRef machine = NULL;
  const char *error = make_machine(a, level, &machine);
  if (!error)
    error = optimise(a, module, machine, level);
  char *message = NULL;
  if (!error && LLVMTargetMachineEmitToFile(machine, module, (char *)(uintptr_t)path, kind, &message))
    error = kept_message(a, message);
  if (machine)
    LLVMDisposeTargetMachine(machine);
  return error;
}

/* A large `run` is compiled without effort: its time goes into what it calls, and that of LLVM grows faster than the
 * function. */
static bool run_is_large(const Emitter *e) {
  return e->unit->options.level == 2 && e->calls > LARGE_RUN;
}

const char *emit_party_object(Emitter *e, const char *path) {
  int level = run_is_large(e) ? 0 : e->unit->options.level;
  return write_code(e->arena, e->main.module, level, path, LLVMObjectFile);
}

const char *emit_loops_object(EmitUnit *unit, int part, const char *path) {
  return write_code(unit->arena, unit->loops[part].module, unit->options.level, path, LLVMObjectFile);
}

const char *emit_assembly(Program *party, const EmitInfo *info, const EmitOptions *options,
                          const char *path) {
  Emitter *e = whole_party(party, info, options);
  if (run_is_large(e)) { /* as little effort as in objects */
    emit_attribute(e, e->run, LLVMAttributeFunctionIndex, "noinline", 0);
    emit_attribute(e, e->run, LLVMAttributeFunctionIndex, "optnone", 0);
  }
  const char *error = write_code(e->arena, e->main.module, options->level, path, LLVMAssemblyFile);
  emit_unit_free(e->unit);
  return error;
}
