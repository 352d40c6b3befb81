/* What a compiled party program tells the runtime about itself. The emitter lays out one constant `tfe_program` of
 * this type in the object file; runtime/party.c runs it. Only fixed-size fields and pointers, so that the LLVM side
 * (compiler/emit.c) can mirror it field by field. */
#ifndef TFE_PROGRAM_H
#define TFE_PROGRAM_H

#include <stdint.h>

#define TFE_ABI_VERSION 2
#define TFE_PROTOCOL_VERSION 3 /* of the handshake and the message header */

typedef struct TfeCtx TfeCtx;

typedef struct TfePartyDecl {
  const char *name;
  int64_t first, count; /* parties are numbered through; a single party has count 1 */
  int64_t family;       /* 1: members are NAME.0, NAME.1, ... */
} TfePartyDecl;

enum { TFE_ELEM_FIXED = 1, TFE_ELEM_INT = 2, TFE_ELEM_BOOL = 3 };

/* An input or output slot. A struct has one slot a field, with the same name. */
typedef struct TfeSlot {
  const char *name;  /* "x" */
  const char *field; /* "c1.k", or NULL */
  int64_t elem;      /* TFE_ELEM_* */
  int64_t rank;
  const int64_t *dims;
  const char *where; /* "logistic.tfe:35" */
  int64_t is_output;
  int64_t whole; /* values must be below 2^whole in magnitude, or the protocol cannot hold them; 0: any */
  const uint8_t *members; /* [members of self] whose slot it is; NULL: of all */
} TfeSlot;

/* One tensor of a value that the program stores or loads: of each of its leaves the part that this party holds.
 * Rows of one group are one value; they are stored or loaded one after the other. */
typedef struct TfeStored {
  const char *name;  /* "net" */
  const char *field; /* "l1.w", or "" */
  const char *part;  /* of a private value, as its protocol kind names it: "a" */
  int64_t group, loads;
  int64_t bits, scale; /* of an element; scale -1: a number in the clear */
  int64_t rank;
  const int64_t *dims;
  const char *protocol; /* "pond" */
  const char *format;   /* "frac = 16, whole = 14, ring = 64" */
  const char *type;     /* "LogReg[2]" */
  int64_t holder_count;
  const int64_t *holders; /* party numbers of those who hold the other parts, and of this party, in order */
  const char *where;      /* "logistic.tfe:35" */
  const uint8_t *members; /* [members of self] whose row it is */
} TfeStored;

/* Bits of TfeProgram.links. */
enum {
  TFE_LINK_SEND = 1,    /* this party sends messages there */
  TFE_LINK_RECEIVE = 2, /* this party receives messages from there */
  TFE_LINK_KEY = 4,     /* they draw common randomness */
  TFE_LINK_AHEAD =
      8, /* the peer receives nothing from anybody and may run ahead: bound what is read in advance */
  TFE_LINK_DIAL = 16, /* this party dials; else it listens for the peer */
};

typedef struct TfeProgram {
  int64_t abi_version;
  const char *source;   /* "logistic.tfe" */
  const char *hash;     /* program hash, 64 hex digits: the same at all parties */
  const char *compiler; /* "tfec 0.1.0" */
  const char *manifest; /* the JSON manifest */
  int64_t party_decl_count;
  const TfePartyDecl *party_decls;
  int64_t party_count;
  int64_t self;         /* index into party_decls */
  const uint8_t *links; /* [members of self][party_count], TFE_LINK_* ; 0: no connection */
  int64_t slot_count;   /* of this party */
  const TfeSlot *slots;
  int64_t stored_count; /* of this party */
  const TfeStored *stored;
  int64_t site_count;       /* source places, numbered; runtime calls name them */
  const char *const *sites; /* "logreg.tfe:25", with " in predict, called from model.tfe:36" behind it */
  int64_t arena_words;      /* 8-byte words of data memory */
  int64_t uses_clear;       /* a protocol of kind clear: needs --allow-clear */
  const char *about;        /* text of --about, with one %s for the member's name */
  const char *parameters;   /* "epochs=10\nbatch=30\n": compared in the handshake */
  int64_t expected_known;   /* 1: rounds, messages, bytes below are exact (no `while`) */
  const int64_t *
      expected; /* [members of self][5]: rounds, messages sent, bytes sent, messages received, bytes received */
  int64_t checkpoints; /* places in the program at which a run can be resumed; the same at all parties */
  const int64_t *const *live; /* of each: how many ranges of words of the data memory are needed behind it, offset and
                                 number of each; NULL: all are */
  int64_t total_steps; /* progress: 0 if unknown */
  int32_t (*run)(TfeCtx *ctx, uint64_t *arena);
} TfeProgram;

extern const TfeProgram tfe_program;

/* One part of a message: count elements of `bits` bits, at `data`. Elements are packed without gaps, least
 * significant bit first; each part starts on a byte boundary. */
typedef struct TfePart {
  uint64_t *data;
  int64_t count;
  int64_t bits; /* 1 .. 64 */
} TfePart;

/* Every message has this header (little-endian), then its parts. */
enum { TFE_DRAW_WORDS = 8 };    /* of an opened draw (abi.def) */
enum { TFE_HEADER_BYTES = 16 }; /* u64 payload bytes, u32 message number, u32 logical clock */

#endif
