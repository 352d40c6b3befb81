" Prints what :cgetfile makes of messages of tfec: FILE:LINE:COLUMN TYPE TEXT. Reads $MESSAGES, writes $DUMP.
compiler tfec
cgetfile $MESSAGES
let s:out = []
for s:item in getqflist()
  if s:item.valid
    call add(s:out, bufname(s:item.bufnr) . ":" . s:item.lnum . ":" . s:item.col . " " . s:item.type . " " . s:item.text)
  endif
endfor
call writefile(s:out, $DUMP)
qall!
