// Prints what the TextMate grammar makes of a file, with the engine that VS Code uses: one line for each token that has a
// scope of its own,  LINE:COLUMN SCOPE TEXT
//   node textmate.mjs MODULES GRAMMAR FILE          MODULES: node_modules with vscode-textmate and vscode-oniguruma
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';

const [modules, grammarFile, file] = process.argv.slice(2);
const load = createRequire(resolve(modules) + '/');
const oniguruma = load('vscode-oniguruma');
const textmate = load('vscode-textmate');

const wasm = readFileSync(load.resolve('vscode-oniguruma/release/onig.wasm'));
await oniguruma.loadWASM(wasm.buffer.slice(wasm.byteOffset, wasm.byteOffset + wasm.byteLength));

const registry = new textmate.Registry({
  onigLib: Promise.resolve({
    createOnigScanner: (sources) => new oniguruma.OnigScanner(sources),
    createOnigString: (text) => new oniguruma.OnigString(text),
  }),
  loadGrammar: async () => textmate.parseRawGrammar(readFileSync(grammarFile, 'utf8'), grammarFile),
});
const grammar = await registry.loadGrammar('source.tfe');

let stack = textmate.INITIAL;
readFileSync(file, 'utf8').split('\n').forEach((line, number) => {
  const result = grammar.tokenizeLine(line, stack);
  stack = result.ruleStack;
  for (const token of result.tokens) {
    const scope = token.scopes[token.scopes.length - 1];
    const text = line.slice(token.startIndex, token.endIndex);
    if (scope !== 'source.tfe' && text.trim() !== '')
      console.log(`${number + 1}:${token.startIndex + 1} ${scope.replace(/\.tfe$/, '')} ${text}`);
  }
});
