" Colours for .tfe files. The lines below `words:` are written by lang/words.c from the compiler's tables.
if exists("b:current_syntax")
  finish
endif

syn case match
syn iskeyword @,48-57,_

syn match tfeNumber "\<\d[0-9_]*\(\.\d[0-9_]*\)\?\([eE][-+]\?\d\+\)\?"
syn match tfeOperator "[-+*/%@=<>!]"
syn match tfeOperator "\.\."

" words: BUILTIN tfeBuiltinWord contained
syn keyword tfeBuiltinWord contained zeros ones full zeros_like eye arange one_hot reshape merge rows len concat ravel unravel T sum max min argmax argmin is_max is_min any all count abs sign exp log sqrt tanh round floor select lookup int fixed float conv2d conv2d_input conv2d_kernel seed random_normal random_uniform permutation input more output print progress assert_near checkpoint store load
syn match tfeBuiltin "\<\h\w*\>\ze\s*(" contains=tfeBuiltinWord transparent

" words: CONTROL tfeControl
syn keyword tfeControl return if else for in while break continue assert
" words: DECLARATION tfeDeclaration
syn keyword tfeDeclaration import as const param party let var
" words: FUNCTION tfeFunctionWord
syn keyword tfeFunctionWord fn test grad
" words: STRUCT tfeStructWord
syn keyword tfeStructWord struct
" words: MODIFIER tfeModifier
syn keyword tfeModifier public private
" words: DISCLOSE tfeDisclose
syn keyword tfeDisclose reveals share reveal to
" words: PROTOCOL tfeProtocol
syn keyword tfeProtocol protocol with
" words: PLACE tfePlace
syn keyword tfePlace at
" words: OPERATOR tfeOperatorWord
syn keyword tfeOperatorWord and or not
" words: CONSTANT tfeConstant
syn keyword tfeConstant true false
syn keyword tfeConstant me
syn keyword tfeType fixed float int bool string

syn match tfeFunction "\%(\<fn\s\+\)\@<=\h\w*"
syn match tfeStruct "\%(\<struct\s\+\)\@<=\h\w*"
syn match tfeFunction "\%(\<grad\s\+\)\@<=\h\w*\ze\s*\."
syn match tfeKind "\%(\<protocol\s\+\)\@<=\h\w*"
syn match tfeKind "\%(\<protocol\s\+kind\s\+\)\@<=\h\w*"
syn match tfeProtocol "\%(\<protocol\s\+\)\@<=kind\ze\s\+\h"
syn match tfePartyList "\%(\<party\s\+\)\@<=\h[^#;]*" contains=tfeParty,tfePartySize transparent
syn match tfeParty "\h\w*" contained
syn match tfePartySize "\[[^]]*\]" contained contains=tfeNumber,tfeOperator transparent
syn match tfeParty "\%(\<\%(at\|to\)\s\+\)\@<=\h\w*"

syn match tfeEscape "\\[nt\"\\]" contained
syn region tfeString start=+"+ skip=+\\\\\|\\"+ end=+"+ oneline contains=tfeEscape
syn match tfeComment "#.*" contains=@Spell
syn match tfeDocumentation "##.*" contains=@Spell

hi def link tfeNumber Number
hi def link tfeOperator Operator
hi def link tfeBuiltinWord Function
hi def link tfeControl Conditional
hi def link tfeDeclaration Statement
hi def link tfeFunctionWord Statement
hi def link tfeStructWord Structure
hi def link tfeModifier StorageClass
hi def link tfeDisclose WarningMsg
hi def link tfeProtocol Keyword
hi def link tfePlace Keyword
hi def link tfeOperatorWord Operator
hi def link tfeConstant Boolean
hi def link tfeType Type
hi def link tfeFunction Function
hi def link tfeStruct Type
hi def link tfeKind Type
hi def link tfeParty Identifier
hi def link tfeEscape SpecialChar
hi def link tfeString String
hi def link tfeComment Comment
hi def link tfeDocumentation SpecialComment

let b:current_syntax = "tfe"
