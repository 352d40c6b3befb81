# Compares two texts: words must be equal, numbers may differ by `tolerance`. Blanks between words do not count.
#   awk -v tolerance=0.01 -f compare.awk EXPECTED FOUND      exit code 1 and one line for each difference
function split_line(line, words, numbers,    n, piece) {
  n = 0
  words[0] = ""
  while (match(line, /[-+]?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?/)) {
    piece = substr(line, 1, RSTART - 1)
    words[0] = words[0] piece "#"
    numbers[++n] = substr(line, RSTART, RLENGTH) + 0
    line = substr(line, RSTART + RLENGTH)
  }
  words[0] = words[0] line
  gsub(/[ \t,]+/, " ", words[0])
  gsub(/\[ /, "[", words[0])
  gsub(/ \]/, "]", words[0])
  return n
}
function differ(why) {
  printf "line %d: %s\n  expected: %s\n  found:    %s\n", line_number, why, expected, found
  bad = 1
}
BEGIN {
  tolerance += 0
  while (1) {
    more_expected = (getline expected < ARGV[1]) > 0
    more_found = (getline found < ARGV[2]) > 0
    if (!more_expected && !more_found)
      break
    line_number++
    if (!more_expected) expected = "(the end)"
    if (!more_found) found = "(the end)"
    split("", numbers_expected); split("", numbers_found)
    count_expected = split_line(expected, words_expected, numbers_expected)
    count_found = split_line(found, words_found, numbers_found)
    if (count_expected != count_found || words_expected[0] != words_found[0]) {
      differ("not the same text")
      continue
    }
    for (i = 1; i <= count_expected; i++) {
      d = numbers_expected[i] - numbers_found[i]
      if (d > tolerance || -d > tolerance) {
        differ(sprintf("%g and %g differ by more than %g", numbers_expected[i], numbers_found[i], tolerance))
        break
      }
    }
  }
  exit bad
}
