// Registries on loopback: of JSR, as much of one as `deno publish` and `deno run` ask for, which keeps what is published in a
// folder; and of npm, for packages that lie in folders.

import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A published package. */
interface Published {
  readonly version: string;
  readonly folder: string;
}

/** A registry that listens. */
export interface Registry {
  /** What `JSR_URL` must be. */
  readonly url: string;
  /** Puts a package there, as it lies in a folder. */
  add(name: string, published: Published): void;
  /** Ends it. */
  close(): void;
}

/** Starts a registry that unpacks below a folder. */
export async function startRegistry(folder: string): Promise<Registry> {
  const packages = new Map<string, Published>();
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url!, "http://registry");
    const answer = pathname.startsWith("/api/")
      ? await published(packages, folder, request)
      : read(packages, decodeURIComponent(pathname));
    const isFile = answer instanceof Uint8Array;
    const type = pathname.endsWith(".ts") ? "text/typescript" : "application/json";
    response.writeHead(answer === undefined ? 404 : 200, { "content-type": type });
    response.end(isFile ? answer : JSON.stringify(answer ?? { code: "notFound" }));
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    add: (name, published) => void packages.set(name, published),
    close: () => void server.close(),
  };
}

/** Packs a package of npm as its registry has it: below a folder of its own. */
export function packed(folder: string): Uint8Array<ArrayBuffer> {
  const above = mkdtempSync(join(tmpdir(), "wasm-module-cache-"));
  try {
    cpSync(folder, join(above, "package"), { recursive: true, dereference: true });
    const { status, stdout } = spawnSync("tar", ["cz", "-C", above, "package"], { maxBuffer: 256 * 1024 * 1024 });
    if (status !== 0) throw new Error(`tar ended with ${status}`);
    return new Uint8Array(stdout);
  } finally {
    rmSync(above, { recursive: true });
  }
}

/** Starts a registry of npm that has the packages of a `node_modules`, and no others. */
export async function startNpmRegistry(modules: string): Promise<Pick<Registry, "url" | "close">> {
  const server = createServer((request, response) => {
    const url = `http://${request.headers.host}/`;
    const [, name = "", isTarball] = decodeURIComponent(request.url!).match(/^\/((?:@[^/]+\/)?[^/]+)(\/tarball)?$/) ??
      [];
    const folder = join(modules, name);
    if (!existsSync(join(folder, "package.json"))) return response.writeHead(404).end("{}");
    if (isTarball) return response.end(packed(folder));
    const { version, dependencies, bin } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const about = { name, version, dependencies, bin, dist: { tarball: `${url}${name}/tarball` } };
    response.end(JSON.stringify({ name, "dist-tags": { latest: version }, versions: { [version]: about } }));
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/`, close: () => void server.close() };
}

/** What `deno publish` asks: does a scope, a package, a version exist; take this version; is it done? */
async function published(
  packages: Map<string, Published>,
  folder: string,
  request: IncomingMessage,
): Promise<object | undefined> {
  const [, scope, name, version] =
    request.url!.match(/^\/api\/scopes\/([^/]+)(?:\/packages\/([^/]+)(?:\/versions\/([^/?]+))?)?/) ??
      [];
  if (request.method === "POST" && version) {
    const target = join(folder, `${scope}-${name}`);
    mkdirSync(target, { recursive: true });
    await unpack(request, target);
    packages.set(`@${scope}/${name}`, { version, folder: target });
  }
  if (version && !packages.has(`@${scope}/${name}`)) return undefined;
  return { id: "1", status: "success", error: null, scope, name, githubRepository: null };
}

function unpack(request: IncomingMessage, folder: string): Promise<void> {
  const tar = spawn("tar", ["xz", "-C", folder], { stdio: ["pipe", "inherit", "inherit"] });
  request.pipe(tar.stdin);
  return new Promise((resolve, reject) => {
    tar.on("error", reject);
    tar.on("close", (code) => code === 0 ? resolve() : reject(new Error(`tar ended with ${code}`)));
  });
}

/** What `deno run` asks: versions of a package, files of a version, a file. */
function read(packages: Map<string, Published>, path: string): object | undefined {
  const [, name = "", rest = ""] = path.match(/^\/(@[^/]+\/[^/]+)\/(.+)$/) ?? [];
  const found = packages.get(name);
  if (!found) return undefined;
  const { folder, version } = found;
  if (rest === "meta.json") return { latest: version, versions: { [version]: {} } };
  if (rest === `${version}_meta.json`) {
    const { exports } = JSON.parse(readFileSync(join(folder, "deno.json"), "utf8"));
    return { exports, manifest: manifestOf(folder) };
  }
  const file = join(folder, rest.slice(version.length));
  return rest.startsWith(`${version}/`) && existsSync(file) ? readFileSync(file) : undefined;
}

function manifestOf(folder: string): Record<string, { size: number; checksum: string }> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return Object.fromEntries(files.map(({ name, parentPath }) => {
    const bytes = readFileSync(join(parentPath, name));
    const checksum = `sha256-${createHash("sha256").update(bytes).digest("hex")}`;
    return [join(parentPath, name).slice(folder.length).replaceAll("\\", "/"), { size: bytes.length, checksum }];
  }));
}
