// Bundle the panels into ../static: `node build.mjs [--check | --test]`.
//
// `--check` compares instead of writing; `--test` bundles and runs the unit tests.
//
// panels.js holds all panels with their styles; loader.js is the small module that each panel
// sends to the browser, which loads panels.js once per page.

import { spawnSync } from "node:child_process";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const HERE = dirname(fileURLToPath(import.meta.url));
const STATIC = join(HERE, "..", "static");
const BANNER = "// Generated from wonda_widgets/frontend by build.mjs. Do not edit.\n";

const common = {
  absWorkingDir: HERE,
  bundle: true,
  format: "esm",
  target: "es2022",
  jsx: "automatic",
  jsxImportSource: "preact",
  logLevel: "warning",
};

/** Import a stylesheet as minified text: `import styles from "style:../styles/index.css"`. */
const styles = {
  name: "styles",
  setup(context) {
    context.onResolve({ filter: /^style:/ }, ({ path, resolveDir }) => ({
      path: join(resolveDir, path.slice("style:".length)),
      namespace: "style",
    }));
    context.onLoad({ filter: /.*/, namespace: "style" }, async ({ path }) => {
      const result = await build({ ...common, entryPoints: [path], minify: true, write: false });
      const folder = dirname(path);
      const watchFiles = (await readdir(folder)).map((name) => join(folder, name));
      return { contents: result.outputFiles[0].text, loader: "text", watchFiles };
    });
  },
};

async function bundle(entry) {
  const result = await build({
    ...common,
    entryPoints: [`src/${entry}.ts`],
    minify: true,
    charset: "utf8",
    legalComments: "none",
    plugins: [styles],
    write: false,
  });
  return BANNER + result.outputFiles[0].text;
}

/** Bundle and run the unit tests; return the exit status. */
async function test() {
  const files = (await readdir(join(HERE, "tests"))).filter((name) => /\.test\.tsx?$/.test(name));
  await build({
    ...common,
    entryPoints: files.map((name) => `tests/${name}`),
    outdir: "build/tests",
    outExtension: { ".js": ".mjs" },
    platform: "node",
    plugins: [styles],
    external: ["happy-dom"],
    sourcemap: "inline",
  });
  const built = files.map((name) => join("build", "tests", name.replace(/\.tsx?$/, ".mjs")));
  const options = ["--test", "--test-reporter=spec", ...built];
  return spawnSync(process.execPath, options, { cwd: HERE, stdio: "inherit" }).status ?? 1;
}

async function main(option) {
  if (option === "--test") {
    process.exitCode = await test();
    return;
  }
  await mkdir(STATIC, { recursive: true });
  for (const [entry, name] of [
    ["index", "panels.js"],
    ["loader", "loader.js"],
  ]) {
    const path = join(STATIC, name);
    const built = await bundle(entry);
    if (option !== "--check") {
      await writeFile(path, built);
      continue;
    }
    const committed = await readFile(path, "utf8").catch(() => "");
    if (committed !== built) {
      console.error(`${name} differs from its sources. Run: npm run build`);
      process.exitCode = 1;
    }
  }
}

await main(process.argv[2]);
