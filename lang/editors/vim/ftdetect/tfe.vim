autocmd BufNewFile,BufRead *.tfe setfiletype tfe
