/* The grammar. LALR(1) without conflicts; the actions only build the tree (ast_*, in ast.c).
 *
 * What keeps it free of conflicts: share and reveal stand above `arith`, and operands are always `arith`,
 * so that `reveal e to P` has no dangling `to`; there is no struct literal with braces; a target of an
 * assignment is parsed as `arith` and checked by ast_assign; newlines have become END in the scanner.
 *
 * Errors: `error` stands for an item or a statement; everything up to the next END is skipped, but a block
 * that comes on the way is parsed, so that the rest of a function is still read. Parser.quiet suppresses
 * the consequences of an error up to the next END. Expected tokens come from LAC, in words a user would
 * choose. */
%define api.prefix {parse_}
%define api.pure full
%define api.token.prefix {T_}
%define api.value.type union
%define api.location.type {Span}
%define parse.error custom
%define parse.lac full
%locations
%expect 0
%parse-param {Parser *p}
%lex-param {Parser *p}

%code requires {
#include "parse.h"
}

%code {
int parse_lex(PARSE_STYPE *value, Span *at, Parser *p);
static void parse_error(Span *at, Parser *p, const char *text);
static void report_else(Parser *p, Span at);

/* An empty rule stands behind what was read last. */
#define YYLLOC_DEFAULT(current, rhs, n)                                                             \
  do {                                                                                              \
    if (n)                                                                                          \
      (current) = (Span){YYRHSLOC(rhs, 1).source, YYRHSLOC(rhs, 1).start, YYRHSLOC(rhs, n).end};    \
    else                                                                                            \
      (current) = (Span){YYRHSLOC(rhs, 0).source, YYRHSLOC(rhs, 0).end, YYRHSLOC(rhs, 0).end};      \
  } while (0)

#define ADD(list, item) VEC_PUSH(p->arena, list, item)
/* A list of one. */
#define LIST_OF(to, Type, item)                                                                     \
  do {                                                                                              \
    (to) = ARENA_NEW(p->arena, Type);                                                               \
    VEC_PUSH(p->arena, (to), (item));                                                               \
  } while (0)
}

%initial-action {
  @$ = (Span){p->source, 0, 0};
  (void)yynerrs;
}

%token END "end of line" BAD
%token <const char *> NAME "a name" STRING "a string"
%token <int64_t> INT "a number"
%token <double> REAL "a real number"
%token IMPORT "import" AS "as" CONST "const" PARAM "param" PARTY "party" PROTOCOL "protocol" WITH "with"
  STRUCT "struct" FN "fn" RETURN "return" REVEALS "reveals" LET "let" VAR "var" IF "if" ELSE "else" FOR "for"
  IN "in" WHILE "while" BREAK "break" CONTINUE "continue" AT "at" SHARE "share" REVEAL "reveal" TO "to"
  TEST "test" ASSERT "assert" GRAD "grad" TRUE "true" FALSE "false" AND "and" OR "or" NOT "not"
  PUBLIC "public" PRIVATE "private"
%token EQ "==" NE "!=" LE "<=" GE ">=" ARROW "->" ADD_ASSIGN "+=" SUB_ASSIGN "-=" MUL_ASSIGN "*="
  DIV_ASSIGN "/=" FLOORDIV "//" POW "**" RANGE ".." SEMICOLON ";"

%left OR
%left AND
%precedence NOT
%left EQ NE '<' LE '>' GE
%left '+' '-'
%left '*' '/' FLOORDIV '%' '@'
%precedence NEGATION
%right POW

%nterm <Decl *> decl fn_decl struct_decl member
%nterm <DeclList *> members
%nterm <Stmt *> stmt if_stmt
%nterm <StmtList *> stmts
%nterm <Block *> block
%nterm <Expr *> expr arith postfix primary value_opt
%nterm <ExprList *> exprs pair
%nterm <ArgList *> args args_opt
%nterm <Arg> arg
%nterm <SubscriptList *> subs
%nterm <Subscript> sub
%nterm <PlaceExpr> place
%nterm <PlaceExpr *> at_opt
%nterm <PlaceList *> places helpers_opt
%nterm <ProtoExpr *> proto
%nterm <OptionList *> with_opt opts
%nterm <TypeExpr *> type type_opt result_opt base_type parm_type
%nterm <TypeList *> types
%nterm <DimList *> dims dims_opt
%nterm <Dim> dim
%nterm <NameList *> names sizes_opt kind_helpers_opt choices
%nterm <FieldList *> fields
%nterm <Field> field
%nterm <ParmList *> parms parms_opt
%nterm <Parm> parm plain_parm
%nterm <Word> name fn_name
%nterm <bool> reveals_opt let_or_var
%nterm <int> assign_op
%nterm <Visibility> visibility

%%

program: items

items: item
     | items end item

end: END                                  { p->quiet = false; yyerrok; }

item: %empty
    | decl                                { ast_add_decl(p, $decl); }
    | stmt                                { ast_add_stmt(p, $stmt); }

/* ---- declarations -------------------------------------------------------------------------------------- */

decl: IMPORT name                         { $$ = ast_import(p, @$, NULL, $name); }
    | IMPORT name[module] AS name[as]     { $$ = ast_import(p, @$, $module.text, $as); }
    | IMPORT STRING AS name               { $$ = ast_import(p, @$, $STRING, $name); }
    | CONST name type_opt '=' expr        { $$ = ast_const(p, DECL_CONST, @$, $name, $type_opt, $expr); }
    | PARAM name ':' type '=' expr        { $$ = ast_const(p, DECL_PARAM, @$, $name, $type, $expr); }
    | PARTY places                        { $$ = ast_party(p, @$, $places); }
    | PROTOCOL name '=' proto             { $$ = ast_protocol_name(p, @$, $name, $proto); }
    | struct_decl
    | fn_decl
    | GRAD name[fn] '.' name[parm] '(' name[gradient] ')' block
      { $$ = ast_grad_rule(p, @$, span_join(@1, @7), $fn, $parm, $gradient, $block); }
    | TEST STRING block
      { $$ = ast_test(p, @$, span_join(@1, @2), (Word){$STRING, @2}, $block); }
    | PROTOCOL name[kind] name[of] '(' names kind_helpers_opt ')' '{' members '}'
      { $$ = ast_kind(p, @$, span_join(@1, @7), $kind, $of, $names, $kind_helpers_opt, $members); }

struct_decl: STRUCT name sizes_opt '{' fields '}'
      { $$ = ast_struct(p, @$, span_join(@1, @3), $name, $sizes_opt, $fields); }

sizes_opt: %empty                         { $$ = NULL; }
         | '[' names ']'                  { $$ = $names; }

fields: %empty                            { $$ = ARENA_NEW(p->arena, FieldList); }
      | field                             { LIST_OF($$, FieldList, $field); }
      | error                             { $$ = ARENA_NEW(p->arena, FieldList); }
      | fields end
      | fields end field                  { $$ = $1; ADD($$, $field); }
      | fields end error

field: name ':' type                      { $$ = (Field){@$, $name.text, $type}; }

fn_decl: FN name '(' parms_opt ')' result_opt reveals_opt block
      { Span head = span_join(@1, @reveals_opt);
        $$ = ast_fn(p, @$, head, $name, $parms_opt, $result_opt, $reveals_opt, $block); }

result_opt: %empty                        { $$ = NULL; }
          | ARROW type                    { $$ = $type; }

reveals_opt: %empty                       { $$ = false; }
           | REVEALS                      { $$ = true; }

parms_opt: %empty                         { $$ = NULL; }
         | parms
         | parms ','

parms: parm                               { LIST_OF($$, ParmList, $parm); }
     | parms ',' parm                     { $$ = $1; ADD($$, $parm); }

parm: plain_parm
    | VAR plain_parm                      { $$ = $plain_parm; $$.is_var = true; $$.span = @$; }

plain_parm: name                          { $$ = (Parm){@$, false, $name.text, NULL, NULL, NULL}; }
          | name AT NAME                  { $$ = (Parm){@$, false, $name.text, NULL, $NAME, NULL}; }
          | name ':' parm_type            { $$ = (Parm){@$, false, $name.text, $parm_type, NULL, NULL}; }
          | name '=' arith                { $$ = (Parm){@$, false, $name.text, NULL, NULL, $arith}; }
          | name ':' parm_type '=' arith  { $$ = (Parm){@$, false, $name.text, $parm_type, NULL, $arith}; }

parm_type: type
         | visibility                     { $$ = ast_type_visible(p, @$, $1, @1, NULL); }
         | visibility AT place
           { $$ = ast_type_visible(p, @$, $1, @1, NULL); $$->has_place = true; $$->place = $place; }

name: NAME                                { $$ = (Word){$1, @1}; }

names: name                               { LIST_OF($$, NameList, ((PatternName){$1.at, $1.text})); }
     | names ',' name                     { $$ = $1; ADD($$, ((PatternName){$3.at, $3.text})); }

/* ---- protocol kinds (files of stdlib/protocol/) -------------------------------------------------------- */

kind_helpers_opt: %empty                  { $$ = NULL; }
                | SEMICOLON names         { $$ = $names; }

members: %empty                           { $$ = ARENA_NEW(p->arena, DeclList); }
       | member                           { LIST_OF($$, DeclList, $member); }
       | error                            { $$ = ARENA_NEW(p->arena, DeclList); }
       | error block                      { $$ = ARENA_NEW(p->arena, DeclList); p->quiet = true; }
       | members end
       | members end member               { $$ = $1; ADD($$, $member); }
       | members end error
       | members end error block          { $$ = $1; p->quiet = true; }

member: struct_decl
      | name '{' fields '}'               { $$ = ast_holds(p, @$, $name, $fields); }
      | name[word] name '=' arith         { $$ = ast_option(p, @$, $word, $2, $arith, NULL); }
      | name[word] name '=' STRING[first] '|' choices
        { $$ = ast_option(p, @$, $word, $2, ast_string(p, @first, $first), $choices); }
      | FN fn_name '(' parms_opt ')' result_opt reveals_opt block
        { Span head = span_join(@1, @reveals_opt);
        $$ = ast_fn(p, @$, head, $fn_name, $parms_opt, $result_opt, $reveals_opt, $block); }
      | name FN fn_name '(' parms_opt ')' result_opt reveals_opt block
        { Span head = span_join(@1, @reveals_opt);
        $$ = ast_fn(p, @$, head, $fn_name, $parms_opt, $result_opt, $reveals_opt, $block);
          $$->modifier = $name.text; }

/* What an option can be besides its default. */
choices: STRING                           { LIST_OF($$, NameList, ((PatternName){@$, $1})); }
       | choices '|' STRING               { $$ = $1; ADD($$, ((PatternName){@3, $3})); }

/* A protocol defines operations by their names, and some are keywords. */
fn_name: name
       | SHARE                            { $$ = (Word){arena_intern_z(p->arena, "share"), @1}; }
       | REVEAL                           { $$ = (Word){arena_intern_z(p->arena, "reveal"), @1}; }
       | AND                              { $$ = (Word){arena_intern_z(p->arena, "and"), @1}; }
       | OR                               { $$ = (Word){arena_intern_z(p->arena, "or"), @1}; }
       | NOT                              { $$ = (Word){arena_intern_z(p->arena, "not"), @1}; }

/* ---- places, protocols, types -------------------------------------------------------------------------- */

place: NAME                               { $$ = (PlaceExpr){@$, $NAME, NULL}; }
     | NAME '[' arith ']'                 { $$ = (PlaceExpr){@$, $NAME, $arith}; }

places: place                             { LIST_OF($$, PlaceList, $place); }
      | places ',' place                  { $$ = $1; ADD($$, $place); }

proto: name '(' places helpers_opt ')' with_opt
       { $$ = ast_proto(p, @$, $name, $places, $helpers_opt, $with_opt); }

helpers_opt: %empty                       { $$ = NULL; }
           | SEMICOLON places             { $$ = $places; }

with_opt: %empty                          { $$ = NULL; }
        | WITH opts                       { $$ = $opts; }

opts: NAME '=' arith                      { LIST_OF($$, OptionList, ((Option){@$, $NAME, $arith})); }
    | opts ',' NAME '=' arith             { $$ = $1; ADD($$, ((Option){span_join(@3, @5), $NAME, $arith})); }

type: base_type
    | visibility base_type                { $$ = ast_type_visible(p, @$, $1, @1, $2); }
    | '(' types ')'                       { $$ = ast_type_tuple(p, @$, $types); }

base_type: name dims_opt at_opt           { $$ = ast_type(p, @$, (Word){0}, $name, $dims_opt, $at_opt); }
         | name[module] '.' name dims_opt at_opt { $$ = ast_type(p, @$, $module, $3, $dims_opt, $at_opt); }

visibility: PUBLIC                        { $$ = VIS_PUBLIC; }
          | PRIVATE                       { $$ = VIS_PRIVATE; }

types: type[a] ',' type[b]                { LIST_OF($$, TypeList, $a); ADD($$, $b); }
     | types ',' type                     { $$ = $1; ADD($$, $type); }

type_opt: %empty                          { $$ = NULL; }
        | ':' type                        { $$ = $type; }

dims_opt: %empty                          { $$ = NULL; }
        | '[' dims ']'                    { $$ = $dims; }

dims: dim                                 { LIST_OF($$, DimList, $dim); }
    | dims ',' dim                        { $$ = $1; ADD($$, $dim); }

dim: arith                                { $$ = (Dim){@$, false, NULL, $arith}; }
   | '*' NAME                             { $$ = (Dim){@$, true, $NAME, NULL}; }

at_opt: %empty                            { $$ = NULL; }
      | AT place                          { $$ = ARENA_NEW(p->arena, PlaceExpr); *$$ = $place; }

/* ---- statements ---------------------------------------------------------------------------------------- */

block: '{' stmts '}'                      { $$ = ast_block(p, @$, $stmts); }

stmts: %empty                             { $$ = ARENA_NEW(p->arena, StmtList); }
     | stmt                               { $$ = ARENA_NEW(p->arena, StmtList); if ($stmt) ADD($$, $stmt); }
     | stmts end
     | stmts end stmt                     { $$ = $1; if ($stmt) ADD($$, $stmt); }

stmt: let_or_var name type_opt '=' expr
      { NameList *one; LIST_OF(one, NameList, ((PatternName){$name.at, $name.text}));
        $$ = ast_let(p, @$, $let_or_var, false, one, $type_opt, $expr); }
    | let_or_var '(' names ')' type_opt '=' expr
      { $$ = ast_let(p, @$, $let_or_var, true, $names, $type_opt, $expr); }
    | arith assign_op expr                { $$ = ast_assign(p, @$, $arith, $assign_op, $expr); }
    | if_stmt
    | FOR name IN arith[low] RANGE arith[high] block { $$ = ast_for(p, @$, $name, $low, $high, $block); }
    | WHILE expr block                    { $$ = ast_while(p, @$, $expr, $block); }
    | RETURN value_opt                    { $$ = ast_stmt(p, ST_RETURN, @$, $value_opt); }
    | BREAK                               { $$ = ast_stmt(p, ST_BREAK, @$, NULL); }
    | CONTINUE                            { $$ = ast_stmt(p, ST_CONTINUE, @$, NULL); }
    | ASSERT expr                         { $$ = ast_stmt(p, ST_ASSERT, @$, $expr); }
    | expr                                { $$ = ast_stmt(p, ST_EXPR, @$, $expr); }
    | late_else                           { $$ = NULL; }
    | bad                                 { $$ = NULL; }

let_or_var: LET                           { $$ = false; }
          | VAR                           { $$ = true; }

assign_op: '='                            { $$ = -1; }
         | ADD_ASSIGN                     { $$ = OPR_ADD; }
         | SUB_ASSIGN                     { $$ = OPR_SUB; }
         | MUL_ASSIGN                     { $$ = OPR_MUL; }
         | DIV_ASSIGN                     { $$ = OPR_DIV; }

if_stmt: IF expr block                    { $$ = ast_if(p, @$, $expr, $block, NULL); }
       | IF expr block[a] ELSE block[b]   { $$ = ast_if(p, @$, $expr, $a, $b); }
       | IF expr block ELSE if_stmt[other] { $$ = ast_if(p, @$, $expr, $block, ast_block_of(p, $other)); }

value_opt: %empty                         { $$ = NULL; }
         | expr

/* E0101, read to its end so that it brings no other messages. */
late_else: ELSE                           { report_else(p, @1); }
           else_part

else_part: block                          { }
         | if_stmt                        { }

bad: error
   | bad_block
   | bad_block ELSE if_stmt               { p->quiet = true; }

bad_block: error block                    { p->quiet = true; }
         | bad_block ELSE block           { p->quiet = true; }

/* ---- expressions --------------------------------------------------------------------------------------- */

expr: arith
    | SHARE arith                         { $$ = ast_share(p, @$, $arith); }
    | REVEAL arith                        { $$ = ast_reveal(p, @$, $arith, NULL); }
    | REVEAL arith TO place               { $$ = ast_reveal(p, @$, $arith, &$place); }

arith: postfix
     | arith[a] OR arith[b]               { $$ = ast_binary(p, @$, OPR_OR, @2, $a, $b); }
     | arith[a] AND arith[b]              { $$ = ast_binary(p, @$, OPR_AND, @2, $a, $b); }
     | arith[a] EQ arith[b]               { $$ = ast_binary(p, @$, OPR_EQ, @2, $a, $b); }
     | arith[a] NE arith[b]               { $$ = ast_binary(p, @$, OPR_NE, @2, $a, $b); }
     | arith[a] '<' arith[b]              { $$ = ast_binary(p, @$, OPR_LT, @2, $a, $b); }
     | arith[a] LE arith[b]               { $$ = ast_binary(p, @$, OPR_LE, @2, $a, $b); }
     | arith[a] '>' arith[b]              { $$ = ast_binary(p, @$, OPR_GT, @2, $a, $b); }
     | arith[a] GE arith[b]               { $$ = ast_binary(p, @$, OPR_GE, @2, $a, $b); }
     | arith[a] '+' arith[b]              { $$ = ast_binary(p, @$, OPR_ADD, @2, $a, $b); }
     | arith[a] '-' arith[b]              { $$ = ast_binary(p, @$, OPR_SUB, @2, $a, $b); }
     | arith[a] '*' arith[b]              { $$ = ast_binary(p, @$, OPR_MUL, @2, $a, $b); }
     | arith[a] '/' arith[b]              { $$ = ast_binary(p, @$, OPR_DIV, @2, $a, $b); }
     | arith[a] FLOORDIV arith[b]         { $$ = ast_binary(p, @$, OPR_FLOORDIV, @2, $a, $b); }
     | arith[a] '%' arith[b]              { $$ = ast_binary(p, @$, OPR_MOD, @2, $a, $b); }
     | arith[a] '@' arith[b]              { $$ = ast_binary(p, @$, OPR_MATMUL, @2, $a, $b); }
     | arith[a] POW arith[b]              { $$ = ast_binary(p, @$, OPR_POW, @2, $a, $b); }
     | '-' arith[a] %prec NEGATION        { $$ = ast_unary(p, @$, OPR_NEG, $a); }
     | NOT arith[a]                       { $$ = ast_unary(p, @$, OPR_NOT, $a); }

postfix: primary
       | postfix[f] '(' args_opt ')'      { $$ = ast_call(p, @$, $f, $args_opt); }
       | postfix[x] '[' subs ']'          { $$ = ast_index(p, @$, $x, $subs); }
       | postfix[x] '.' name              { $$ = ast_field(p, @$, $x, $name); }

args_opt: %empty                          { $$ = NULL; }
        | args
        | args ','

args: arg                                 { LIST_OF($$, ArgList, $arg); }
    | args ',' arg                        { $$ = $1; ADD($$, $arg); }

arg: expr                                 { $$ = (Arg){@$, NULL, $expr}; }
   | NAME '=' expr                        { $$ = (Arg){@$, $NAME, $expr}; }

subs: sub                                 { LIST_OF($$, SubscriptList, $sub); }
    | subs ',' sub                        { $$ = $1; ADD($$, $sub); }

sub: arith                                { $$ = (Subscript){@$, false, $arith, NULL}; }
   | arith[low] ':' arith[high]           { $$ = (Subscript){@$, true, $low, $high}; }
   | arith[low] ':'                       { $$ = (Subscript){@$, true, $low, NULL}; }
   | ':' arith[high]                      { $$ = (Subscript){@$, true, NULL, $high}; }
   | ':'                                  { $$ = (Subscript){@$, true, NULL, NULL}; }

primary: NAME                             { $$ = ast_name(p, @$, $1); }
       | INT                              { $$ = ast_int(p, @$, $1); }
       | REAL                             { $$ = ast_real(p, @$, $1); }
       | STRING                           { $$ = ast_string(p, @$, $1); }
       | TRUE                             { $$ = ast_bool(p, @$, true); }
       | FALSE                            { $$ = ast_bool(p, @$, false); }
       | '(' expr ')'                     { $$ = ast_paren(@$, $expr); }
       | '(' pair ')'                     { $$ = ast_items(p, EX_TUPLE, @$, $pair); }
       | '(' pair ',' ')'                 { $$ = ast_items(p, EX_TUPLE, @$, $pair); }
       | '[' exprs ']'                    { $$ = ast_items(p, EX_ARRAY, @$, $exprs); }
       | '[' exprs ',' ']'                { $$ = ast_items(p, EX_ARRAY, @$, $exprs); }
       | AT place block                   { $$ = ast_at(p, @$, $place, $block); }
       | PROTOCOL proto block             { $$ = ast_protocol(p, @$, $proto, $block); }
       | PROTOCOL name block              { $$ = ast_protocol(p, @$, ast_proto_name(p, $name), $block); }
       | GRAD '(' args_opt ')'            { $$ = ast_grad(p, @$, $args_opt); }

pair: expr[a] ',' expr[b]                 { LIST_OF($$, ExprList, $a); ADD($$, $b); }
    | pair ',' expr                       { $$ = $1; ADD($$, $expr); }

exprs: expr                               { LIST_OF($$, ExprList, $expr); }
     | exprs ',' expr                     { $$ = $1; ADD($$, $expr); }

%%

/* ---- messages ------------------------------------------------------------------------------------------ */

static const char *token_text(Parser *p, Span at) {
  return arena_printf(p->arena, "%.*s", at.end - at.start, p->source->text + at.start);
}

/* `let w = a * b`: the last line of the statement that ended before the unexpected token. */
static const char *line_before(Parser *p) {
  int length, column = 0;
  Span end = p->previous_at;
  const char *line = source_line_text(p->source, source_line(end), &length);
  while (column < length && (line[column] == ' ' || line[column] == '\t'))
    column++;
  return arena_printf(p->arena, "%.*s", (int)(p->source->text + end.end - line) - column, line + column);
}

static void report_else(Parser *p, Span at) {
  p->syntax_errors++;
  Diag *d = diag_new(p->diags, DIAG_E0101, at);
  bool behind_brace = p->previous_at.start > 0 && p->source->text[p->previous_at.start - 1] == '}';
  if (p->previous != T_END || p->previous_end != END_NEWLINE || !behind_brace)
    return;
  diag_note(d, "the line above ended the `if` statement");
  diag_help(d, "put it after the closing brace: `} else {`");
}

static bool is_operator(int token) {
  switch (token) {
  case T_OR: case T_AND: case T_EQ: case T_NE: case '<': case T_LE: case '>': case T_GE: case '+': case '-':
  case '*': case '/': case T_FLOORDIV: case '%': case '@': case T_POW:
    return true;
  default:
    return false;
  }
}

/* Tokens that go on with an expression or statement and never begin one. */
static bool continues(int token) {
  switch (token) {
  case '.': case ',': case ':': case '=': case T_RANGE: case T_ARROW: case T_ADD_ASSIGN: case T_SUB_ASSIGN:
  case T_MUL_ASSIGN: case T_DIV_ASSIGN: case T_TO: case T_WITH: case T_IN: case T_AS: case T_REVEALS:
    return true;
  default:
    return is_operator(token);
  }
}

/* E0103 */
static void report_line_start(Parser *p) {
  const char *text = token_text(p, p->last_at);
  Diag *d = diag_new(p->diags, DIAG_E0103, p->last_at, text);
  diag_note(d, "the line above is a complete statement, so the newline ended it");
  if (p->last == T_FLOORDIV)
    diag_note(d, "`//` divides and rounds down; a comment begins with `#`");
  diag_help(d, "end the line with %s: `%s%s%s`", is_operator(p->last) ? "the operator" : "it", line_before(p),
            p->last == '.' || p->last == ',' || p->last == ':' ? "" : " ", text);
}

static const char *describe(Parser *p) {
  switch (p->last) {
  case 0:
    return "end of file";
  case T_END:
    return p->last_end == END_SEMICOLON ? "`;`" : p->last_end == END_FILE ? "end of file" : "end of line";
  case T_STRING:
    return "string";
  case T_NAME:
    return arena_printf(p->arena, "name `%s`", token_text(p, p->last_at));
  case T_INT: case T_REAL:
    return arena_printf(p->arena, "number `%s`", token_text(p, p->last_at));
  default:
    return arena_printf(p->arena, "`%s`", token_text(p, p->last_at));
  }
}

/* What the user could have written, in few words. Whole classes of tokens count as one. */
typedef struct Expected {
  bool seen[YYNTOKENS];
  const char *words[8];
  int count;
} Expected;

static bool expects(const Expected *e, int token) {
  return e->seen[YYTRANSLATE(token)];
}

static void expect_word(Expected *e, const char *text) {
  if (e->count < 8)
    e->words[e->count] = text;
  e->count++;
}

static void forget(Expected *e, int token) {
  e->seen[YYTRANSLATE(token)] = false;
}

static void forget_all(Expected *e, const int *tokens) {
  for (; *tokens; tokens++)
    forget(e, *tokens);
}

/* A class of tokens is taken as a word, so its members are not listed. */
static void expect_class(Expected *e, const char *text, const int *tokens) {
  expect_word(e, text);
  forget_all(e, tokens);
}

/* As a user would call it. Names of character tokens carry quotes in the generated table. */
static const char *symbol_words(Parser *p, yysymbol_kind_t symbol) {
  const char *name = yysymbol_name(symbol);
  switch (symbol) {
  case YYSYMBOL_END: case YYSYMBOL_NAME: case YYSYMBOL_STRING: case YYSYMBOL_INT: case YYSYMBOL_YYEOF:
    return name;
  default:
    return name[0] == '\'' ? arena_printf(p->arena, "`%c`", name[1]) : arena_printf(p->arena, "`%s`", name);
  }
}

/* Tokens that are possible, but hardly what was meant if others are possible too. */
static void drop_lesser(Expected *e) {
  bool after_operand = e->count && strcmp(e->words[0], "an operator") == 0;
  if (expects(e, T_END) || (e->count && strcmp(e->words[0], "a statement") == 0)) {
    e->seen[YYSYMBOL_YYEOF] = false;
    forget(e, '}');
  }
  if (after_operand) {
    static const int assignments[] = {'=', T_ADD_ASSIGN, T_SUB_ASSIGN, T_MUL_ASSIGN, T_DIV_ASSIGN, 0};
    forget_all(e, assignments);
  }
}

static void find_expected(Parser *p, const yypcontext_t *context, Expected *e) {
  static const int operators[] = {T_OR, T_AND, T_EQ, T_NE, '<', T_LE, '>', T_GE, '+', '-', '*', '/',
                                  T_FLOORDIV, '%', '@', T_POW, '.', '(', '[', 0};
  static const int expression[] = {T_NAME, T_INT, T_REAL, T_STRING, T_TRUE, T_FALSE, '(', '[', T_AT,
                                   T_PROTOCOL, T_GRAD, '-', T_NOT, T_SHARE, T_REVEAL, 0};
  static const int statement[] = {T_LET, T_VAR, T_IF, T_ELSE, T_FOR, T_WHILE, T_RETURN, T_BREAK, T_CONTINUE,
                                  T_ASSERT, T_IMPORT, T_CONST, T_PARAM, T_PARTY, T_STRUCT, T_FN, T_TEST,
                                  T_END, 0};
  static const int type[] = {T_PUBLIC, T_PRIVATE, T_NAME, '(', 0};
  yysymbol_kind_t symbols[YYNTOKENS];
  int count = yypcontext_expected_tokens(context, symbols, YYNTOKENS);
  memset(e, 0, sizeof *e);
  for (int i = 0; i < count; i++)
    e->seen[symbols[i]] = symbols[i] != YYSYMBOL_YYerror;
  if (expects(e, '*') && expects(e, '@'))
    expect_class(e, "an operator", operators);
  if (expects(e, T_LET) && expects(e, T_INT)) {
    expect_class(e, "a statement", statement);
    forget_all(e, expression);
  } else if (expects(e, T_INT) && expects(e, T_STRING))
    expect_class(e, "an expression", expression);
  if (expects(e, T_PUBLIC) && expects(e, T_NAME))
    expect_class(e, "a type", type);
  drop_lesser(e);
  for (int i = 0; i < YYNTOKENS; i++)
    if (e->seen[i])
      expect_word(e, symbol_words(p, (yysymbol_kind_t)i));
}

static void label_expected(Parser *p, Diag *d, const Expected *e) {
  if (e->count == 0 || e->count > 4)
    return;
  const char *text = e->words[0];
  for (int i = 1; i < e->count; i++)
    text = arena_printf(p->arena, "%s%s%s", text, i == e->count - 1 ? " or " : ", ", e->words[i]);
  diag_label(d, "expected %s", text);
}

/* Words of other languages at the start of what could not be read. */
static void help_foreign_word(Parser *p, Diag *d) {
  static const char function[] = "a function is written `fn name(x) { ... }`";
  static const struct { const char *word, *help; } known[] = {
      {"def", function}, {"func", function}, {"function", function},
      {"elif", "write `else if`"}, {"elseif", "write `else if`"}, {"class", "write `struct`"},
      {"foreach", "write `for i in a..b { ... }`"}, {"from", "a module is used with `import name`"},
      {"int", "a variable is written `let x: int = ...`"},
      {"fixed", "a variable is written `let x: fixed = ...`"},
      {"float", "a variable is written `let x: float = ...`"},
  };
  if (p->previous != T_NAME)
    return;
  const char *word = token_text(p, p->previous_at);
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (strcmp(known[i].word, word) == 0)
      diag_help(d, "%s", known[i].help);
}

static void add_helps(Parser *p, Diag *d, const Expected *e) {
  if (p->last == '=' && expects(e, '{'))
    diag_help(d, "equality is written `==`");
  if (p->last == T_END && p->last_end == END_NEWLINE && expects(e, '{'))
    diag_help(d, "the `{` of a block stands on the same line");
  help_foreign_word(p, d);
}

/* An error at the start of a line inside ( or [, or at a block there, most likely means that a closing
 * bracket is missing. */
static void blame_bracket(Parser *p, Diag *d) {
  bool at_block = p->last == '{' && p->depth;
  int inner = p->depth - 1 - at_block;
  if ((!p->last_begins_line && !at_block) || inner < 0 || p->brackets[inner].kind == '{')
    return;
  diag_also(d, p->brackets[inner].at, "still open");
  Bracket block = p->brackets[p->depth - 1];
  p->depth -= at_block;
  parse_leave_brackets(p);
  if (at_block)
    p->brackets[p->depth++] = block;
}

static int yyreport_syntax_error(const yypcontext_t *context, Parser *p) {
  p->syntax_errors++;
  bool goes_on = p->last == '{' || continues(p->last);
  bool known = goes_on && p->previous == T_END && p->previous_at.start == p->bad_end;
  if (p->quiet || p->last == T_BAD || known)
    return 0;
  p->bad_end = p->last == T_END ? p->last_at.start : -1;
  if (p->previous == T_END && p->previous_end == END_NEWLINE && continues(p->last)) {
    report_line_start(p);
    return 0;
  }
  Expected expected;
  Diag *d = diag_new(p->diags, DIAG_E0100, p->last_at, describe(p));
  find_expected(p, context, &expected);
  label_expected(p, d, &expected);
  add_helps(p, d, &expected);
  blame_bracket(p, d);
  p->reported_unclosed |= p->last == '{'; /* it has its message */
  return 0;
}

/* Called by the generated parser for its own limits only. */
static void parse_error(Span *at, Parser *p, const char *text) {
  (void)text;
  p->syntax_errors++;
  diag_new(p->diags, DIAG_E0137, *at);
}
