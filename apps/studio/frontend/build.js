// Builds everything in src/ into one folder, with a manifest from plain names to names that hold the content's hash.
// Usage: node build.js OUT_FOLDER
import { execFileSync } from "node:child_process";
import { createRequire } from "node:module";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const out = resolve(process.argv[2] ?? join(here, "..", "src", "studio", "web", "static", "dist"));
const require = createRequire(import.meta.url);

function tailwind(into) {
  const program = join(dirname(require.resolve("@tailwindcss/cli/package.json")), "dist", "index.mjs");
  execFileSync(process.execPath, [program, "--input", join(here, "src", "app.css"), "--output", into, "--cwd", here], {
    cwd: here,
    stdio: ["ignore", "ignore", "pipe"],
  });
}

async function bundle(entries) {
  const built = await esbuild.build({
    entryPoints: entries,
    outdir: out,
    bundle: true,
    splitting: true, // app.js and calendar.js share one htmx and one shelf of toasts
    minify: true,
    format: "esm",
    target: ["chrome120", "firefox121", "safari17"],
    entryNames: "[name]-[hash]",
    assetNames: "[name]-[hash]",
    chunkNames: "[name]-[hash]",
    loader: { ".woff2": "file", ".svg": "file" },
    legalComments: "none",
    metafile: true,
    absWorkingDir: here,
    nodePaths: [join(here, "node_modules")],
    logLevel: "warning",
  });
  const names = {};
  const files = [];
  for (const [path, { entryPoint }] of Object.entries(built.metafile.outputs)) {
    const file = relative(out, resolve(here, path));
    files.push(file);
    if (entryPoint) names[file.replace(/-[A-Z0-9]{8}(?=\.\w+$)/, "")] = file;
  }
  return { names, files };
}

function copyHashed(path, name) {
  const hash = createHash("sha256").update(readFileSync(path)).digest("hex").slice(0, 8).toUpperCase();
  const file = name.replace(/(\.\w+)$/, `-${hash}$1`);
  copyFileSync(path, join(out, file));
  return file;
}

const work = mkdtempSync(join(here, "node_modules", ".build-"));
try {
  mkdirSync(out, { recursive: true });
  const before = readdirSync(out);
  tailwind(join(work, "tailwind.css"));
  writeFileSync(join(work, "app.css"), `@import "${join(here, "src", "fonts.css")}";\n@import "./tailwind.css";\n`);
  const { names, files } = await bundle([join(work, "app.css"), ...["app.js", "theme.js", "calendar.js", "calendar.css"].map((name) => join(here, "src", name))]);
  names["icon.svg"] = copyHashed(join(here, "src", "icon.svg"), "icon.svg");
  // The manifest changes at once and after the files it names, so a server that is running never points at a missing one.
  writeFileSync(join(out, "manifest.new"), JSON.stringify(names, null, 1) + "\n");
  renameSync(join(out, "manifest.new"), join(out, "manifest.json"));
  const kept = new Set([...files, names["icon.svg"], "manifest.json"]);
  for (const old of before) if (!kept.has(old)) rmSync(join(out, old), { recursive: true });
} finally {
  rmSync(work, { recursive: true, force: true });
}
