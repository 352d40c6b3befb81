/* The list of builtin functions, for the manual, the editors' word lists and "did you mean". */
#ifndef TFEC_BUILTIN_H
#define TFEC_BUILTIN_H

int builtin_total(void);
const char *builtin_name(int i);
const char *builtin_parameters(int i); /* "x, axis = all" */
const char *builtin_doc(int i);

#endif
