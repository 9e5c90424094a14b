import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { defineConfig, type Plugin } from "vite";

/** The bundle to build with, and what `python -m apps.web_app.stored` made of it. */
const BUNDLE = resolve(import.meta.dirname, process.env.TADSR_BUNDLE ?? "../../runtime/models/mobile.tadsr");
const STORED = resolve(import.meta.dirname, process.env.TADSR_STORED ?? "stored");

/** Ends the build where the stored files are of another model. */
function storedOfThisBundle(): Plugin {
  return {
    name: "stored-of-this-bundle",
    buildStart() {
      const manifest = json(resolve(BUNDLE, "manifest.json")) as { artifacts: { file: string; sha256: string }[] };
      const { models } = json(resolve(STORED, "stored.json")) as { models: Record<string, string> };
      const strange = Object.entries(models).filter(
        ([file, sha256]) => !manifest.artifacts.some((each) => each.file === file && each.sha256 === sha256),
      );
      if (strange.length > 0) {
        this.error(
          `${STORED} was made of another model than ${BUNDLE}; run python -m apps.web_app.stored, then build again`,
        );
      }
    },
  };
}

/**
 * Gives the service worker the list of this build's files. Large ones are kept when they are first used: not every
 * device needs every engine.
 */
function offlineFiles(): Plugin {
  const LARGE = /\.(wasm|onnx)$/;
  return {
    name: "offline-files",
    apply: "build",
    enforce: "post",
    generateBundle(_, files) {
      const worker = files["service-worker.js"];
      if (worker?.type !== "chunk") return;
      const others = Object.values(files).filter((file) => file !== worker);
      const version = createHash("sha256");
      for (const file of others) version.update(file.type === "chunk" ? file.code : file.source);
      const names = others.map(({ fileName }) => fileName).filter((name) => !LARGE.test(name));
      worker.code = worker.code
        .replace("__FILES__", JSON.stringify(names.sort()))
        .replace("__VERSION__", JSON.stringify(version.digest("hex").slice(0, 16)));
    },
  };
}

function json(path: string): unknown {
  return JSON.parse(readFileSync(path, "utf-8"));
}

export default defineConfig({
  base: "./", // any folder of any host
  plugins: [storedOfThisBundle(), offlineFiles()],
  resolve: {
    alias: { "@bundle": BUNDLE, "@stored": STORED, "@pictures": resolve(import.meta.dirname, "../../docs/pictures") },
    conditions: ["onnxruntime-web-use-extern-wasm", "module", "browser", "development|production"],
  },
  worker: { format: "es" },
  build: {
    target: "es2023",
    assetsInlineLimit: 0, // the content security policy knows no data: addresses
    chunkSizeWarningLimit: 1000,
    rolldownOptions: {
      input: {
        index: resolve(import.meta.dirname, "index.html"),
        bench: resolve(import.meta.dirname, "bench.html"),
        "service-worker": resolve(import.meta.dirname, "src/offline/service-worker.ts"),
      },
      output: {
        entryFileNames: ({ name }) => (name === "service-worker" ? "[name].js" : "assets/[name]-[hash].js"),
      },
    },
  },
  server: {
    headers: { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" },
    fs: { allow: ["../.."] },
  },
});
