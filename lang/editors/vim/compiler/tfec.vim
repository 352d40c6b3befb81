" :make checks the file. Notes and helps belong to the message above them.
if exists("current_compiler")
  finish
endif
let current_compiler = "tfec"

if exists(":CompilerSet") != 2
  command -nargs=* CompilerSet setlocal <args>
endif
CompilerSet makeprg=tfec\ check\ %:S
CompilerSet errorformat=%f:%l:%c:\ %trror[%*[EW]%n]:\ %m,%f:%l:%c:\ %tarning[%*[EW]%n]:\ %m,%-G%.%#
