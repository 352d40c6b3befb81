/* Times and rates as people write them on a command line: 40ms, 250us, 0.5s; 64kbit, 100Mbit, 1Gbit (a second).
 * tfec and the party executables read them alike. Header only, since these two share no library. */
#ifndef TFE_UNITS_H
#define TFE_UNITS_H

#include <stdlib.h>
#include <string.h>

#define TFE_UNITS_RTT "a round-trip time like 40ms, 500us or 0.1s, of at most 2s"
#define TFE_UNITS_RATE "a rate like 64kbit, 100Mbit or 1Gbit"

typedef struct TfeUnit {
  const char *name;
  double factor;
} TfeUnit;

/* Negative: not a number with one of these units. */
static inline double tfe_units_read(const char *text, const TfeUnit *units, int count) {
  char *unit;
  if (strspn(text, "0123456789.") == 0 || text[1] == 'x' || text[1] == 'X')
    return -1;
  double value = strtod(text, &unit);
  for (int i = 0; unit != text && i < count; i++)
    if (strcmp(unit, units[i].name) == 0)
      return value * units[i].factor;
  return -1;
}

/* Seconds; negative: not such a time. The limit is what the handshake of two parties endures. */
static inline double tfe_units_rtt(const char *text) {
  static const TfeUnit units[] = {{"us", 1e-6}, {"ms", 1e-3}, {"s", 1}};
  double seconds = tfe_units_read(text, units, 3);
  return seconds <= 2 ? seconds : -1;
}

/* Bits a second; negative: not such a rate. */
static inline double tfe_units_rate(const char *text) {
  static const TfeUnit units[] = {{"kbit", 1e3}, {"Mbit", 1e6}, {"Gbit", 1e9}};
  double rate = tfe_units_read(text, units, 3);
  return rate >= 1e3 && rate <= 1e12 ? rate : -1;
}

#endif
