import { isBuiltin } from "node:module";
import { posix } from "node:path";
import ts from "typescript";

/** An import that goes against the direction of the layers. */
export interface Violation {
  readonly file: string;
  /** Counted from 1. */
  readonly line: number;
  /** The specifier as it is written. */
  readonly specifier: string;
  readonly reason: string;
}

interface Import {
  readonly specifier: string;
  readonly line: number;
  readonly typeOnly: boolean;
}

/** The layers from the bottom up. A file imports from its own layer and from lower ones. */
const LAYERS = ["machines", "contract", "service", "feature", "facade", "cli", "tooling"] as const;

type Layer = (typeof LAYERS)[number];

const SERVICES = ["engine", "store", "sidecars", "ssh", "sync"];
const FEATURES = ["variants", "canary", "inspector", "serve", "warm"];
/** Folders that hold one interface, and an adapter in each of their own folders. */
const INTERFACES = ["store", "sidecars"];

/**
 * Answers every import that breaks the rules of the house:
 *
 * - `spec, scripts → cli → mod → {variants, canary, inspector, serve, warm} → {engine, store,
 *   sidecars, ssh, sync} → machines → xstate`; the files right below `runtime/` are open to all of `runtime/`
 * - `machines/` imports xstate and itself
 * - features do not import each other, and the store none of its neighbours
 * - adapters of one interface do not import each other, and services know the interface only
 * - `inspector/web` imports itself and the types of the inspector's protocol
 * - a relative import ends in `.ts`, a builtin begins with `node:`
 *
 * @param files the source of each file by its path below the root
 */
export function layerViolations(files: ReadonlyMap<string, string>): Violation[] {
  const found: Violation[] = [];
  for (const [file, source] of files) {
    for (const { specifier, line, typeOnly } of importsOf(file, source)) {
      const reason = refuse(file, specifier, typeOnly);
      if (reason !== undefined) found.push({ file, line, specifier, reason });
    }
  }
  return found;
}

function refuse(file: string, specifier: string, typeOnly: boolean): string | undefined {
  if (!specifier.startsWith(".")) return refusePackage(file, specifier);
  if (!/\.(ts|tsx|json|html|css|svg)$/.test(specifier)) return "a relative import ends in .ts";
  const target = posix.join(posix.dirname(file), specifier);
  return refuseLayer(file, target) ?? refuseWeb(file, target, typeOnly) ??
    refuseAdapter(file, target);
}

function refusePackage(file: string, specifier: string): string | undefined {
  if (isBuiltin(specifier) && !specifier.startsWith("node:")) {
    return "a builtin is imported with node:";
  }
  if (layerOf(file) === "machines" && !/^xstate(\/|$)/.test(specifier)) {
    return "machines/ imports xstate and itself";
  }
  if (isWeb(file) && specifier.startsWith("node:")) return "inspector/web runs in a browser";
  return undefined;
}

function refuseLayer(file: string, target: string): string | undefined {
  const from = layerOf(file), to = layerOf(target);
  if (from === undefined || to === undefined || from === "tooling") return undefined;
  if (from === "contract" && to === "machines") return "a contract imports contracts only";
  if (LAYERS.indexOf(to) > LAYERS.indexOf(from)) return `${from} does not import ${to}`;
  const [area, other] = [folder(file), folder(target)];
  if (area === other) return undefined;
  if (from === "feature" && to === "feature") return `${area} does not import ${other}`;
  if (area === "store" && to !== "contract") return "the store knows rows only";
  return undefined;
}

function refuseWeb(file: string, target: string, typeOnly: boolean): string | undefined {
  if (!isWeb(file) || isWeb(target)) return undefined;
  const protocol = target.startsWith("runtime/inspector/protocol");
  return protocol && typeOnly ? undefined : "inspector/web imports the protocol's types only";
}

function refuseAdapter(file: string, target: string): string | undefined {
  const theirs = adapterOf(target);
  if (theirs === undefined || layerOf(file) !== "service" || adapterOf(file) === theirs) {
    return undefined;
  }
  if (adapterOf(file) !== undefined) return `${adapterOf(file)} does not import ${theirs}`;
  return folder(file) === folder(target) ? undefined : `${folder(file)} knows the interface only`;
}

function layerOf(path: string): Layer | undefined {
  const [top, area, ...rest] = path.split("/");
  if (top === "machines") return "machines";
  if (top === "spec" || top === "scripts" || top === "examples") return "tooling";
  if (top !== "runtime" || area === undefined) return undefined;
  if (rest.length === 0) return area === "mod.ts" ? "facade" : "contract";
  if (SERVICES.includes(area)) return "service";
  if (FEATURES.includes(area)) return "feature";
  if (area === "cli") return "cli";
  return undefined;
}

/** `engine` for `runtime/engine/step.ts`. */
function folder(path: string): string {
  return path.split("/")[1] ?? "";
}

/** `store/sqlite` for a file in that folder; `undefined` for the interface itself. */
function adapterOf(path: string): string | undefined {
  const [top, area, name, ...rest] = path.split("/");
  if (top !== "runtime" || !INTERFACES.includes(area ?? "") || rest.length === 0) return undefined;
  return `${area}/${name}`;
}

function isWeb(path: string): boolean {
  return path.startsWith("runtime/inspector/web/");
}

/** Static and dynamic imports, re-exports and `import("…")` types. */
function importsOf(file: string, source: string): Import[] {
  const tree = ts.createSourceFile(file, source, ts.ScriptTarget.Latest);
  const found: Import[] = [];
  const add = (node: ts.Node, specifier: ts.Node | undefined, typeOnly: boolean): void => {
    if (specifier === undefined || !ts.isStringLiteralLike(specifier)) return;
    const line = tree.getLineAndCharacterOfPosition(node.getStart(tree)).line + 1;
    found.push({ specifier: specifier.text, line, typeOnly });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) {
      add(
        node,
        node.moduleSpecifier,
        node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword,
      );
    } else if (ts.isExportDeclaration(node)) add(node, node.moduleSpecifier, node.isTypeOnly);
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      add(node, node.argument.literal, true);
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      add(node, node.arguments[0], false);
    }
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return found;
}
