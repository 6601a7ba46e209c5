// Real servers on loopback, for the tests that need them: each is a process of its own, gone when its test is done.

import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import type { Answer, Asked } from "../_server.ts";
import { ROOT } from "../_tools.ts";

/** A server that runs. */
export interface Server {
  /** Its URL, or the start of one. */
  readonly url: string;
  /** Folder of its own. */
  readonly folder: string;
  /** Sends its process a signal. */
  signal(name: NodeJS.Signals): void;
  /** Ends it, whatever it is doing. */
  stop(): Promise<void>;
}

/** Where `.ci/run` puts the S3 server. */
const MOTO = join(ROOT, ".cache/moto");

/** Why a server cannot be started here; `false` if it can. */
export const missing = {
  redis: lacks("redis-server"),
  nginx: lacks("nginx"),
  s3: existsSync(MOTO) ? false : "needs moto, which .ci/run installs",
  openssl: lacks("nginx") || lacks("openssl", "version"),
} as const;

function lacks(program: string, ask = "-v"): string | false {
  return spawnSync(program, [ask], { stdio: "ignore" }).error ? `needs ${program}, which .ci/run installs` : false;
}

/** Starts a program, once for a port of its own, and waits until it listens. */
async function start(
  scheme: string,
  command: (port: number, folder: string) => [program: string, args: string[], env?: Record<string, string>],
): Promise<Server> {
  const folder = mkdtempSync(join(tmpdir(), "wasm-module-cache-server-"));
  const port = await freePort();
  const [program, args, env] = command(port, folder);
  const child = spawn(program, args, {
    cwd: folder,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk) => said = `${said}${chunk}`.slice(-2000));
  }
  let isEnded = false;
  const ended = new Promise<void>((resolve) =>
    child.on("close", () => {
      isEnded = true;
      resolve();
    })
  );
  // Deno's `child.kill` works once.
  const signal = (name: NodeJS.Signals) => void (isEnded || process.kill(child.pid!, name));
  const stop = async () => {
    signal("SIGKILL");
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  for (let triesLeft = 300; !(await listens(port)); triesLeft--) {
    if (triesLeft === 0 || isEnded) {
      await stop();
      throw new Error(`Cannot start ${program}: ${said}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return { url: `${scheme}://127.0.0.1:${port}`, folder, signal, stop };
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => socket.end(() => resolve(true)));
    socket.on("error", () => resolve(false));
  });
}

/** Starts Redis, which keeps nothing on the disk. */
export function startRedis(...more: string[]): Promise<Server> {
  return start("redis", (port, folder) => {
    const args = ["--port", `${port}`, "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--appendonly", "no"];
    return ["redis-server", [...args, ...more]];
  });
}

/** Starts nginx, which takes files by WebDAV; with a certificate if wanted. */
export function startNginx({ isSecure = false } = {}): Promise<Server> {
  return start(isSecure ? "https" : "http", (port, folder) => {
    mkdirSync(join(folder, "files"));
    if (isSecure) certify(folder);
    const secure = isSecure ? `ssl_certificate ${folder}/cert.pem; ssl_certificate_key ${folder}/key.pem;` : "";
    writeFileSync(
      join(folder, "nginx.conf"),
      `daemon off; master_process off; error_log stderr; pid ${folder}/nginx.pid;
events {}
http {
  access_log off;
  client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;
  server {
    listen 127.0.0.1:${port} ${isSecure ? "ssl" : ""}; ${secure}
    location / {
      root ${folder}/files; dav_methods PUT DELETE; create_full_put_path on; client_max_body_size 100m;
    }
  }
}
`,
    );
    return ["nginx", ["-p", folder, "-c", join(folder, "nginx.conf")]];
  });
}

/** Makes a certificate for the name of this machine, not for its address, and the authority that it is from. */
function certify(folder: string): void {
  writeFileSync(join(folder, "leaf.ext"), "basicConstraints=CA:FALSE\nsubjectAltName=DNS:localhost\n");
  const key = (name: string) => ["-newkey", "rsa:2048", "-nodes", "-keyout", `${name}.pem`, "-subj", `/CN=${name}`];
  for (
    const command of [
      ["req", "-x509", ...key("authority"), "-out", "ca.pem", "-days", "2"],
      ["req", ...key("key"), "-out", "request.pem"],
      ["x509", "-req", "-in", "request.pem", "-CA", "ca.pem", "-CAkey", "authority.pem", "-CAcreateserial"]
        .concat("-out", "cert.pem", "-days", "2", "-extfile", "leaf.ext"),
    ]
  ) {
    const { status, stderr } = spawnSync("openssl", command, { cwd: folder });
    if (status !== 0) throw new Error(`openssl ${command[0]}: ${stderr}`);
  }
}

/** How many calls the S3 server takes before it checks signatures: those that make a user, its rights and its key. */
const SETUP_CALLS = 3;

/** Starts an S3 server that checks signatures. */
export function startS3(): Promise<Server> {
  return start("http", (port) => {
    const env = { PYTHONPATH: MOTO, INITIAL_NO_AUTH_ACTION_COUNT: `${SETUP_CALLS}` };
    return ["python3", ["-m", "moto.server", "-H", "127.0.0.1", "-p", `${port}`], env];
  });
}

/** Creates a user with a key that may do everything, as the first calls to an S3 server. */
export async function s3Key(url: string): Promise<{ accessKeyId: string; secretAccessKey: string }> {
  const policy = { Version: "2012-10-17", Statement: [{ Effect: "Allow", Action: "*", Resource: "*" }] };
  const call = async (parameters: Record<string, string>) => {
    const body = new URLSearchParams({ ...parameters, UserName: "tester", Version: "2010-05-08" });
    // Which service is meant, it finds in the scope of a signature.
    const scope = "Credential=none/20260101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=none";
    const headers = { authorization: `AWS4-HMAC-SHA256 ${scope}` };
    const response = await fetch(url, { method: "POST", body, headers });
    return await response.text();
  };
  await call({ Action: "CreateUser" });
  await call({ Action: "PutUserPolicy", PolicyName: "all", PolicyDocument: JSON.stringify(policy) });
  const made = await call({ Action: "CreateAccessKey" });
  const [accessKeyId, secretAccessKey] = ["AccessKeyId", "SecretAccessKey"].map((name) =>
    new RegExp(`<${name}>(.*)</${name}>`).exec(made)?.[1]
  );
  if (!accessKeyId || !secretAccessKey) throw new Error(`Cannot create a key: ${made}`);
  return { accessKeyId, secretAccessKey };
}

/** Answers of a store by HTTP. */
export function storing(files: Map<string, Uint8Array>): (asked: Asked) => Answer {
  return ({ body, method, path }) => {
    const found = files.get(path);
    if (method === "PUT") files.set(path, body);
    if (method === "DELETE") files.delete(path);
    if (method === "PUT" || method === "DELETE") return { status: found ? 204 : method === "PUT" ? 201 : 404 };
    return found ? { body: method === "HEAD" ? undefined : found } : { status: 404 };
  };
}
