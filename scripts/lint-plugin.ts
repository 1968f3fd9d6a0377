/// <reference lib="deno.unstable" />

/** Whoever asks these gets another answer each time, so a run could not be simulated from a seed. */
const IMPURE_MEMBERS: Readonly<Record<string, readonly string[]>> = {
  Date: ["now"],
  Math: ["random"],
  crypto: ["randomUUID", "getRandomValues"],
  performance: ["now"],
  process: ["hrtime", "uptime"],
};

const IMPURE_NAMES = [
  "setTimeout",
  "setInterval",
  "randomUUID",
  "randomBytes",
  "randomInt",
];

function inside(context: Deno.lint.RuleContext, ...folders: string[]): boolean {
  const path = context.filename.replaceAll("\\", "/");
  return folders.some((folder) => path.includes(`/${folder}/`));
}

function isTool(context: Deno.lint.RuleContext): boolean {
  return context.filename.endsWith("/scripts/lint-plugin.ts");
}

/** The rules of the house that the linter does not bring. */
const plugin: Deno.lint.Plugin = {
  name: "house",
  rules: {
    "injected-time-and-chance": {
      create(context) {
        if (!inside(context, "machines", "runtime/engine") || inside(context, "spec")) return {};
        const report = (node: Deno.lint.Node, what: string): void =>
          context.report({
            node,
            message: `${what} here makes a run that cannot be repeated from a seed`,
            hint: "Take the time and the chance from what is injected: runtime/clock.ts.",
          });
        return {
          MemberExpression(node) {
            if (node.object.type !== "Identifier" || node.property.type !== "Identifier") return;
            const { name } = node.object;
            const members = Object.hasOwn(IMPURE_MEMBERS, name) ? IMPURE_MEMBERS[name] : undefined;
            if (members?.includes(node.property.name)) {
              report(node, `${name}.${node.property.name}`);
            }
          },
          NewExpression(node) {
            const bare = node.callee.type === "Identifier" && node.callee.name === "Date";
            if (bare && node.arguments.length === 0) report(node, "new Date()");
          },
          CallExpression(node) {
            if (node.callee.type === "Identifier" && IMPURE_NAMES.includes(node.callee.name)) {
              report(node, `${node.callee.name}()`);
            }
          },
          ImportSpecifier(node) {
            if (node.imported.type === "Identifier" && IMPURE_NAMES.includes(node.imported.name)) {
              report(node, node.imported.name);
            }
          },
        };
      },
    },
    "no-mutable-module-state": {
      create(context) {
        if (!inside(context, "machines", "runtime") || inside(context, "spec", "web")) return {};
        return {
          VariableDeclaration(node) {
            const parent = node.parent.type;
            const atTop = parent === "Program" || parent === "ExportNamedDeclaration";
            // `declare let` declares what is there already.
            if (!atTop || node.kind === "const" || node.declare) return;
            context.report({ node, message: "A module keeps no state: two hosts would share it" });
          },
        };
      },
    },
    "named-exports": {
      create(context) {
        if (isTool(context)) return {};
        return {
          ExportAllDeclaration(node) {
            context.report({
              node,
              message: "Export by name, so that a reader sees what is public",
            });
          },
          ExportDefaultDeclaration(node) {
            context.report({ node, message: "Export by name, so that it has one name everywhere" });
          },
        };
      },
    },
    "erasable": {
      create(context) {
        return {
          TSEnumDeclaration(node) {
            context.report({ node, message: "An enum is not erasable: use a union of strings" });
          },
          PropertyDefinition(node) {
            if (node.accessibility === undefined) return;
            context.report({ node, message: `Use #name in place of ${node.accessibility}` });
          },
          MethodDefinition(node) {
            // A private constructor has no other spelling.
            if (node.accessibility === undefined || node.kind === "constructor") return;
            context.report({ node, message: `Use #name in place of ${node.accessibility}` });
          },
        };
      },
    },
    "no-deno-global": {
      create(context) {
        if (isTool(context)) return {};
        return {
          MemberExpression(node) {
            if (node.object.type !== "Identifier" || node.object.name !== "Deno") return;
            context.report({ node, message: "Deno.* is not there on Node: use node:" });
          },
        };
      },
    },
  },
};

export default plugin;
