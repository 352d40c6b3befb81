" Two columns for each bracket that the line above leaves open; a closing bracket steps back.
if exists("b:did_indent")
  finish
endif
let b:did_indent = 1

setlocal indentexpr=TfeIndent() indentkeys=0},0),0],!^F,o,O
let b:undo_indent = "setlocal indentexpr< indentkeys<"

if exists("*TfeIndent")
  finish
endif

function! TfeIndent() abort
  let above = prevnonblank(v:lnum - 1)
  if above == 0
    return 0
  endif
  let text = substitute(getline(above), '"\(\\.\|[^"\\]\)*"', '', 'g')
  let text = substitute(text, '#.*', '', '')
  let step = text =~# '[{([]\s*$' ? shiftwidth() : 0
  let back = getline(v:lnum) =~# '^\s*[])}]' ? shiftwidth() : 0
  return indent(above) + step - back
endfunction
