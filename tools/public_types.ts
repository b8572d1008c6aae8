/**
 * Reduces the declarations of a package to those that its users can reach: the exports of the entry points, and what
 * their types mention. Documentation stays as it is.
 *
 * @module
 */
import ts from "typescript";

/** What is kept or dropped as a whole: a statement of a module, or one name of an import or a re-export. */
type Part = ts.Statement | ts.ImportSpecifier | ts.ExportSpecifier;

/** The compiler finds the declarations there, and no sources beside them. */
const folder = "/package/";

/**
 * @param declarations the texts of all `.d.ts` files, by their paths
 * @param entries the paths of the entry points
 * @returns the texts by the same paths, with what can be reached alone
 */
export function publicTypes(
  declarations: ReadonlyMap<string, string>,
  entries: readonly string[],
): Map<string, string> {
  const program = programOf(declarations);
  const checker = program.getTypeChecker();
  const fileOf = (path: string) => program.getSourceFile(folder + path)!;
  const reached = new Set<Part>();

  function reach(symbol: ts.Symbol | undefined): void {
    for (const declaration of symbol?.declarations ?? []) {
      const part = ts.findAncestor(declaration, isPart);
      if (part === undefined || reached.has(part)) continue;
      reached.add(part);
      visit(part);
      if (isName(part)) reach(checker.getImmediateAliasedSymbol(symbol!));
    }
  }

  function visit(node: ts.Node): void {
    if (ts.isIdentifier(node)) reach(checker.getSymbolAtLocation(node));
    ts.forEachChild(node, visit);
  }

  for (const path of entries) {
    checker.getExportsOfModule(checker.getSymbolAtLocation(fileOf(path))!).forEach(reach);
  }
  const textOf = (path: string) => fileOf(path).statements.map((each) => reducedText(each, reached)).join("");
  return new Map(Array.from(declarations.keys(), (path) => [path, `${textOf(path).trim()}\n`]));
}

/** A program of the declarations alone: other types, such as JavaScript's own, remain unknown. */
function programOf(declarations: ReadonlyMap<string, string>): ts.Program {
  const options: ts.CompilerOptions = {
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    noLib: true,
    types: [],
  };
  const textOf = (name: string) => declarations.get(name.slice(folder.length));
  const host: ts.CompilerHost = {
    ...ts.createCompilerHost(options),
    fileExists: (name) => textOf(name) !== undefined,
    directoryExists: () => true,
    readFile: textOf,
    getSourceFile: (name, version) => ts.createSourceFile(name, textOf(name)!, version),
  };
  return ts.createProgram(Array.from(declarations.keys(), (path) => folder + path), options, host);
}

function isName(node: ts.Node): node is ts.ImportSpecifier | ts.ExportSpecifier {
  return ts.isImportSpecifier(node) || ts.isExportSpecifier(node);
}

function isPart(node: ts.Node): node is Part {
  return isName(node) || node.parent !== undefined && ts.isSourceFile(node.parent);
}

/** The text of a statement and the comments before it, without the parts that are not reached. */
function reducedText(statement: ts.Statement, reached: ReadonlySet<Part>): string {
  const text = statement.getFullText();
  const names = namesOf(statement);
  // `export *` has no names.
  if (names === undefined) return ts.isExportDeclaration(statement) || reached.has(statement) ? text : "";
  const kept = names.filter((name) => reached.has(name));
  if (kept.length === names.length) return text;
  if (kept.length === 0) return "";
  const [start, end] = [names.pos, names.end].map((at) => at - statement.pos);
  return text.slice(0, start) + kept.map((name) => name.getFullText()).join() + text.slice(end);
}

/** The names of an import or a re-export, undefined for any other statement. */
function namesOf(statement: ts.Statement): ts.NodeArray<ts.ImportSpecifier | ts.ExportSpecifier> | undefined {
  const clause = ts.isImportDeclaration(statement)
    ? statement.importClause?.namedBindings
    : ts.isExportDeclaration(statement)
    ? statement.exportClause
    : undefined;
  return clause !== undefined && "elements" in clause ? clause.elements : undefined;
}
