/* C prototypes of the functions that generated code may call; see abi.def. */
#ifndef TFE_ABI_H
#define TFE_ABI_H

#include <stdint.h>

#include "program.h"

typedef int32_t abi_s;
typedef void abi_v;
typedef TfeCtx *abi_c;
typedef uint64_t *abi_p;
typedef const uint64_t *abi_q;
typedef const int64_t *abi_z;
typedef const TfePart *abi_m;
typedef const char *abi_t;
typedef int64_t abi_i;
typedef double abi_d;

#define ABI(name, result, arguments) result name arguments;
#include "abi.def"
#undef ABI

#endif
