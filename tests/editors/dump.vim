" Prints the highlighting of the file that is open: one line for each stretch of one colour,
"   LINE:COLUMN GROUP TEXT
" Run: vim -Nu NONE -es --cmd 'set rtp^=lang/editors/vim' FILE -S dump.vim       (writes to $DUMP)
filetype plugin on
syntax on
set filetype=tfe
let s:out = []
for s:line in range(1, line("$"))
  let s:text = getline(s:line)
  let s:start = 1
  let s:group = ""
  for s:column in range(1, strlen(s:text) + 1)
    let s:here = s:column <= strlen(s:text) ? synIDattr(synID(s:line, s:column, 1), "name") : ""
    if s:here !=# s:group
      if s:group !=# ""
        call add(s:out, s:line . ":" . s:start . " " . s:group . " " . strpart(s:text, s:start - 1, s:column - s:start))
      endif
      let s:start = s:column
      let s:group = s:here
    endif
  endfor
endfor
call writefile(s:out, $DUMP)
qall!
